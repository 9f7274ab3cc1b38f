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
from auth.roles import Right, Scope, actor_of, may, scope
from message.address import AddressError, Mailbox, parse_mailbox
from storage.audit_values import Kind
from storage.credential_values import Protocol
from storage.directory import Directory
from storage.directory_values import AccountChange

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
            if self._means(wanted, own):
                return own
            made = await self._as(own, wanted, caller)
            if isinstance(made, Login) and any(made.ended_by(one) for one in changes):
                made = Refused(Cause.CREDENTIALS)
        finally:
            unsubscribe()
        self._record(own, made, caller)
        return made

    async def _as(self, own: Login, wanted: str, caller: Caller) -> Login | Refused:
        """Who may act for nobody learns nothing of `wanted`, by the time neither."""
        account = await self._directory.account_by_id(own.account)
        actor = None if account is None else actor_of(account)
        refused, box = Refused(Cause.ACTING), self._mailbox(wanted)
        if not self.allowed or caller.protocol not in PROTOCOLS or box is None:
            return refused
        if actor is None or scope(actor, Right.LOG_IN_AS) is Scope.NOBODY:
            return refused
        user = await self._directory.account(box)
        if user is None or not user.enabled or not may(actor, Right.LOG_IN_AS, user):
            return refused
        return Login(user.id, user.address, admin=False, grant=own.grant, by=own.account)

    def _means(self, wanted: str, own: Login) -> bool:
        box = self._mailbox(wanted)
        return box is not None and box.key() == parse_mailbox(own.address).key()

    def _mailbox(self, wanted: str) -> Mailbox | None:
        domain = None if "@" in wanted else self._directory.sole_domain()
        try:
            return parse_mailbox(f"{wanted}@{domain}" if domain else wanted)
        except AddressError:
            return None

    def _record(self, own: Login, made: Login | Refused, caller: Caller) -> None:
        """In the log of the user, where it came to a login; else in that of who tried."""
        done = isinstance(made, Login)
        whose = made if isinstance(made, Login) else own
        self._audit.record(
            Kind.LOGIN if done else Kind.FAILED,
            whose.account,
            whose.address,
            address=caller.peer,
            protocol=caller.protocol.value,
            client=caller.client,
            detail=f"by {own.address}" if done else Cause.ACTING.value,
        )
