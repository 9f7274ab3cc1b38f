"""Whom an account wrote to, how often and when last: collected from what it submits.

Invariants: bounded by number for each account; a reader sees what was put. What a kill takes with
it, of the last seconds, is lost.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

from cachetools import LRUCache
from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_schema import account as accounts
from storage.config_user_tables import correspondent
from storage.contact_values import Correspondent
from storage.directory_names import address_key
from storage.values import AccountId
from storage.write_behind import WriteBehind

KEPT = 20_000
IN_MEMORY = 20_000
BATCH = 200
_c = correspondent.c
_Key = tuple[AccountId, str]


class Correspondents(WriteBehind[_Key, Correspondent]):
    """What is put is added to what is there. `kept` rows stay of each account, those written to
    last.
    """

    log_of = "submission"
    not_written = "correspondents are not stored"
    flush_seconds = 2.0

    def __init__(self, database: ConfigDatabase, clock: Clock, *, kept: int = KEPT) -> None:
        super().__init__(database, clock)
        self._kept = kept
        self._known: LRUCache[_Key, Correspondent | None] = LRUCache(IN_MEMORY)
        self.on_written: Callable[[AccountId, str], None] = lambda account, address: None
        """Called in the loop for each address that has come to SQL."""

    def met(self, account: AccountId, addresses: Iterable[str]) -> None:
        """The account has written to these; in SQL within some seconds."""
        now = self._clock.now()
        for address in addresses:
            key = account, address_key(address)
            if not key[1]:
                continue
            made = Correspondent(address, 1, now, now)
            if (known := self._known.get(key)) is not None:
                self._known[key] = self._joined(known, made)
            else:
                self._known.pop(key, None)  # the row, read again, has what it had before
            self._put(key, made)

    async def get(self, account: AccountId, address: str) -> Correspondent | None:
        """None for somebody whom the account never wrote to. Raises StoreUnavailable."""
        key = account, address_key(address)
        if not key[1]:
            return None
        if key not in self._known:
            self._known[key] = await self._read(key)
        return self._known.get(key)

    async def listed(self, account: AccountId) -> list[Correspondent]:
        """Those written to last come first. Raises StoreUnavailable."""
        async with self._writing:
            found = await self._database.finish(self._load(account, None))
            waiting = {key: one for (of, key), one in self._waiting.items() if of == account}
        for key, one in waiting.items():
            found[key] = self._joined(found[key], one) if key in found else one
        return sorted(found.values(), key=lambda one: (-one.last, one.address))

    def forget(self, account: AccountId) -> None:
        """The account is gone."""
        for key in [key for key in self._waiting if key[0] == account]:
            del self._waiting[key]
        for key in [key for key in self._known if key[0] == account]:
            del self._known[key]

    async def prune(self) -> None:
        """Removes what is too much, and what accounts left behind that are gone."""
        many = select(_c.account).group_by(_c.account).having(func.count() > self._kept)
        async with self._database.writing() as at:
            gone = _c.account.not_in(select(accounts.c.id))
            await at.execute(delete(correspondent).where(gone))
            for account in (await at.execute(many)).scalars().all():
                newest = select(_c.last).where(_c.account == account).order_by(_c.last.desc())
                edge = (await at.execute(newest.offset(self._kept).limit(1))).scalar_one()
                old = (_c.account == account) & (_c.last <= edge)
                await at.execute(delete(correspondent).where(old))
        self._known.clear()

    def _joined(self, earlier: Correspondent, later: Correspondent) -> Correspondent:
        count = earlier.count + later.count
        return replace(later, count=count, first=min(earlier.first, later.first))

    async def _read(self, key: _Key) -> Correspondent | None:
        async with self._writing:
            found = (await self._database.finish(self._load(*key))).get(key[1])
            # nothing may come between the row and what is not in it yet
            waiting = self._waiting.get(key)
            if found is None or waiting is None:
                return found or waiting
            return self._joined(found, waiting)

    async def _load(self, account: AccountId, key: str | None) -> dict[str, Correspondent]:
        query = select(_c.key, _c.address, _c.count, _c.first, _c.last).where(_c.account == account)
        if key is not None:
            query = query.where(_c.key == key)
        async with self._database.reading() as at:
            return {name: Correspondent(*row) for name, *row in await at.execute(query)}

    async def _write(self, waiting: dict[_Key, Correspondent]) -> None:
        rows = [
            {
                "account": account,
                "key": key,
                "address": one.address,
                "count": one.count,
                "first": one.first,
                "last": one.last,
            }
            for (account, key), one in waiting.items()
        ]
        async with self._database.writing() as at:
            for start in range(0, len(rows), BATCH):
                await at.execute(_upsert(at.dialect.name), rows[start : start + BATCH])
        for (account, _key), one in waiting.items():
            self.on_written(account, one.address)


@cache
def _upsert(dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Counts are added up; the first sight stays."""
    postgres = dialect == "postgresql"
    made = postgresql.insert(correspondent) if postgres else sqlite.insert(correspondent)
    more = {
        "count": _c.count + made.excluded.count,
        "last": made.excluded.last,
        "address": made.excluded.address,
    }
    return made.on_conflict_do_update(index_elements=[_c.account, _c.key], set_=more)
