"""Sources of accounts outside: which of them answers for a domain, what is remembered of their
answers, and the accounts that are made here after them.

Invariants: what is here wins over what is outside; an account that a source has is made when it is
first looked up and never removed by a source, only disabled; a source that does not answer is
SourceUnavailable, never "nobody"; no password and no hash is kept. Looking through all accounts
again is auth/source_rounds.py.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from cachetools import TTLCache

from auth.checking import Elsewhere
from auth.source_ldap import LdapAccounts
from auth.source_sql import SqlAccounts
from auth.source_values import AccountsOutside, Record, SourceError
from config.clock import Clock
from config.logging import get_logger
from config.sections_accounts import AccountSource
from config.settings import Settings
from message.address import AddressError, Mailbox, parse_mailbox
from net.limits import Gcra
from net.threads import Offload
from storage.directory import Directory
from storage.directory_names import is_encodable
from storage.directory_values import Account, AlreadyExists, NotAllowed
from storage.new_account import Mailboxes, make_account
from storage.outside import SourceUnavailable

T = TypeVar("T")
REMEMBERED: Final = 20_000
"""Answers of one source, found and not found each."""
REST: Final = 1.0
"""Seconds for which a source that does not answer is left alone."""
TOLD: Final = 10
"""Lines of a minute about a source that does not answer."""
AWAY: Final = "The directory of accounts is not available"


@dataclass(slots=True, eq=False)
class Source:
    """A source with what is remembered of it. `failing`: its last answer was none; until `rests`,
    by the monotonic clock, it is not asked again.
    """

    settings: AccountSource
    accounts: AccountsOutside
    found: TTLCache[tuple[str, bool], Record]
    nobody: TTLCache[tuple[str, bool], None]
    asking: dict[tuple[str, bool], asyncio.Task[Record | None]] = field(default_factory=dict)
    failing: bool = False
    rests: float = 0.0

    @property
    def name(self) -> str:
        return self.settings.name

    def serves(self, domain: str) -> bool:
        return not self.settings.domains or domain in self.settings.domains


def accounts_of(settings: AccountSource, offload: Offload) -> AccountsOutside:
    """What asks a source; it connects when it is first needed."""
    return LdapAccounts(settings, offload) if settings.kind == "ldap" else SqlAccounts(settings)


class Sources:
    """One a process; close it before its directory."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        store: Mailboxes,
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._directory, self._store = directory, store
        self._offload, self._clock = offload, clock
        self._log, self._told = get_logger("sources"), Gcra(TOLD, clock)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._making = asyncio.Lock()
        self.all: tuple[Source, ...] = ()
        self.reload(settings)
        directory.ask_outside(self)

    def reload(self, settings: Settings) -> None:
        """Takes auth.source of a changed configuration; what did not change goes on."""
        before, wanted = self.all, settings.auth.source
        same = {one.name: one for one in before if one.settings in wanted}
        self.all = tuple(same.get(one.name) or self._made(one) for one in wanted)
        for source in before:
            if source not in self.all:
                self._spawn(source.accounts.close())

    async def close(self) -> None:
        """Waits for accounts that are being made."""
        self._directory.ask_outside(None)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for source in self.all:
            await source.accounts.close()

    def serves(self, domain: str) -> bool:
        """Whether some source knows accounts of a domain."""
        return any(source.serves(domain) for source in self.all)

    async def find(self, address: Mailbox, *, login: bool) -> Account | None:
        """The account that the first source which knows the address has under it. Raises
        StoreError.
        """
        if not is_encodable(address.key()):
            return None
        for source in self.all:
            if source.serves(address.domain):
                record = await self._remembered(source, address, login)
                account = None if record is None else await self._account(source, record)
                if account is not None:
                    return account
        return None

    async def verify(self, account: Account, address: Mailbox, password: str) -> bool | str:
        """What the account's source says to a password of who logs in as `address`: whether it is
        right, or the hash that it must have. Raises SourceUnavailable, StoreError.
        """
        source = self.named(account.source)
        if source is None or not password:
            return False
        self._refuse_resting(source)
        try:
            record = await source.accounts.find(address, login=True)
            if record is None or not record.enabled or key_of(record) != account.key:
                return False
            right = bool(record.hash) or (
                bool(record.dn) and await source.accounts.bind(record, password)
            )
        except SourceError as error:
            raise self._away(source, error) from None
        self._back(source)
        if right:
            await self.follow(account, record)
        return record.hash or right

    def elsewhere(
        self, account: Account | None, address: Mailbox | None, begun: float
    ) -> Elsewhere | None:
        """How a password of who logs in as `address` since `begun` is checked, None where no
        source has a say.
        """
        if address is None or not (self.serves(address.domain) or (account and account.source)):
            return None
        if account is None or not account.source:
            return Elsewhere(begun)

        async def verify(password: str) -> bool | str:
            return await self.verify(account, address, password)

        source = self.named(account.source)
        if source is None:
            return Elsewhere(begun, verify)
        settings = source.settings
        return Elsewhere(begun, verify, settings.cache, settings.cache_unknown)

    def named(self, name: str) -> Source | None:
        return next((one for one in self.all if one.name == name), None)

    async def asked(self, source: Source, address: Mailbox, *, login: bool) -> Record | None:
        """The source's answer of now. Raises SourceUnavailable."""
        key = address.key(), login
        self._refuse_resting(source)
        try:
            record = await source.accounts.find(address, login=login)
        except SourceError as error:
            raise self._away(source, error) from None
        self._back(source)
        if record is None or not record.enabled:
            source.nobody[key] = None
            source.found.pop(key, None)
            return None
        source.found[key] = replace(record, hash="")
        return record

    async def follow(self, account: Account, record: Record | None) -> None:
        """Changes the account to what its source says, None where it is gone there. Raises
        StoreError.
        """
        values: dict[str, str | int | bool] = {"absent": record is None}
        if record is not None:
            values["name"] = record.name
            if record.admin is not None:
                values["admin"] = record.admin
            if record.quota_bytes is not None:
                values["quota_bytes"] = record.quota_bytes
        changed = {key: value for key, value in values.items() if getattr(account, key) != value}
        if changed:
            await self._finished(self._followed(account, changed))

    async def _followed(self, account: Account, changed: dict[str, str | int | bool]) -> None:
        after = await self._directory.set_sourced(account, changed)
        if "quota_bytes" in changed:
            await self._store.set_limits(after.id, after.quota_bytes, after.quota_messages)
        if "absent" in changed:
            self._log.info(
                "account gone from its source" if after.absent else "account back in its source",
                account=after.address,
                source=after.source,
            )

    async def _remembered(self, source: Source, address: Mailbox, login: bool) -> Record | None:
        key = address.key(), login
        if key in source.nobody:
            return None
        found = source.found.get(key)
        if found is not None:
            return found
        task = source.asking.get(key)
        if task is None:
            task = source.asking[key] = self._spawn(self.asked(source, address, login=login))
            task.add_done_callback(lambda _: source.asking.pop(key, None))
        return await asyncio.shield(task)

    async def _account(self, source: Source, record: Record) -> Account | None:
        """The account of a record, made if need be."""
        try:
            box = parse_mailbox(record.address)
        except AddressError:
            box = None
        if box is None or not (source.serves(box.domain) and self._directory.serves(box.domain)):
            self._log.warning(
                "account of a source is not of its domains",
                source=source.name,
                address=record.address[:254],
            )
            return None
        there = await self._directory.own(box)
        return there or await self._finished(self._make(source, record, box))

    async def _make(self, source: Source, record: Record, box: Mailbox) -> Account | None:
        async with self._making:
            there = await self._directory.own(box)
            if there is not None:
                return there
            try:
                account = await make_account(
                    self._directory,
                    self._store,
                    str(box),
                    "",
                    name=record.name,
                    admin=bool(record.admin),
                    quota_bytes=record.quota_bytes or 0,
                    source=source.name,
                )
            except (AlreadyExists, NotAllowed) as error:  # an alias of that name, a "+" in it
                self._log.warning(
                    "account of a source not made", source=source.name, reason=str(error)
                )
                return None
        self._log.info("account of a source made", account=account.address, source=source.name)
        return account

    def _made(self, settings: AccountSource) -> Source:
        clock = self._clock.monotonic
        return Source(
            settings,
            accounts_of(settings, self._offload),
            TTLCache(REMEMBERED, settings.cache, clock),
            TTLCache(REMEMBERED, settings.cache_unknown, clock),
        )

    def is_away(self, source: Source) -> bool:
        """Whether it did not answer a moment ago."""
        return self._clock.monotonic() < source.rests

    def _refuse_resting(self, source: Source) -> None:
        """Who waits for a source that is away would keep others waiting."""
        if self.is_away(source):
            raise SourceUnavailable(AWAY)

    def _away(self, source: Source, error: SourceError) -> SourceUnavailable:
        if error.away:
            source.rests = self._clock.monotonic() + REST
        first, source.failing = not source.failing, True
        if first and self._told.take(source.name):
            self._log.error("account source does not answer", source=source.name, reason=str(error))
        return SourceUnavailable(AWAY)

    def _back(self, source: Source) -> None:
        if source.failing:
            source.failing = False
            self._log.info("account source answers again", source=source.name)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def _finished(self, work: Coroutine[Any, Any, T]) -> T:
        """To its end, also when the caller is cancelled."""
        return await asyncio.shield(self._spawn(work))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even when the caller has gone


def key_of(record: Record) -> str:
    """Of its address, in its form for look-ups; "" for what is no address."""
    try:
        return parse_mailbox(record.address).key()
    except AddressError:
        return ""
