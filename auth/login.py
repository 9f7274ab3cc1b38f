"""Who is this: a user name and a password in, a Login or a Refused out.

Delay, queue and hash are in auth/checking.py. Invariants: a name that nobody has costs the same
hash as one that somebody has; the answer to a disabled account or an unknown name is that of a
wrong password; no password is kept.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from auth.arrivals import Arrival, Arrivals
from auth.audit import Audit
from auth.blocking import Blocker
from auth.checking import Checked, PasswordChecks
from auth.grant import FULL, Grant
from auth.networks import in_networks
from auth.password import dummy_hash, hash_password
from auth.throttle import Throttle
from config.clock import Clock
from config.logging import get_logger
from config.settings import Settings
from message.address import AddressError, Mailbox, parse_mailbox
from net.limits import Gcra, address_key
from net.threads import Offload, Pool
from storage.audit_values import Kind
from storage.credential_values import Protocol
from storage.directory import Directory
from storage.directory_values import Account, AccountChange
from storage.values import AccountId

LOOKUPS: Final = 2
"""Names of strangers looked up at once; the database serves four."""
LOGGED: Final = 30
"""Refused logins a minute and address that the log has a line for; the audit log counts all."""


@dataclass(frozen=True, slots=True)
class Login:
    """A verified account. `address` is the account's own, whatever was typed; `grant` what the
    login is good for.
    """

    account: AccountId
    address: str
    admin: bool
    grant: Grant = FULL

    def ended_by(self, change: AccountChange) -> bool:
        """Whether the change ends sessions of this login."""
        return change.ends(self.account, self.grant.credential)


class Cause(Enum):
    """Why a login was refused; for logs and metrics."""

    CREDENTIALS = "wrong user name or password"
    THROTTLED = "too many failures"
    BUSY = "too many logins waiting"


@dataclass(frozen=True, slots=True)
class Refused:
    """`temporary`: SMTP 454 4.7.0, IMAP NO [UNAVAILABLE]; else SMTP 535 5.7.8, IMAP NO
    [AUTHENTICATIONFAILED]. `text` is safe to send.
    """

    cause: Cause

    @property
    def temporary(self) -> bool:
        return self.cause is not Cause.CREDENTIALS

    @property
    def text(self) -> str:
        return _TEXTS[self.cause]


_CAUSES = {
    Checked.WRONG: Cause.CREDENTIALS,
    Checked.THROTTLED: Cause.THROTTLED,
    Checked.BUSY: Cause.BUSY,
}
_TEXTS = {
    Cause.CREDENTIALS: "Authentication failed",
    Cause.THROTTLED: "Too many failed logins, try again later",
    Cause.BUSY: "Server busy, try again later",
}


class Authenticator:
    """The one door for passwords of every protocol. Close it before its directory."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._directory, self._offload = directory, offload
        self._log, self._logged = get_logger("auth"), Gcra(LOGGED, clock)
        self._lookups = asyncio.Semaphore(LOOKUPS)
        known = directory.known_logins
        self.audit = Audit(directory, clock)
        self.arrivals = Arrivals(known)
        self.throttle = Throttle(clock, known)
        self._checks = PasswordChecks(offload, self.throttle, clock)
        self._blocker = Blocker(directory.blocks, known, self.audit, clock)
        self.throttle.on_failure = self._blocker.failed
        self._unsubscribe = directory.on_change(self._forget)
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Takes [auth] and filters.local_networks of a changed configuration."""
        self._rounds = settings.auth.bcrypt_rounds
        self.throttle.unlimited = settings.filters.local_networks
        self._blocker.reload(settings)

    def on_revoke(self, callback: Callable[[AccountChange], None]) -> Callable[[], None]:
        """Calls back in the loop when sessions must close, those that Login.ended_by says: new
        password, disabled, deleted, a credential revoked. Returns the unsubscriber.
        """
        return self._directory.on_change(
            lambda change: callback(change) if change.revokes else None
        )

    async def login(
        self,
        user: str,
        password: str,
        *,
        peer: str,
        protocol: Protocol,
        connection: str = "",
        client: str = "",
    ) -> Login | Refused:
        """Verifies a password. `user` is the full address, or its local part where exactly one
        domain is served; `peer` the IP address; `protocol`, `connection` (its id) and `client` (as
        it calls itself) are for the logs. Raises StoreUnavailable.
        """
        mailbox = self._mailbox(user)
        name = user.casefold() if mailbox is None else mailbox.key()
        account = None if mailbox is None else await self._account(mailbox, peer)
        outcome = await self._outcome(name, account, password, peer)
        if isinstance(outcome, Login):
            arrival = Arrival(outcome.account, outcome.address, peer, protocol.value, client)
            self.arrivals.note(arrival, local=in_networks(peer, self.throttle.unlimited))
        elif self._logged.take(address_key(peer)):
            known = account.address if account else "(unknown)"
            self._log.info(
                "login refused",
                connection=connection,
                account=known,
                peer=peer,
                protocol=protocol.value,
                cause=outcome.cause.value,
            )
        self.audit.record(
            Kind.FAILED if isinstance(outcome, Refused) else Kind.LOGIN,
            account.id if account else None,
            account.address if account else "",
            address=peer,
            protocol=protocol.value,
            client=client,
            detail=outcome.cause.value if isinstance(outcome, Refused) else "",
        )
        return outcome

    async def hash_password(self, password: str) -> str:
        """The hash to store. Raises auth.password.PasswordError, net.threads.Busy."""
        return await self._offload.run(Pool.HASH, hash_password, password, self._rounds)

    async def take_over(self, folder: Path) -> None:
        """Takes what the server before this one left there."""
        try:
            await self._offload.disk(self._checks.handover.take, folder)
        except OSError as error:
            self._log.warning("logins of before are not known", reason=str(error))

    async def hand_over(self, folder: Path) -> None:
        """Leaves what the next server needs to let the same clients in quickly."""
        try:
            await self._offload.disk(self._checks.handover.leave, folder)
        except OSError as error:
            self._log.warning("logins could not be handed over", reason=str(error))

    async def settle(self) -> None:
        """Returns when the blocks that failures led to are in force."""
        await self._blocker.settle()

    async def close(self) -> None:
        """Waits for hashes under way."""
        self._unsubscribe()
        self.audit.close()
        await self._checks.close()
        await self._blocker.settle()

    def _mailbox(self, user: str) -> Mailbox | None:
        """The address of the account meant; None for a text that can be none."""
        domain = None if "@" in user else self._directory.sole_domain()
        try:
            return parse_mailbox(f"{user}@{domain}" if domain else user)
        except AddressError:
            return None

    async def _account(self, mailbox: Mailbox, peer: str) -> Account | None:
        """Strangers wait for one another, so that a flood leaves the database to others."""
        if self._directory.known_logins.is_used(peer):
            return await self._directory.account(mailbox)
        async with self._lookups:
            return await self._directory.account(mailbox)

    async def _outcome(
        self, name: str, account: Account | None, password: str, peer: str
    ) -> Login | Refused:
        usable = account if account and account.enabled and account.password_hash else None
        stored = usable.password_hash if usable else dummy_hash(self._rounds)
        owner = usable.id if usable else None
        checked = await self._checks.check(name, owner, password, stored, peer)
        if checked is not Checked.RIGHT:
            return Refused(_CAUSES[checked])
        if usable is None or not await self._unchanged(usable):
            return Refused(Cause.CREDENTIALS)
        return _login(usable)

    async def _unchanged(self, account: Account) -> bool:
        """Whether the account is still what it was before the hash: seconds may have passed."""
        current = await self._directory.account(account.address)
        return (
            current is not None
            and current.enabled
            and current.id == account.id
            and current.password_hash == account.password_hash
        )

    def _forget(self, change: AccountChange) -> None:
        if change.revokes and change.credential is None:
            self._checks.forget(change.account)


def _login(account: Account) -> Login:
    return Login(account.id, account.address, account.admin)
