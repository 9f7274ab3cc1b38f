"""Many claims and many results in one transaction: the hot part of the queue's SQL.

Functions of a Connection. A batch of single recipients costs as many statements as one message. A
result is taken from the holder of the newest lease only.
"""

from collections import defaultdict, namedtuple
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, or_, select, update
from sqlalchemy.sql import ColumnElement

from storage.queue_claims import Lease, Recorded, claim_of
from storage.queue_values import Claim, Result, State
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.statements import InSet, Query, id_list
from storage.submission_rows import learn
from storage.values import QueueId

MOST_ROWS = 2000
"""Recipients that one job leases at most."""

# Written so that no index by state or domain is taken: with a list of ids the key is the way.
_STATE = recipient.c.state + 0
_OPEN = int(State.HELD) >= _STATE
_ENDED = {"attempts": recipient.c.attempts + 1, "lease_until": None, "lease_owner": ""}
_COLUMNS = (*recipient.c, *(column.label(f"of_{column.name}") for column in message.c))
_Row = namedtuple("_Row", [column.name for column in _COLUMNS])  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Up to `messages` of one lane at one domain. `together`: with the same message's due
    recipients at other domains, since all go to one host.
    """

    domain: str
    lane: str
    messages: int
    together: bool = False


def _due(state: ColumnElement[int] = recipient.c.state) -> ColumnElement[bool]:
    return and_(
        state == int(State.WAITING),
        recipient.c.next_attempt <= bindparam("at"),
        or_(recipient.c.lease_until.is_(None), recipient.c.lease_until <= bindparam("at")),
    )


def _there() -> ColumnElement[bool]:
    return recipient.c.domain == bindparam("there")


def _named(among: InSet) -> ColumnElement[bool]:
    return among(recipient.c.queue, "some")


_FIRST = Query(
    lambda _: (
        select(recipient.c.queue)
        .where(_due(), _there(), recipient.c.lane == bindparam("lane"))
        .order_by(recipient.c.next_attempt, recipient.c.queue)
        .limit(bindparam("most"))
    )
)
_ROWS = (
    select(*_COLUMNS)
    .join(message, message.c.id == recipient.c.queue)
    .order_by(recipient.c.queue, recipient.c.position)
    .limit(MOST_ROWS)
)
_THERE = Query(
    lambda among: _ROWS.where(
        _named(among), _due(_STATE), recipient.c.domain + "" == bindparam("there")
    )
)
_ANYWHERE = Query(lambda among: _ROWS.where(_named(among), _due(_STATE)))
_LEASE = Query(
    lambda among: (
        update(recipient)
        .where(_named(among), recipient.c.position == bindparam("place"))
        .values(lease_until=bindparam("until"), lease_owner=bindparam("owner"))
    )
)
_LEFT = Query(
    lambda among: select(recipient.c.queue, recipient.c.position, recipient.c.lease_owner).where(
        _named(among), _OPEN
    )
)
_FINISH = Query(
    lambda _: (
        update(recipient)
        .where(recipient.c.queue == bindparam("of"), recipient.c.position == bindparam("place"))
        .values(**_ENDED, last_reply=bindparam("reply"), state=bindparam("as_state"))
    )
)
_POSTPONE = Query(
    lambda _: (
        update(recipient)
        .where(recipient.c.queue == bindparam("of"), recipient.c.position == bindparam("place"))
        .values(
            **_ENDED,
            last_reply=bindparam("reply"),
            next_attempt=bindparam("next"),
            delay_notice=bindparam("noticed"),
        )
    )
)
_YOUNG = Query(
    lambda _: (
        select(recipient.c.queue, recipient.c.position)
        .join(message, message.c.id == recipient.c.queue)
        .where(
            _due(),
            _there(),
            recipient.c.lane == bindparam("lane"),
            message.c.queued_at > bindparam("after"),
            message.c.deliver_by.is_(None),
            message.c.hold_until.is_(None),
        )
        .order_by(recipient.c.next_attempt)
        .limit(MOST_ROWS)
    )
)
_DEFER = Query(
    lambda among: (
        update(recipient)
        .where(_named(among), recipient.c.position == bindparam("place"))
        .values(
            attempts=recipient.c.attempts + 1,
            last_reply=bindparam("reply"),
            next_attempt=bindparam("next"),
        )
    )
)
_FORGET_RECIPIENTS = Query(lambda among: delete(recipient).where(_named(among)))
_FORGET_MESSAGES = Query(lambda among: delete(message).where(among(message.c.id, "some")))


def claim_many(
    conn: Connection, lease: Lease, wanted: Sequence[Wanted], recipients: int
) -> list[list[Claim]]:
    """Leases what is due, each lane's longest waiting first; claims of up to `recipients`, in a
    list for each lane wanted.
    """
    found: list[list[Any]] = []
    taken: set[tuple[int, int]] = set()
    for want in wanted:
        rows = _rows(conn, lease, want) if len(taken) < MOST_ROWS else []
        rows = [row for row in rows if (row.queue, row.position) not in taken]
        taken.update((row.queue, row.position) for row in rows)
        found.append(rows)
    _lease(conn, taken, lease.owner, lease.until)
    return [_claims(lease, rows, recipients) for rows in found]


def _claims(lease: Lease, rows: Sequence[Any], recipients: int) -> list[Claim]:
    claims: list[Claim] = []
    for _, group in groupby(rows, key=lambda row: row.queue):
        mine = list(group)
        for start in range(0, len(mine), recipients):
            claims.append(claim_of(lease, mine[start : start + recipients]))
    return claims


def _rows(conn: Connection, lease: Lease, want: Wanted) -> list[Any]:
    """In the order of waiting, a message's recipients side by side."""
    there = {"at": lease.now, "there": want.domain}
    first = _FIRST.run(conn, **there, lane=want.lane, most=want.messages)
    order = {queue: place for place, (queue,) in enumerate(dict.fromkeys(first))}
    if not order:
        return []
    query = _ANYWHERE if want.together else _THERE
    rows = [_Row(*row) for row in query.run(conn, **there, some=_ids(conn, order))]
    return sorted(rows, key=lambda row: order[row.queue])


