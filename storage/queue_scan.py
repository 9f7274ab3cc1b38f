"""What is due, found without reading what is not: a walk along the index by time.

The walk goes forward from a mark and jumps over what it has named, so that a queue of any length is
read in pieces of constant size. Only reads; what is leased is named too, and claimed by nobody.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import bindparam, func, select, tuple_

from storage.database import Row
from storage.queue_values import State
from storage.schema import queue_recipient as recipient
from storage.statements import Query

Mark = tuple[float, str, str]
"""Time, domain and lane of the last row that was named."""

START: Mark = (0.0, "", "")
_WAITING = recipient.c.state == int(State.WAITING)
_PLACE = (recipient.c.next_attempt, recipient.c.domain, recipient.c.lane)


class Read(Protocol):
    """Database.fetch: a short read outside the committer."""

    def __call__(self, query: Query, **params: Any) -> Awaitable[list[Row]]: ...


@dataclass(frozen=True, slots=True)
class DueLane:
    """Mail of one lane is due at a domain."""

    domain: str
    lane: str


@dataclass(frozen=True, slots=True)
class DuePiece:
    """Lanes in the order of their oldest row, and where the next piece begins; None at the end."""

    lanes: tuple[DueLane, ...]
    after: Mark | None


DUE = Query(
    lambda _: (
        select(*_PLACE)
        .where(
            _WAITING,
            tuple_(*_PLACE) > tuple_(bindparam("at"), bindparam("domain"), bindparam("lane")),
            recipient.c.next_attempt <= bindparam("now"),
        )
        .order_by(*_PLACE)
        .limit(bindparam("most"))
    )
)
NEXT = Query(
    lambda _: select(func.min(recipient.c.next_attempt)).where(
        _WAITING, recipient.c.next_attempt > bindparam("now")
    )
)


def piece_of(rows: list[tuple[float, str, str]], most: int) -> DuePiece:
    """The rows of DUE as a piece."""
    lanes = dict.fromkeys(DueLane(domain, lane) for _, domain, lane in rows)
    return DuePiece(tuple(lanes), rows[-1] if len(rows) == most else None)
