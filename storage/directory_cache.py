"""What recent look-ups of config.db found, by address key; absences are remembered too.

Invariants: bounded; a look-up that was under way while something was written is not remembered, so
nothing here is ever older than the last `clear`. One writer in the process calls `clear` after
each commit.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cachetools import LRUCache

from storage.config_database import ConfigDatabase
from storage.directory_names import is_encodable
from storage.directory_rows import (
    BATCH,
    account_by_id,
    accounts_by_key,
    aliases_by_key,
    first_administrator,
)
from storage.directory_values import Account, Alias
from storage.values import AccountId

CAPACITY = 20_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands under a key; an address is an account or an alias, never both."""

    account: Account | None = None
    alias: Alias | None = None

    def __bool__(self) -> bool:
        return self.account is not None or self.alias is not None


class DirectoryCache:
    """Look-ups by key, by id and of the postmaster; no SQL when the answer is remembered.

    What was concluded from its answers holds while `generation` stays the same.
    """

    def __init__(self, database: ConfigDatabase, capacity: int = CAPACITY) -> None:
        self._database = database
        self._entries: LRUCache[str, Entry] = LRUCache(capacity)
        self._by_id: LRUCache[AccountId, Account | None] = LRUCache(capacity)
        self._postmaster: Account | None = None
        self.generation = 0

    def clear(self) -> None:
        """Forgets everything: writes are rare and an entry costs one key look-up."""
        self.generation += 1
        self._entries.clear()
        self._by_id.clear()
        self._postmaster = None

    async def entries(self, keys: Iterable[str]) -> dict[str, Entry]:
        """An entry for each key, an empty one where nothing is."""
        found: dict[str, Entry] = {}
        missing: list[str] = []
        for key in dict.fromkeys(keys):
            entry = self._entries.get(key)
            if entry is None:
                missing.append(key)
            else:
                found[key] = entry
        if missing:
            generation = self.generation
            loaded = await self._database.finish(self._load(missing))
            if generation == self.generation:
                self._entries.update(loaded)
            found |= loaded
        return found

    async def by_id(self, number: AccountId) -> Account | None:
        if number in self._by_id:
            return self._by_id[number]
        generation = self.generation
        account = await self._database.finish(self._load_by_id(number))
        if generation == self.generation:
            self._by_id[number] = account
        return account

    async def postmaster(self) -> Account | None:
        """The first administrator, else the first account; None when nobody is enabled."""
        if self._postmaster is None:
            generation = self.generation
            account = await self._database.finish(self._load_postmaster())
            if generation != self.generation:
                return account
            self._postmaster = account
        return self._postmaster

    async def _load(self, keys: list[str]) -> dict[str, Entry]:
        loaded = dict.fromkeys(keys, Entry())
        async with self._database.reading() as connection:
            for start in range(0, len(keys), BATCH):
                batch = [key for key in keys[start : start + BATCH] if is_encodable(key)]
                accounts = await accounts_by_key(connection, batch)
                aliases = await aliases_by_key(connection, batch)
                for key in batch:
                    loaded[key] = Entry(accounts.get(key), aliases.get(key))
        return loaded

    async def _load_by_id(self, number: AccountId) -> Account | None:
        async with self._database.reading() as connection:
            return await account_by_id(connection, number)

    async def _load_postmaster(self) -> Account | None:
        async with self._database.reading() as connection:
            return await first_administrator(connection)
