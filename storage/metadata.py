"""Entries that users attach to mailboxes and to the server (RFC 5464), rows of config.db.

An entry belongs to a mailbox by its id, so that it follows every rename, or to the server (account
and mailbox 0). It is private to a user, or shared (user 0). Names come in lower case. Invariants: a
change is all or nothing, bounded, committed and then told; what a deletion leaves behind is removed
before the account's next change, and can't be reached until then.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.logging import get_logger
from storage.config_database import ConfigDatabase
from storage.config_schema import entry
from storage.errors import NoSuchAccount, StoreError
from storage.store import Store
from storage.values import AccountId, Event, FoldersChanged, MailboxId

MAX_VALUE = 32 * 1024
MAX_NAME = 255
MAX_OF_MAILBOX = 1_000
MAX_OF_ACCOUNT = 10_000
MAX_OCTETS = 8 * 1024 * 1024
NOBODY = AccountId(0)
_BATCH = 500
_e = entry.c


class TooManyEntries(StoreError):
    """The mailbox, the account or the server has as many as it may have."""


class Holder(NamedTuple):
    """What entries hang on: a mailbox of an account."""

    account: AccountId
    mailbox: MailboxId


SERVER = Holder(NOBODY, MailboxId(0))


@dataclass(frozen=True, slots=True)
class MetadataChanged:
    """A committed change. `user` is who alone may see private entries, `source` who made it.

    `name` is the mailbox's name in its account, "" for the server.
    """

    holder: Holder
    name: str
    user: AccountId
    entries: tuple[str, ...]
    source: object

    def seen_by(self, user: AccountId) -> tuple[str, ...]:
        """The entries that a user may know of."""
        if user == self.user:
            return self.entries
        return tuple(name for name in self.entries if is_shared(name))


Listener = Callable[[MetadataChanged], None]


def is_shared(name: str) -> bool:
    """Whether an entry has one value for all users."""
    return name.startswith("/shared/")


class Metadata:
    """One a process; `close` before the store and the database."""

    def __init__(self, database: ConfigDatabase, store: Store) -> None:
        self._database, self._store = database, store
        self._listeners: dict[object, Listener] = {}
        self._cleaning: dict[AccountId, asyncio.Task[None]] = {}
        self._checked: set[AccountId] = set()
        self._unsubscribe = store.bus.subscribe(None, self._on_event)

    async def close(self) -> None:
        self._unsubscribe()
        await asyncio.gather(*self._cleaning.values(), return_exceptions=True)

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Calls back in the loop after each change; returns the unsubscriber."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    # Reading.

    async def read(
        self, holder: Holder, user: AccountId, names: Sequence[str], depth: int | None = 0
    ) -> dict[str, bytes]:
        """Entries by name, sorted: `names`, and those below them down to `depth` (None: all)."""
        wanted: list[ColumnElement[bool]] = [_e.name.in_(names)]
        if depth != 0:
            wanted += [_e.name.startswith(name + "/", autoescape=True) for name in names]
        found = await self._database.finish(self._select(_at(holder), user, or_(*wanted)))
        return {
            name: value
            for _, _, name, value in sorted(found)
            if depth != 1 or name in names or name.rpartition("/")[0] in names
        }

    async def read_all(
        self, accounts: Iterable[AccountId], user: AccountId, names: Sequence[str]
    ) -> dict[Holder, dict[str, bytes]]:
        """The entries of these names of all mailboxes of accounts."""
        numbers = list(accounts)
        made: dict[Holder, dict[str, bytes]] = {}
        for start in range(0, len(numbers), _BATCH):
            where = _e.account.in_(numbers[start : start + _BATCH])
            for account, mailbox, name, value in await self._database.finish(
                self._select(where, user, _e.name.in_(names))
            ):
                holder = Holder(AccountId(account), MailboxId(mailbox))
                made.setdefault(holder, {})[name] = value
        return made

    async def _select(
        self, where: ColumnElement[bool], user: AccountId, names: ColumnElement[bool]
    ) -> list[tuple[int, int, str, bytes]]:
        query = select(_e.account, _e.mailbox, _e.name, _e.value).where(
            where, _e.user.in_((NOBODY, user)), names
        )
        async with self._database.reading() as connection:
            return [
                (a, m, name, bytes(value)) for a, m, name, value in await connection.execute(query)
            ]

    # Changing.

    async def change(
        self,
        holder: Holder,
        name: str,
        user: AccountId,
        values: Mapping[str, bytes | None],
        source: object = None,
    ) -> None:
        """Sets entries of a mailbox, or with None removes them. Raises TooManyEntries."""
        await self._database.finish(self._change(holder, user, values))
        change = MetadataChanged(holder, name, user, tuple(values), source)
        for listener in tuple(self._listeners.values()):
            listener(change)

    async def _change(
        self, holder: Holder, user: AccountId, values: Mapping[str, bytes | None]
    ) -> None:
        await self._cleaned(holder.account)
        async with self._database.writing() as connection:
            for name, value in values.items():
                owner = NOBODY if is_shared(name) else user
                key = (_at(holder), _e.user == owner, _e.name == name)
                await connection.execute(delete(entry).where(*key))
                if value is not None:
                    row = {"user": owner, "name": name, "value": value, **holder._asdict()}
                    await connection.execute(insert(entry).values(row))
            if any(value is not None for value in values.values()):
                await _check(connection, holder, user)
                await _check(connection, holder, holder.account)

    async def copy(self, source: Holder, target: Holder) -> None:
        """The entries of every user too: INBOX keeps its own when it is renamed (RFC 5464 §4.1)."""
        await self._database.finish(self._copy(source, target))

    async def _copy(self, source: Holder, target: Holder) -> None:
        query = select(_e.user, _e.name, _e.value).where(_at(source))
        async with self._database.writing() as connection:
            for user, name, value in (await connection.execute(query)).all():
                row = {"user": user, "name": name, "value": value, **target._asdict()}
                await connection.execute(insert(entry).values(row))

    # Following deletions.

    def _on_event(self, event: Event) -> None:
        if isinstance(event, FoldersChanged) and event.deleted:
            self._clean(event.account, frozenset(event.deleted))

    def _clean(self, account: AccountId, names: frozenset[str] = frozenset()) -> None:
        """Removes what mailboxes left that are gone; `names` were deleted, and may have stayed as
        names that hold others.
        """
        before = self._cleaning.get(account)
        task = asyncio.get_running_loop().create_task(self._forget(account, names, before))
        self._cleaning[account] = task
        task.add_done_callback(lambda done: self._ended(account, done))

    def _ended(self, account: AccountId, task: "asyncio.Task[None]") -> None:
        if self._cleaning.get(account) is task:
            del self._cleaning[account]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._checked.discard(account)
            get_logger("metadata").warning("entries not removed", error=repr(error))

    async def _cleaned(self, account: AccountId) -> None:
        """What a process that was killed left behind is removed too, once."""
        if account != NOBODY and account not in self._checked:
            self._checked.add(account)
            self._clean(account)
        if (task := self._cleaning.get(account)) is not None:
            await asyncio.wait([task])

    async def _forget(
        self, account: AccountId, names: frozenset[str], before: "asyncio.Task[None] | None"
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        used = select(_e.mailbox).where(_e.account == account).distinct()
        async with self._database.reading() as connection:
            numbers = set((await connection.execute(used)).scalars())
        if not numbers:
            return
        try:
            boxes = {
                box.id
                for box in await self._store.mailboxes(account)
                if box.selectable or box.name not in names
            }
        except NoSuchAccount:
            boxes = set()
        gone = sorted(numbers - boxes)
        for start in range(0, len(gone), _BATCH):
            lost = _e.mailbox.in_(gone[start : start + _BATCH])
            async with self._database.writing() as connection:
                await connection.execute(delete(entry).where(_e.account == account, lost))


def _at(holder: Holder) -> ColumnElement[bool]:
    return (_e.account == holder.account) & (_e.mailbox == holder.mailbox)


async def _check(connection: AsyncConnection, holder: Holder, payer: AccountId) -> None:
    """Counts what is stored; private entries count for their user, shared ones for the owner."""
    here = select(func.count()).select_from(entry)
    shown = _e.user.in_((NOBODY, payer))
    if (await connection.execute(here.where(_at(holder), shown))).scalar_one() > MAX_OF_MAILBOX:
        raise TooManyEntries("Too many entries")
    private = (_e.user == payer) & (_e.user != NOBODY)
    own = private | ((_e.user == NOBODY) & (_e.account == payer))
    total = select(func.count(), func.sum(func.length(_e.value))).where(own)
    ((count, octets),) = await connection.execute(total)
    if count > MAX_OF_ACCOUNT or (octets or 0) > MAX_OCTETS:
        raise TooManyEntries("Too many entries")