def _lease(
    conn: Connection, places: Iterable[tuple[int, int]], owner: str, until: float | None
) -> None:
    for place, queues in _by_place(places).items():
        _LEASE.run(conn, some=_ids(conn, queues), place=place, until=until, owner=owner)


def defer_lane(
    conn: Connection, want: Wanted, now: float, after: float, until: float, reply: str
) -> int:
    """Puts off what is due in a lane, up to MOST_ROWS recipients: those queued `after` a time and
    without a time limit of their own, about whom nobody has to be told. How many.
    """
    where = {"at": now, "there": want.domain, "lane": want.lane, "after": after}
    places = _YOUNG.run(conn, **where)
    for place, queues in _by_place(places).items():
        _DEFER.run(conn, some=_ids(conn, queues), place=place, next=until, reply=reply)
    return len(places)


def renew_many(conn: Connection, claims: Sequence[Claim], until: float) -> set[QueueId]:
    """Extends leases; the messages that are held no more."""
    held = _held(conn, claims)
    for claim in claims:
        _lease(conn, held[claim.queue, claim.owner], claim.owner, until)
    return {claim.queue for claim in claims if not held[claim.queue, claim.owner]}


def give_back_many(conn: Connection, claims: Sequence[Claim]) -> None:
    """Ends leases without counting an attempt."""
    places = [place for held in _held(conn, claims).values() for place in held]
    _lease(conn, places, "", None)


def _held(
    conn: Connection, claims: Sequence[Claim]
) -> dict[tuple[QueueId, str], list[tuple[int, int]]]:
    left = _left(conn, claims)
    held: dict[tuple[QueueId, str], list[tuple[int, int]]] = defaultdict(list)
    for claim in claims:
        mine = left[claim.queue]
        for entry in claim.recipients:
            if mine.get(entry.position) == claim.owner:
                held[claim.queue, claim.owner].append((claim.queue, entry.position))
    return held


def record_many(
    conn: Connection, settled: Sequence[tuple[Claim, Mapping[int, Result]]]
) -> list[Recorded]:
    """Takes the results of recipients that the claims still hold, and ends their leases; in order.

    The rows of messages go whose last recipient is finished.
    """
    left = _left(conn, [claim for claim, _ in settled])
    recorded: list[Recorded] = []
    done: list[int] = []
    told: dict[QueueId, dict[int, Result]] = defaultdict(dict)
    for claim, results in settled:
        mine = left.get(claim.queue, {})
        applied = frozenset(p for p in results if mine.get(p) == claim.owner)
        for position in applied:
            if results[position].state is not State.WAITING:
                del mine[position]
        whole = bool(applied) and not mine
        taken = {p: results[p] for p in applied}
        if claim.account is not None and taken:
            told[claim.queue] |= taken
        if whole:
            done.append(claim.queue)
        else:
            _write(conn, claim.queue, taken)
        recorded.append(Recorded(applied, whole))
    if done:
        _FORGET_RECIPIENTS.run(conn, some=_ids(conn, done))
        _FORGET_MESSAGES.run(conn, some=_ids(conn, done))
    learn(conn, told)
    return recorded


def _left(conn: Connection, claims: Sequence[Claim]) -> dict[int, dict[int, str]]:
    """Owners of the leases of unfinished recipients, by message and position."""
    left: dict[int, dict[int, str]] = defaultdict(dict)
    ids = {claim.queue for claim in claims}
    for queue, position, owner in _LEFT.run(conn, some=_ids(conn, ids)):
        left[queue][position] = owner
    return left


def _write(conn: Connection, queue: QueueId, results: Mapping[int, Result]) -> None:
    for place, result in results.items():
        values: dict[str, Any] = {"of": queue, "place": place, "reply": result.reply}
        if result.state is State.WAITING:
            more: dict[str, Any] = {"next": result.next_attempt, "noticed": result.delay_noticed}
            _POSTPONE.run(conn, **values, **more)
        else:
            _FINISH.run(conn, **values, as_state=int(result.state))


def _by_place(places: Iterable[tuple[Any, ...]]) -> dict[int, list[int]]:
    """Messages by the position of their recipient: most have one, so few statements do."""
    found: dict[int, list[int]] = defaultdict(list)
    for queue, position in places:
        found[position].append(queue)
    return found


def _ids(conn: Connection, ids: Iterable[int]) -> Any:
    return id_list(conn.dialect.name, ids)
