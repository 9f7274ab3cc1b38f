"""Access control lists in config.db: entries of mailboxes, remembered by owner and by grantee.

What rights mean is auth/rights.py. Invariants: one process writes; a change is committed, then
dropped from the cache, then told to those who watch the owner; a look-up that was under way
meanwhile is not remembered; a remembered look-up runs no SQL.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from cachetools import LRUCache
from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_database import ConfigDatabase
from storage.config_schema import acl
from storage.errors import TooMany
from storage.share_notices import Shared, ShareNotice, tell
from storage.values import AccountId, Mailbox, MailboxId

EVERYBODY: Final = AccountId(0)
MAX_ENTRIES: Final = 500
"""Entries that one mailbox may have."""
MAX_OF_ACCOUNT: Final = 20_000
"""Entries that the mailboxes of one account may have together."""
_CAPACITY: Final = 10_000
_T = TypeVar("_T")


class Entry(NamedTuple):
    """Rights given to a grantee, or taken away."""

    grantee: AccountId
    negative: bool
    rights: str


Entries: TypeAlias = tuple[Entry, ...]


class BoxKey(NamedTuple):
    """A mailbox of an account, whatever it is called."""

    mailbox: MailboxId
    uidvalidity: int

    @classmethod
    def of(cls, box: Mailbox) -> "BoxKey":
        """The key of a mailbox."""
        return cls(box.id, box.uidvalidity)


@dataclass(frozen=True, slots=True)
class Told:
    """What those whose rights change are told: the mailbox's name, who changes them, and when, in
    seconds since 1970.
    """

    name: str
    giver: AccountId
    at: float


@dataclass(frozen=True, slots=True)
class AclChange:
    """A committed change of one mailbox's list; `touched` are those whose entries changed."""

    account: AccountId
    key: BoxKey
    entries: Entries
    touched: frozenset[AccountId]


Lists: TypeAlias = Mapping[BoxKey, Entries]
Watcher: TypeAlias = Callable[[AclChange], None]


class AclTable:
    """Belongs to the directory, which clears it when an account goes."""

    def __init__(self, database: ConfigDatabase, capacity: int = _CAPACITY) -> None:
        self._database = database
        self._lists: LRUCache[AccountId, Lists] = LRUCache(capacity)
        self._owners: LRUCache[AccountId, frozenset[AccountId]] = LRUCache(capacity)
        self._generation = 0
        self._watchers: dict[AccountId | None, dict[object, Watcher]] = {}

    def clear(self) -> None:
        """Forgets what was remembered."""
        self._generation += 1
        self._lists.clear()
        self._owners.clear()

    def watch(self, account: AccountId | None, watcher: Watcher) -> Callable[[], None]:
        """Calls back in the loop after each change of the account's lists (None: of any); returns
        the end.
        """
        token = object()
        self._watchers.setdefault(account, {})[token] = watcher

        def unwatch() -> None:
            watchers = self._watchers.get(account, {})
            watchers.pop(token, None)
            if not watchers:
                self._watchers.pop(account, None)

        return unwatch

    async def lists(self, account: AccountId) -> Lists:
        """Every list of an account; a mailbox without entries has none."""
        return await self._remembered(self._lists, account, self._read_lists)

    async def owners(self, grantee: AccountId) -> frozenset[AccountId]:
        """The accounts that give something to the grantee, EVERYBODY left out unless asked for."""
        return await self._remembered(self._owners, grantee, self._read_owners)

    async def change(
        self,
        account: AccountId,
        key: BoxKey,
        edit: Callable[[Entries], Entries],
        told: Told | None = None,
    ) -> Entries:
        """Makes a list what `edit` makes of it, in one transaction. Raises TooMany, and what `edit`
        raises.
        """
        return await self._database.finish(self._change(account, key, edit, told))

    async def _change(
        self,
        account: AccountId,
        key: BoxKey,
        edit: Callable[[Entries], Entries],
        told: Told | None,
    ) -> Entries:
        async with self._database.writing() as connection:
            old = (await _select(connection, account, key)).get(key, ())
            new = edit(old)
            if new != old:
                await _replace(connection, account, key, new)
                if told is not None:
                    await _tell(connection, account, key, (old, new), told)
        if new == old:
            return new
        self._generation += 1
        self._lists.pop(account, None)
        for grantee in {entry.grantee for entry in (*old, *new)}:
            self._owners.pop(grantee, None)
        touched = frozenset(entry.grantee for entry in {*old} ^ {*new})
        change = AclChange(account, key, new, touched)
        for watched in (account, None):
            for watcher in tuple(self._watchers.get(watched, {}).values()):
                watcher(change)
        return new

    async def _remembered(
        self,
        cache: LRUCache[AccountId, _T],
        number: AccountId,
        read: Callable[[AccountId], Coroutine[Any, Any, _T]],
    ) -> _T:
        found = cache.get(number)
        if found is None:
            generation = self._generation
            found = await self._database.finish(read(number))
            if generation == self._generation:
                cache[number] = found
        return found

    async def _read_lists(self, account: AccountId) -> Lists:
        async with self._database.reading() as connection:
            return await _select(connection, account)

    async def _read_owners(self, grantee: AccountId) -> frozenset[AccountId]:
        query = select(acl.c.account).where(acl.c.grantee == grantee, ~acl.c.negative).distinct()
        async with self._database.reading() as connection:
            return frozenset((await connection.execute(query)).scalars())


def _of(account: AccountId, key: BoxKey | None) -> ColumnElement[bool]:
    mine = acl.c.account == account
    if key is None:
        return mine
    return mine & (acl.c.mailbox == key.mailbox) & (acl.c.uidvalidity == key.uidvalidity)


async def _select(
    at: AsyncConnection, account: AccountId, key: BoxKey | None = None
) -> dict[BoxKey, Entries]:
    query = select(acl).where(_of(account, key)).order_by(acl.c.grantee, acl.c.negative)
    found: dict[BoxKey, list[Entry]] = {}
    for _, mailbox, uidvalidity, grantee, negative, rights in await at.execute(query):
        entries = found.setdefault(BoxKey(mailbox, uidvalidity), [])
        entries.append(Entry(AccountId(grantee), bool(negative), rights))
    return {key: tuple(entries) for key, entries in found.items()}


async def _tell(
    at: AsyncConnection, account: AccountId, key: BoxKey, lists: tuple[Entries, Entries], told: Told
) -> None:
    """Each account what it has got or lost; one whose rights are the same nothing."""
    old, new = (
        {one.grantee: one.rights for one in entries if not one.negative} for entries in lists
    )
    for grantee in sorted({*old, *new} - {EVERYBODY, account}):
        before, after = old.get(grantee, ""), new.get(grantee, "")
        if before != after:
            values = (told.at, account, told.giver, key.mailbox, told.name, before, after)
            await tell(at, grantee, ShareNotice(0, *values, Shared.MAILBOX))


async def _replace(at: AsyncConnection, account: AccountId, key: BoxKey, new: Entries) -> None:
    await at.execute(delete(acl).where(_of(account, key)))
    if not new:
        return
    count = select(func.count()).select_from(acl).where(_of(account, None))
    there = (await at.execute(count)).scalar_one()
    if len(new) > MAX_ENTRIES or there + len(new) > MAX_OF_ACCOUNT:
        raise TooMany("The access control list has too many entries")
    names = ("account", "mailbox", "uidvalidity", "grantee", "negative", "rights")
    rows = [dict(zip(names, (account, *key, *entry), strict=True)) for entry in new]
    for start in range(0, len(rows), 100):
        await at.execute(insert(acl).values(rows[start : start + 100]))
