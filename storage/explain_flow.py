"""Sums by hour over the records of messages: what came in, went out, was spam, was refused.

Read backwards in small pieces, so that a busy server's loop is not held up; bounded by MOST rows.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from storage.explain_table import explain
from storage.explain_values import Kind, unpack
from storage.history_database import HistoryDatabase

MOST: Final = 20_000
_PIECE: Final = 200
_HOUR: Final = 3600
_c = explain.c


@dataclass(slots=True)
class Hour:
    """`at` is its begin in Unix seconds. `milliseconds` is what filters took for all of received
    and sent together.
    """

    at: int
    received: int = 0
    sent: int = 0
    spam: int = 0
    refused: int = 0
    quarantined: int = 0
    delivered: int = 0
    deferred: int = 0
    failed: int = 0
    milliseconds: float = 0.0


async def flow(database: HistoryDatabase, since: float) -> tuple[list[Hour], bool]:
    """The hours from `since` on in which something happened, the oldest first, and whether that is
    all of it. Raises StoreUnavailable.
    """
    hours: dict[int, Hour] = {}
    before, seen = None, 0
    while seen < MOST:
        query = select(_c.id, _c.at, _c.kind, _c.data).order_by(_c.id.desc()).limit(_PIECE)
        async with database.reading() as connection:
            rows = (
                await connection.execute(query if before is None else query.where(_c.id < before))
            ).all()
        for row in rows:
            if row.at >= since:
                number = int(row.at // _HOUR)
                _add(hours.setdefault(number, Hour(number * _HOUR)), row)
        if len(rows) < _PIECE or rows[-1].at < since:
            return [hours[key] for key in sorted(hours)], True
        before, seen = rows[-1].id, seen + len(rows)
        await asyncio.sleep(0)
    return [hours[key] for key in sorted(hours)], False


def _add(hour: Hour, row: Any) -> None:
    if row.kind == Kind.REFUSED:
        hour.refused += 1
    elif row.kind == Kind.QUARANTINED:
        hour.quarantined += 1
    elif row.kind == Kind.ATTEMPT:
        state = unpack(row.data).get("state")
        if state == "delivered":
            hour.delivered += 1
        elif state == "failed":
            hour.failed += 1
        else:
            hour.deferred += 1
    elif row.kind == Kind.MESSAGE:
        _add_message(hour, unpack(row.data))


def _add_message(hour: Hour, data: dict[str, Any]) -> None:
    if data.get("by") is None:
        hour.received += 1
    else:
        hour.sent += 1
    spam = data.get("spam")
    if isinstance(spam, dict) and spam.get("score", 0) >= spam.get("junk_at", float("inf")):
        hour.spam += 1
    asked = data.get("asked")
    if isinstance(asked, list):
        hour.milliseconds += sum(one[2] for one in asked if isinstance(one, list) and len(one) > 2)
