"""Who is this: a user name and a password in, a Login or a Refused out.

Hashing waits in one thread with a bounded queue; verified logins are remembered for ten minutes.
Invariants: a name that nobody has costs the same hash as one that somebody has; the answer to a
disabled account or an unknown name is that of a wrong password; no password is kept.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from auth.audit import Audit
from auth.grant import FULL, Grant
from auth.password import dummy_hash, hash_password, verify_password
from auth.throttle import Throttle
from auth.verified import Proof, VerifiedLogins
from config.clock import Clock
from config.logging import get_logger
from config.settings import Settings
from message.address import AddressError, Mailbox, parse_mailbox
from net.threads import Busy, Offload, Pool
from storage.audit_values import Kind
from storage.credential_values import Protocol
from storage.directory import Directory
from storage.directory_values import Account, AccountChange
from storage.values import AccountId

# At twelve rounds a hash takes a quarter of a second: whoever waits behind more has given up.
QUEUE = 128


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
        *,
        queue: int = QUEUE,
    ) -> None:
        self._directory, self._offload, self._queue = directory, offload, queue
        self._log = get_logger("auth")
        self._verified = VerifiedLogins(clock)
        self._throttle = Throttle(clock)
        self.audit = Audit(directory, clock)
        self._running: dict[Proof, asyncio.Task[bool]] = {}
        self._unsubscribe = directory.on_change(self._forget)
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Takes auth.bcrypt_rounds and filters.local_networks of a changed configuration."""
        self._rounds = settings.auth.bcrypt_rounds
        self._throttle.unlimited = settings.filters.local_networks

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
        account = None if mailbox is None else await self._directory.account(mailbox)
        outcome = await self._outcome(name, account, password, peer)
        if isinstance(outcome, Refused):
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

    async def close(self) -> None:
        """Waits for hashes under way."""
        self._unsubscribe()
        self.audit.close()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _mailbox(self, user: str) -> Mailbox | None:
        """The address of the account meant; None for a text that can be none."""
        domain = None if "@" in user else self._directory.sole_domain()
        try:
            return parse_mailbox(f"{user}@{domain}" if domain else user)
        except AddressError:
            return None

    async def _outcome(
        self, name: str, account: Account | None, password: str, peer: str
    ) -> Login | Refused:
        usable = account is not None and account.enabled and account.password_hash != ""
        stored = account.password_hash if account and usable else dummy_hash(self._rounds)
        proof = self._verified.proof(name, password, stored)
        if account and usable and proof in self._verified:
            return _login(account)
        task = self._running.get(proof)
        if task is None:
            if len(self._running) >= self._queue:
                return Refused(Cause.BUSY)
            if not self._throttle.admit(peer, name):
                return Refused(Cause.THROTTLED)
            task = self._start(proof, password, stored, lambda: self._throttle.forgive(peer, name))
        try:
            right = await asyncio.shield(task)
        except Busy:
            return Refused(Cause.BUSY)
        if not right or account is None or not await self._unchanged(account):
            return Refused(Cause.CREDENTIALS)
        self._verified.add(proof, account.id)
        return _login(account)

    def _start(
        self, proof: Proof, password: str, stored: str, forgive: Callable[[], None]
    ) -> asyncio.Task[bool]:
        """One hash for equal attempts that wait at the same time, in a task of its own: a client
        that hangs up takes nothing from the others.
        """

        def ended(task: asyncio.Task[bool]) -> None:
            del self._running[proof]
            # Asking for the exception also marks it as seen when everybody who waited has gone.
            if task.cancelled() or task.exception() is not None or task.result():
                forgive()

        call = self._offload.run(Pool.HASH, verify_password, password, stored)
        task = self._running[proof] = asyncio.create_task(call)
        task.add_done_callback(ended)
        return task

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
            self._verified.forget(change.account)


def _login(account: Account) -> Login:
    return Login(account.id, account.address, account.admin)
