"""Statements on the tables of what is learned about spam, for storage/spam_models.py: what is
remembered of messages, and changes of counts.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Integer, bindparam, case, cast, delete, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.spam_tables import feature, message
from storage.spam_values import NOTHING, SITE, Known, Label
from storage.statements import Query, id_list
from storage.values import AccountId

_PIECE = 500
_f, _m = feature.c, message.c

Change = dict[int, list[int]]
"""What is added to the counts of spam and ham, by feature."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of what is remembered: what it was learned from, and whether it counts site-wide."""

    known: Known = NOTHING
    site: bool = False
    features: "array[int]" = field(default_factory=lambda: array("I"))


async def read_records(
    connection: AsyncConnection, owner: AccountId, keys: Sequence[bytes]
) -> dict[bytes, Record]:
    """Those of the messages that are remembered."""
    found: dict[bytes, Record] = {}
    for start in range(0, len(keys), _PIECE):
        query = select(_m.key, _m.in_junk, _m.mark, _m.learned, _m.site, _m.features).where(
            _m.owner == owner, _m.key.in_(keys[start : start + _PIECE])
        )
        for key, in_junk, mark, learned, site, features in await connection.execute(query):
            known = Known(bool(in_junk), Label(mark), Label(learned))
            found[bytes(key)] = Record(known, bool(site), array("I", bytes(features)))
    return found


async def write_records(
    connection: AsyncConnection, owner: AccountId, records: Mapping[bytes, Record], now: float
) -> None:
    """Replaces rows; what says nothing has none."""
    keys = list(records)
    for start in range(0, len(keys), _PIECE):
        here = (_m.owner == owner) & _m.key.in_(keys[start : start + _PIECE])
        await connection.execute(delete(message).where(here))
    rows = [
        {
            "owner": owner,
            "key": key,
            "in_junk": record.known.in_junk,
            "mark": int(record.known.mark),
            "learned": int(record.known.learned),
            "site": record.site,
            "features": record.features.tobytes(),
            "at": now,
        }
        for key, record in records.items()
        if record.known != NOTHING
    ]
    if rows:
        await connection.execute(message.insert(), rows)


async def write_changes(
    connection: AsyncConnection, owner: AccountId, voter: AccountId, changes: Change, day: int
) -> None:
    """Adds to counts, or takes from them; rows of nothing go."""
    more = [
        {
            "owner": int(owner),
            "feature": number,
            "spam": max(0, spam),
            "ham": max(0, ham),
            "voter": int(voter),
            "several": voter == SITE,
            "day": day,
        }
        for number, (spam, ham) in sorted(changes.items())
        if spam > 0 or ham > 0
    ]
    less = {number: pair for number, pair in changes.items() if min(pair) < 0}
    if more:
        await connection.execute(_upsert(connection.dialect.name), more)
    if less:
        await _take(connection, owner, less)


async def _take(connection: AsyncConnection, owner: AccountId, less: Change) -> None:
    by_change: dict[tuple[int, int], list[int]] = {}
    for number, (spam, ham) in less.items():
        by_change.setdefault((min(0, spam), min(0, ham)), []).append(number)
    dialect = connection.dialect
    for (spam, ham), numbers in by_change.items():
        params = {
            "owner_": int(owner),
            "spam_": -spam,
            "ham_": -ham,
            "features": id_list(dialect.name, sorted(numbers)),
        }
        await connection.exec_driver_sql(*_LESS.text(dialect, params))
    params = {"owner_": int(owner), "features": id_list(dialect.name, sorted(less))}
    await connection.exec_driver_sql(*_EMPTY.text(dialect, params))


def _less(among: Any) -> Any:
    spam = _f.spam - cast(bindparam("spam_"), Integer)
    ham = _f.ham - cast(bindparam("ham_"), Integer)
    return (
        update(feature)
        .where(_f.owner == bindparam("owner_"), among(_f.feature, "features"))
        .values(spam=case((spam > 0, spam), else_=0), ham=case((ham > 0, ham), else_=0))
    )


def _empty(among: Any) -> Any:
    return delete(feature).where(
        _f.owner == bindparam("owner_"),
        among(_f.feature, "features"),
        _f.spam == 0,
        _f.ham == 0,
    )


_LESS, _EMPTY = Query(_less), Query(_empty)


@cache
def _upsert(dialect: str) -> sqlite.Insert | postgresql.Insert:
    made = postgresql.insert(feature) if dialect == "postgresql" else sqlite.insert(feature)
    new = made.excluded
    other = or_(_f.several, new.several, _f.voter != new.voter)
    return made.on_conflict_do_update(
        index_elements=[_f.owner, _f.feature],
        set_={
            "spam": _f.spam + new.spam,
            "ham": _f.ham + new.ham,
            "several": case((other, true()), else_=_f.several),
            "day": new.day,
        },
    )
