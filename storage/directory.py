"""Accounts, aliases and domains of config.db, with a look-up cache that its own writes keep right.

Domains and aliases are in storage/directory_domains.py and storage/directory_aliases.py, how an
address leads to accounts is storage/resolver.py; SQL is storage/directory_rows.py.
Invariants: one process writes; a change is committed, then dropped from the cache, then told to
the listeners; a cached look-up runs no SQL.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from config.clock import Clock
from config.settings import Settings
from message.address import AddressError, Mailbox, parse_mailbox
from message.srs import is_srs
from net.threads import Offload
from storage import directory_rows as rows
from storage.acl import AclTable
from storage.audit import AuditLog
from storage.blocks import Blocks
from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, note
from storage.contacts import Contacts
from storage.credentials import Credentials
from storage.delegations import Delegations, Sending
from storage.directory_aliases import AliasDirectory
from storage.directory_cache import DirectoryCache
from storage.directory_names import address_key, own_address
from storage.directory_values import (
    Absent,
    Account,
    AccountChange,
    ChangeKind,
    NotAllowed,
    Resolution,
    Status,
    Submission,
    refuse_sourced,
)
from storage.domain_limits import DomainLimits, refuse_beyond
from storage.finished import finished
from storage.group_addresses import GroupAddresses
from storage.hold_rules import HoldRules
from storage.identities import Identities, touch_names
from storage.known_logins import KnownLogins
from storage.outside import Outside
from storage.passkeys import Passkeys
from storage.preferences import Preferences
from storage.profiles import Profiles
from storage.resolver import Resolver
from storage.rewritten import Rewritten
from storage.scripts import Scripts
from storage.second_factors import SecondFactors
from storage.seen import Seen
from storage.sent_counts import SentCounts
from storage.server_secrets import ServerSecrets
from storage.sites import sites_of
from storage.sms_factors import SmsFactors
from storage.source_counts import SourceCounts
from storage.spent import Spent
from storage.suppressions import Suppressions
from storage.vacations import Vacations
from storage.values import AccountId
from storage.webhooks import Webhooks

_QUOTAS = frozenset(("quota_bytes", "quota_messages"))
Listener = Callable[[AccountChange], None]


class Directory(AliasDirectory):
    """Open one a process with `open`; close it before the loop ends."""

    def __init__(
        self, database: ConfigDatabase, settings: Settings, commanded: set[str], clock: Clock
    ) -> None:
        self.database = database
        self._settings, self._commanded, self._clock = settings, commanded, clock
        self._cache = DirectoryCache(database)
        self.acl = AclTable(database)
        self.scripts = Scripts(database, clock)
        self.contacts = Contacts(database, clock)
        self.preferences = Preferences(database)
        self.identities = Identities(database)
        self.profiles = Profiles(database, clock)
        self.vacations = Vacations(database, clock)
        self.credentials = Credentials(database, clock, self._tell)
        self.second_factors = factors = SecondFactors(database, clock, self._tell)
        self.passkeys = Passkeys(database, clock, self._tell, factors.forget)
        self.sms_factors = SmsFactors(database, clock, self._tell, factors.forget)
        self.spent = Spent(database, clock)
        self.seen = Seen(database, clock)
        self.sent_counts = SentCounts(database, clock)
        self.secrets = ServerSecrets(database)
        self.rewritten = Rewritten(database, clock, self.secrets)
        self.blocks = Blocks(database, clock, settings.blocklist.networks)
        self.source_counts = SourceCounts(database, clock)
        self.hold_rules = HoldRules(database, clock)
        self.suppressions = Suppressions(database, clock)
        self.webhooks = Webhooks(database, clock)
        self.audit = AuditLog(database, clock, settings.auth.audit_keep)
        self.known_logins = KnownLogins(database, clock)
        self._resolver = Resolver(self._cache, sites_of(settings, commanded))
        self.group_addresses = GroupAddresses(self.contacts, self._resolver)
        self.delegations = Delegations(database, clock, self._resolver, self._names_changed)
        self.domain_limits = DomainLimits(database)
        self._listeners: dict[object, Listener] = {}
        self.on_names: Callable[[], None] = lambda: None
        self.outside: Outside | None = None

    @classmethod
    async def open(cls, settings: Settings, clock: Clock, offload: Offload) -> Self:
        """Opens and migrates config.db. Raises storage.small_database.DatabaseUnusable."""
        url = settings.store.database.get_secret_value()
        database = await ConfigDatabase.open(url, settings.data_dir, offload)
        try:
            async with database.reading() as connection:
                commanded = await rows.all_domains(connection)
        except BaseException:
            await database.close()
            raise
        directory = cls(database, settings, commanded, clock)
        try:
            await directory.blocks.load()
            await directory.hold_rules.load()
            await directory.suppressions.load()
            await directory.source_counts.load()
            await directory.known_logins.load()
        except BaseException:
            await database.close()
            raise
        return directory

    async def close(self) -> None:
        await self.credentials.close()
        await self.seen.close()
        await self.contacts.correspondents.close()
        await self.sent_counts.close()
        await self.source_counts.close()
        await self.known_logins.close()
        await self.audit.close()
        await self.database.close()

    def reload(self, settings: Settings) -> None:
        """Takes hostname, domains, addresses and blocked networks of a changed configuration."""
        self._settings = settings
        self._resolver.sites = sites_of(settings, self._commanded)
        self.blocks.reload(settings.blocklist.networks)
        self.audit.keep = settings.auth.audit_keep

    def ask_outside(self, outside: Outside | None) -> None:
        """Asks these sources of accounts about addresses that are not here."""
        self.outside = self._resolver.outside = outside

    def on_change(self, callback: Listener) -> Callable[[], None]:
        """Calls back in the loop after each change of an account; returns the unsubscriber.

        Sessions close when `change.ends` says so.
        """
        token = object()
        self._listeners[token] = callback

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    async def resolve(self, address: Mailbox | str) -> Resolution:
        """Where mail for `address` goes; see Status."""
        found = await self._resolver.resolve(address)
        if found.status is not Status.NOT_OURS and is_srs(str(address)):
            return await self._returning(address)
        reports = self._settings.reports.address
        if not reports or str(address).casefold() != reports.casefold():
            return found
        unknown = found.status is Status.UNKNOWN
        return replace(found, status=Status.DELIVERABLE if unknown else found.status, reports=True)

    async def _returning(self, address: Mailbox | str) -> Resolution:
        """A report about mail that was forwarded goes to its sender, who may be here by now."""
        try:
            box = address if isinstance(address, Mailbox) else parse_mailbox(address)
        except AddressError:
            return Resolution(Status.UNKNOWN)
        sender = await self.rewritten.back(box)
        if sender is None:
            return Resolution(Status.UNKNOWN)
        found = await self._resolver.resolve(sender)
        if found.status is Status.NOT_OURS:
            found = Resolution(Status.DELIVERABLE, remote=(sender,))
        return replace(found, returns=True)

    async def is_own(self, account: AccountId, address: Mailbox | str) -> bool:
        """Whether the address leads to the enabled account without a catch-all, groups included."""
        found = await self._resolver.resolve(address, catch_all=False)
        return any(target.account == account for target in found.local)

    async def may_send_as(self, account: AccountId, address: Mailbox | str) -> bool:
        """Whether the account may use the address as one of its own; see Delegations.right."""
        return (await self.delegations.right(account, address)).sending is Sending.AS

    async def sending_addresses(self, account: Account) -> list[str]:
        """What the account may send as, its own address first: aliases and groups that lead to it,
        and the addresses of owners that let it.
        """
        names = await self.database.finish(self._leading_to(account))
        for one in await self.delegations.of_delegate(account.id):
            owner = await self.account_by_id(one.owner)
            if owner is not None:
                names.append(owner.address)
        found = {address_key(account.address): account.address}
        for name in names:
            if (await self.delegations.right(account.id, name)).sending is not Sending.NO:
                found.setdefault(address_key(name), name)
        return list(found.values())

    async def _leading_to(self, account: Account) -> list[str]:
        async with self.database.reading() as connection:
            return await rows.aliases_leading_to(connection, account.key)

    async def account(self, address: Mailbox | str, *, login: bool = False) -> Account | None:
        """The account of exactly this address, disabled ones too; no alias, no sub-address. With
        `login` that of who logs in with it, which sources outside may see otherwise.
        """
        try:
            box = address if isinstance(address, Mailbox) else parse_mailbox(address)
        except AddressError:
            return None
        entry = (await self._cache.entries((box.key(),)))[box.key()]
        if entry or self.outside is None or not self.serves(box.domain):
            return entry.account
        return await self.outside.find(box, login=login)

    async def own(self, box: Mailbox) -> Account | None:
        """As `account`, without asking outside."""
        return (await self._cache.entries((box.key(),)))[box.key()].account

    async def account_by_id(self, account: AccountId) -> Account | None:
        return await self._cache.by_id(account)

    @finished
    async def accounts(self) -> list[Account]:
        """All accounts in order of address, from SQL."""
        async with self.database.reading() as connection:
            return await rows.all_accounts(connection)

    @finished
    async def add_account(
        self,
        address: str,
        password_hash: str,
        *,
        scram: str = "",
        name: str = "",
        admin: bool = False,
        quota_bytes: int = 0,
        quota_messages: int = 0,
        source: str = "",
        bounded: bool = False,
    ) -> Account:
        """`bounded`: within storage/domain_limits.py. Raises AlreadyExists, NotAllowed (bad
        address, domain not served, beyond a bound).
        """
        box = own_address(address, self.serves)
        if "+" in box.local:
            raise NotAllowed(f"{address}: the part after + is a sub-address; leave it out")
        values = {
            "address": str(box),
            "name": name,
            "password_hash": password_hash,
            "scram": scram,
            "admin": admin,
            "quota_bytes": quota_bytes,
            "quota_messages": quota_messages,
            "source": source,
            "created": self._clock.now(),
        }
        async with self.database.writing() as connection:
            await rows.refuse_taken(connection, box.key(), str(box))
            account = await rows.insert_account(connection, box.key(), box.domain, values)
            if bounded:
                await refuse_beyond(connection, box.domain, box.key())
        self._publish(account, ChangeKind.CREATED)
        return account

    async def set_password(self, address: str, password_hash: str, scram: str = "") -> Account:
        """`scram` holds keys of the same password (auth/sasl/keys.py). Tokens and sessions of the
        account end, app passwords stay. Raises Absent, NotAllowed (it has a source).
        """
        account = await self.account(address)
        if account is not None:
            refuse_sourced(account)
        values: dict[str, str | int | bool] = {"password_hash": password_hash, "scram": scram}
        return await self._update(address, ChangeKind.PASSWORD, values)

    @finished
    async def improve_password(self, account: Account, password_hash: str, scram: str) -> bool:
        """Another hash and other keys of the password that the account has; False when it has
        another by now. Sessions stay.
        """
        values = {"password_hash": password_hash, "scram": scram}
        async with self.database.writing() as connection:
            changed = await rows.improve_password(connection, account, values)
        if changed is not None:
            self._publish(changed, ChangeKind.EDITED)
        return changed is not None

    @finished
    async def set_name(self, account: Account, name: str) -> Account:
        """The name that is shown, which identities without one of their own have. Raises Absent."""
        async with self.database.writing() as connection:
            changed = await rows.update_account(connection, account.key, {"name": name})
            if changed is None:
                raise Absent(f"There is no account {account.address}")
            if told := await touch_names(connection, account.id):
                await note(connection, account.id, told)
        self._publish(changed, ChangeKind.EDITED)
        return changed

    async def set_enabled(self, address: str, enabled: bool) -> Account:
        """Raises Absent."""
        kind = ChangeKind.ENABLED if enabled else ChangeKind.DISABLED
        return await self._update(address, kind, {"enabled": enabled})

    async def set_sourced(self, account: Account, values: dict[str, str | int | bool]) -> Account:
        """What its source says: name, admin, quota_bytes, absent. Raises Absent."""
        absent = bool(values.get("absent", account.absent))
        kind = ChangeKind.DISABLED if absent else ChangeKind.ENABLED
        if absent == account.absent:
            same = values.get("admin", account.admin) == account.admin
            kind = ChangeKind.EDITED if same else ChangeKind.ROLE
        return await self._update(account.address, kind, values)

    async def set_quota(
        self, address: str, quota_bytes: int, quota_messages: int, *, bounded: bool = False
    ) -> Account:
        """As add_account has `bounded`. Raises Absent, NotAllowed. The store keeps its own copy:
        tell it by set_limits.
        """
        values = {"quota_bytes": quota_bytes, "quota_messages": quota_messages}
        return await self._update(address, ChangeKind.EDITED, values, bounded=bounded)

    async def set_role(self, address: str, *, admin: bool, administers: Sequence[str]) -> Account:
        """Open sessions of the account end. Raises Absent."""
        values = {"admin": admin, "administers": " ".join(administers)}
        return await self._update(address, ChangeKind.ROLE, values)

    async def set_imap(
        self,
        address: str,
        *,
        mask: Sequence[str] | None = None,
        gmail_labels: bool | None = None,
    ) -> Account:
        """What the account has of IMAP; None leaves a value as it is. Raises Absent."""
        values: dict[str, str | int | bool] = {}
        if mask is not None:
            values["imap_mask"] = " ".join(mask)
        if gmail_labels is not None:
            values["gmail_labels"] = gmail_labels
        return await self._update(address, ChangeKind.EDITED, values)

    async def set_submission(self, address: str, submission: Submission) -> Account:
        """What the account has of submission. Raises Absent."""
        values: dict[str, str | int | bool] = {"submission": submission.pack()}
        return await self._update(address, ChangeKind.EDITED, values)

    @finished
    async def delete_account(self, address: str) -> Account:
        """Removes the row; aliases that name it stay. Raises Absent."""
        key = address_key(address)
        async with self.database.writing() as connection:
            account = (await rows.accounts_by_key(connection, (key,))).get(key)
            if account is None:
                raise Absent(f"There is no account {address}")
            await rows.remove_account(connection, account.id)
        self._publish(account, ChangeKind.DELETED)
        return account

    @finished
    async def _update(
        self, address: str, kind: ChangeKind, values: Mapping[str, Any], *, bounded: bool = False
    ) -> Account:
        key = address_key(address)
        async with self.database.writing() as connection:
            old = (await rows.accounts_by_key(connection, (key,))).get(key) if bounded else None
            account = await rows.update_account(connection, key, {**values})
            if account is not None and old is not None:
                await refuse_beyond(connection, account.domain, account.key, old.quota_bytes)
            if account is not None and not _QUOTAS.isdisjoint(values):
                await note(connection, account.id, [Change(Kind.QUOTA, How.UPDATED, "")])
            if account is not None and kind is ChangeKind.PASSWORD:
                await self.credentials.end_by_password(connection, account.id)
        if account is None:
            raise Absent(f"There is no account {address}")
        self._publish(account, kind)
        return account

    def _names_changed(self) -> None:
        self._cache.clear()
        self.on_names()

    def heard(self, change: AccountChange) -> None:
        """Another process committed a change."""
        self.credentials.heard(change)
        self._forget(change)
        self._tell(replace(change, elsewhere=True))

    async def refresh(self) -> None:
        """Forgets and reads again what others may have changed unheard. Raises StoreError."""
        async with self.database.reading() as connection:
            self._set_commanded(await rows.all_domains(connection))
        self._cache.clear()
        self.acl.clear()
        self.credentials.forget()
        self.second_factors.forget()
        self.delegations.forget()
        await self.blocks.refresh()

    def _publish(self, account: Account, kind: ChangeKind) -> None:
        change = AccountChange(account.id, kind, account.address)
        self._forget(change)
        self._tell(change)

    def _forget(self, change: AccountChange) -> None:
        self._cache.clear()
        if change.kind is ChangeKind.DELETED:
            self.acl.clear()
            self.scripts.forget(change.account)
            self.vacations.forget(change.account)
            self.contacts.forget(change.account)
            self.known_logins.forget(change.account)
            self.delegations.forget()
        # EDITED: one may have been taken off
        if change.kind in (ChangeKind.DELETED, ChangeKind.SECOND_FACTOR, ChangeKind.EDITED):
            self.second_factors.forget()
        self.credentials.forget(change.account)

    def _tell(self, change: AccountChange) -> None:
        for listener in tuple(self._listeners.values()):
            listener(change)
