"""An administrator's login as a user: PLAIN with an authorization identity (RFC 4616 §2).

Off unless `auth.act_as_users`. Invariants: it is for reading and moving mail, so SMTP knows it not;
who administers anything is not acted for; the audit log of the user says who it was; it ends with
what ends the administrator's own login, and the user's.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from auth.audit import Audit
from auth.caller import Caller
from auth.login_values import Cause, Login, Refused
from auth.roles import Right, actor_of, may
from message.address import AddressError, parse_mailbox
from storage.audit_values import Kind
from storage.credential_values import Protocol
from storage.directory import Directory
from storage.directory_values import Account, AccountChange

PROTOCOLS: Final = (Protocol.IMAP, Protocol.SIEVE)


class Acting:
    """One for all protocols."""

    def __init__(self, directory: Directory, audit: Audit) -> None:
        self._directory, self._audit = directory, audit
        self.allowed = False

    async def login(
        self, wanted: str, caller: Caller, verify: Callable[[], Awaitable[Login | Refused]]
    ) -> Login | Refused:
        """The login as `wanted` of who `verify` says it is. Raises StoreError."""
        changes: list[AccountChange] = []
        unsubscribe = self._directory.on_change(changes.append)
        try:
            own = await verify()
            if isinstance(own, Refused):
                return own
            user = await self._user(wanted)
            if user is not None and user.id == own.account:
                return own
            made = await self._as(own, user, caller)
            if isinstance(made, Login) and any(made.ended_by(one) for one in changes):
                made = Refused(Cause.CREDENTIALS)
        finally:
            unsubscribe()
        self._record(own, user, made, caller)
        return made

    async def _as(self, own: Login, user: Account | None, caller: Caller) -> Login | Refused:
        account = await self._directory.account_by_id(own.account)
        actor = None if account is None else actor_of(account)
        refused = Refused(Cause.ACTING)
        if not self.allowed or caller.protocol not in PROTOCOLS or actor is None:
            return refused
        if user is None or not user.enabled or not may(actor, Right.LOG_IN_AS, user):
            return refused
        return Login(user.id, user.address, admin=False, grant=own.grant, by=own.account)

    async def _user(self, wanted: str) -> Account | None:
        domain = None if "@" in wanted else self._directory.sole_domain()
        try:
            box = parse_mailbox(f"{wanted}@{domain}" if domain else wanted)
        except AddressError:
            return None
        return await self._directory.account(box)

    def _record(
        self, own: Login, user: Account | None, made: Login | Refused, caller: Caller
    ) -> None:
        """In the log of the user, where it came to a login; else in that of who tried."""
        done = isinstance(made, Login) and user is not None
        number, name = (user.id, user.address) if done and user else (own.account, own.address)
        self._audit.record(
            Kind.LOGIN if done else Kind.FAILED,
            number,
            name,
            address=caller.peer,
            protocol=caller.protocol.value,
            client=caller.client,
            detail=f"by {own.address}" if done else Cause.ACTING.value,
        )
