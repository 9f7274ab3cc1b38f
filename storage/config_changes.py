"""What became of an account's things in config.db since a state: the rows of the journal
(storage/config_journal.py), folded by id.

Invariants: the state of some kinds rises with each change of them; what the journal has forgotten
is refused, never told in part.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_database import ConfigDatabase
from storage.config_journal import How, Kind, floor_of, modseq_of
from storage.config_schema import journal
from storage.errors import TooOld
from storage.values import AccountId

_j = journal.c


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """Ids by what became of them up to the state `until`."""

    until: int
    has_more: bool = False
    created: Sequence[str] = ()
    updated: Sequence[str] = ()
    destroyed: Sequence[str] = ()


async def state_of(database: ConfigDatabase, account: AccountId, kinds: Collection[Kind]) -> int:
    """The state of all of these kinds. Raises NoSuchAccount."""
    return await database.finish(_state(database, account, kinds))


async def config_changes(
    database: ConfigDatabase,
    account: AccountId,
    kinds: Collection[Kind],
    since: int,
    limit: int,
) -> ConfigChanges:
    """At most `limit` ids, the oldest changes first. Raises TooOld, NoSuchAccount."""
    return await database.finish(_changes(database, account, kinds, since, limit))


async def _state(database: ConfigDatabase, account: AccountId, kinds: Collection[Kind]) -> int:
    async with database.reading() as at:
        return (await _bounds(at, account, kinds))[0]


async def _bounds(
    at: AsyncConnection, account: AccountId, kinds: Collection[Kind]
) -> tuple[int, int]:
    """The state, and how far back the journal reaches."""
    floor = floor_of(await modseq_of(at, account))
    last = select(func.max(_j.modseq)).where(_of(account, kinds))
    return max(floor, (await at.execute(last)).scalar() or 0), floor


async def _changes(
    database: ConfigDatabase, account: AccountId, kinds: Collection[Kind], since: int, limit: int
) -> ConfigChanges:
    query = select(_j.modseq, _j.what).where(_of(account, kinds), _j.modseq > since)
    async with database.reading() as at:
        state, floor = await _bounds(at, account, kinds)
        if not floor <= since <= state:
            raise TooOld("the journal does not tell of it")
        rows = (await at.execute(query.order_by(_j.modseq))).all()
    folded: dict[str, tuple[How, How]] = {}
    for modseq, what in rows:
        how, _, id_ = what.partition(" ")
        if id_ not in folded and len(folded) == limit:
            return _told(folded, modseq - 1, has_more=True)
        first, _last = folded.get(id_, (How(how), How(how)))
        folded[id_] = (first, How(how))
    return _told(folded, state, has_more=False)


def _of(account: AccountId, kinds: Collection[Kind]) -> ColumnElement[bool]:
    return (_j.account == account) & _j.kind.in_([kind.value for kind in kinds])


def _told(folded: dict[str, tuple[How, How]], until: int, *, has_more: bool) -> ConfigChanges:
    created, updated, destroyed = [], [], []
    for id_, (first, last) in folded.items():
        if last is How.DELETED:
            if first is not How.CREATED:
                destroyed.append(id_)
        elif first is How.CREATED:
            created.append(id_)
        else:
            updated.append(id_)
    return ConfigChanges(until, has_more, created, updated, destroyed)
