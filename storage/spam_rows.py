"""Statements on the tables of what is learned about spam, for storage/spam_lessons.py: what is
remembered of messages, totals and watermarks.
"""

import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.spam_tables import followed, message, total
from storage.spam_values import NOTHING, SITE, UNTAUGHT, Counts, Example, Known, Label, Totals
from storage.values import AccountId

_PIECE = 500
_m, _t = message.c, total.c
EXAMPLE = (_m.learned, _m.features, _m.site, _m.site_step, _m.own_step)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of what is remembered: what it was learned from, and whether it counts site-wide."""

    known: Known = NOTHING
    example: Example = UNTAUGHT


def example_of(learned: int, features: bytes, site: bool, site_step: int, own_step: int) -> Example:
    """Of the columns EXAMPLE."""
    return Example(Label(learned), unpacked(features), bool(site), site_step, own_step)


def packed(features: "array[int]") -> bytes:
    """As it is stored; most of the way to what a better compression gives."""
    return zlib.compress(features.tobytes(), 1) if features else b""


def unpacked(data: bytes) -> "array[int]":
    """The features of a row."""
    return array("I", zlib.decompress(data) if data else b"")


async def read_records(
    connection: AsyncConnection, owner: AccountId, keys: Sequence[bytes]
) -> dict[bytes, Record]:
    """Those of the messages that are remembered."""
    found: dict[bytes, Record] = {}
    for start in range(0, len(keys), _PIECE):
        query = select(_m.key, _m.in_junk, _m.mark, *EXAMPLE).where(
            _m.owner == owner, _m.key.in_(keys[start : start + _PIECE])
        )
        for key, in_junk, mark, *rest in await connection.execute(query):
            example = example_of(*rest)
            known = Known(bool(in_junk), Label(mark), example.label)
            found[bytes(key)] = Record(known, example)
    return found


async def read_known(
    connection: AsyncConnection, owner: AccountId, keys: Sequence[bytes]
) -> dict[bytes, Known]:
    """The same without what was learned from them."""
    found: dict[bytes, Known] = {}
    for start in range(0, len(keys), _PIECE):
        query = select(_m.key, _m.in_junk, _m.mark, _m.learned).where(
            _m.owner == owner, _m.key.in_(keys[start : start + _PIECE])
        )
        for key, in_junk, mark, learned in await connection.execute(query):
            found[bytes(key)] = Known(bool(in_junk), Label(mark), Label(learned))
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
            "site": record.example.site,
            "site_step": record.example.site_step,
            "own_step": record.example.own_step,
            "features": packed(record.example.features),
            "at": now,
        }
        for key, record in records.items()
        if record.known != NOTHING
    ]
    if rows:
        await connection.execute(message.insert(), rows)


async def read_totals(connection: AsyncConnection, owner: AccountId) -> Totals:
    """How much an owner taught; of SITE, how much counts site-wide."""
    query = select(_t.spam, _t.ham, _t.site_spam, _t.site_ham).where(_t.owner == owner)
    row = (await connection.execute(query)).first()
    spam, ham, site_spam, site_ham = row or (0, 0, 0, 0)
    if owner != SITE:
        return Totals(Counts(spam, ham), Counts(site_spam, site_ham))
    votes = select(func.count(), func.sum(_t.site_spam), func.sum(_t.site_ham)).where(
        _t.owner != SITE, _t.site_spam + _t.site_ham > 0
    )
    voters, voted_spam, voted_ham = (await connection.execute(votes)).one()
    voted = Counts(int(voted_spam or 0), int(voted_ham or 0))
    return Totals(Counts(spam, ham), voted, voters)


async def write_totals(connection: AsyncConnection, owner: AccountId, totals: Totals) -> None:
    """Replaces the row."""
    votes = Counts() if owner == SITE else totals.site
    values = {
        "spam": totals.own.spam,
        "ham": totals.own.ham,
        "site_spam": votes.spam,
        "site_ham": votes.ham,
    }
    postgres = connection.dialect.name == "postgresql"
    made = postgresql.insert(total) if postgres else sqlite.insert(total)
    made = made.values(owner=owner, **values)
    await connection.execute(made.on_conflict_do_update(index_elements=[_t.owner], set_=values))


async def write_marks(connection: AsyncConnection, marks: Mapping[AccountId, int]) -> None:
    """Replaces watermarks."""
    postgres = connection.dialect.name == "postgresql"
    made = postgresql.insert(followed) if postgres else sqlite.insert(followed)
    made = made.on_conflict_do_update(
        index_elements=[followed.c.account], set_={"modseq": made.excluded.modseq}
    )
    rows = [{"account": account, "modseq": modseq} for account, modseq in marks.items()]
    await connection.execute(made, rows)
