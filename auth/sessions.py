"""Sessions of the web and of programs: opened by a password, refreshed, ended.

Invariants: only the account's own password opens one, since an app password or a token would become
more than it is; a session never outlives a new password, not even one set while it is opened.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from auth.caller import Caller
from auth.generated import token_digest
from auth.issuing import OPENED, Tokens
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.service import Fault, Problem, SessionTokens, Visitor
from config.clock import Clock
from storage.audit_values import Kind
from storage.credential_values import Credential, CredentialKind
from storage.directory import Directory
from storage.directory_values import Absent, Account, AccountChange, NotAllowed

FRESH: Final = 600.0
"""Seconds after the login in which a session may change what logs in."""
NAMELESS: Final = "web"
_FAULTS: Final = {
    Cause.THROTTLED: Fault.TOO_MANY,
    Cause.BUSY: Fault.BUSY,
    Cause.CODE: Fault.SECOND_FACTOR,
    Cause.WRONG_CODE: Fault.SECOND_FACTOR,
}
T = TypeVar("T")
_WAITS: Final = {Cause.THROTTLED: 60.0, Cause.BUSY: 10.0}


class Sessions:
    """Everything raises Problem and StoreError."""

    def __init__(self, auth: Authenticator, directory: Directory, clock: Clock) -> None:
        self._auth, self._directory, self._clock = auth, directory, clock

    async def open(self, user: str, password: str, code: str, caller: Caller) -> SessionTokens:
        """The tokens of a new session."""
        return await self.opened(await self._proved(user, password, code, caller), caller)

    async def enter(self, user: str, password: str, code: str, caller: Caller) -> str:
        """The cookie of a new session in a browser, which is good for these pages alone."""
        return await self.entered(await self._proved(user, password, code, caller), caller)

    async def visitor(self, cookie: str) -> Visitor | None:
        """Whose browser has this cookie, None for nobody's any more."""
        digest = token_digest(cookie)
        found = None if digest is None else await self._directory.credentials.find(digest)
        if found is None or found.kind is not CredentialKind.BROWSER:
            return None
        account = await self._directory.account_by_id(found.account)
        if account is None or not account.enabled or found.is_over(self._clock.now()):
            return None
        return Visitor(account.id, account.address, found.id, found.created)

    async def leave(self, visitor: Visitor) -> None:
        """Ends the session of a browser."""
        account = await self._directory.account_by_id(visitor.account)
        if account is not None:
            with suppress(Absent):
                await self._auth.issuer.revoke(account, visitor.session)

    async def refresh(self, token: str, caller: Caller) -> SessionTokens:
        """Other tokens; a refresh token that comes again ends its session."""
        tokens = await self._auth.issuer.refresh(token)
        if tokens is None:
            self._auth.audit.record(
                Kind.FAILED,
                None,
                address=caller.peer,
                protocol=caller.protocol.value,
                client=caller.client,
                detail="refresh token",
            )
            raise Problem(Fault.TOKEN)
        self._directory.credentials.used(tokens.credential, caller.peer, caller.protocol.value)
        return _shown(tokens)

    async def end(self, token: str) -> None:
        """Ends the session of an access token, and the connections that it opened."""
        digest = token_digest(token)
        found = None if digest is None else await self._directory.credentials.find(digest)
        if found is None or found.kind is not CredentialKind.SESSION:
            raise Problem(Fault.TOKEN)
        account = await self._directory.account_by_id(found.account)
        if account is None:
            raise Problem(Fault.TOKEN)
        try:
            await self._auth.issuer.revoke(account, found.id)
        except Absent:
            raise Problem(Fault.TOKEN) from None

    async def of(
        self, token: str, caller: Caller, *, fresh: bool = False
    ) -> tuple[Account, Credential]:
        """Whose session an access token is of, and the session; with `fresh` one that was opened
        moments ago, by password or passkey, and not by a refresh token.
        """
        digest = token_digest(token)
        found = None if digest is None else await self._directory.credentials.find(digest)
        if found is None or found.kind is not CredentialKind.SESSION:
            raise Problem(Fault.TOKEN)
        account = await self._directory.account_by_id(found.account)
        if account is None or isinstance(
            self._auth.admit(account, found, peer=caller.peer, protocol=caller.protocol), Refused
        ):
            raise Problem(Fault.TOKEN)
        if fresh and self._clock.now() - found.created > FRESH:
            raise Problem(Fault.STALE)
        return account, found

    async def opened(self, login: Login | Refused, caller: Caller) -> SessionTokens:
        """The tokens of a new session for who has just logged in. Await nothing between the two."""

        async def begin(account: Account) -> SessionTokens:
            made = await self._auth.issuer.open_session(account, caller.client or NAMELESS)
            return _shown(made)

        return await self._begun(login, begin)

    async def entered(self, login: Login | Refused, caller: Caller) -> str:
        """The cookie of a new session in a browser, likewise; good for pages alone."""

        async def begin(account: Account) -> str:
            return await self._auth.issuer.open_browser(account, caller.client or NAMELESS)

        return await self._begun(login, begin)

    async def _proved(self, user: str, password: str, code: str, caller: Caller) -> Login | Refused:
        outcome = await self._auth.login(
            user,
            password,
            peer=caller.peer,
            protocol=caller.protocol,
            client=caller.client,
            code=code.replace(" ", ""),
        )
        if isinstance(outcome, Login) and outcome.grant.credential is not None:
            raise Problem(Fault.CREDENTIALS, "Log in with the password of the account")
        return outcome

    async def _begun(self, login: Login | Refused, begin: Callable[[Account], Awaitable[T]]) -> T:
        if isinstance(login, Refused):
            raise _problem(login)
        revoked: list[AccountChange] = []

        def heard(change: AccountChange) -> None:
            if login.ended_by(change):
                revoked.append(change)

        unsubscribe = self._auth.on_revoke(heard)
        try:
            try:
                begun = await begin(await self._account(login, revoked))
            except NotAllowed:  # another hash: a better one of the same password, or of another
                begun = await begin(await self._account(login, revoked))
            if revoked:
                await self._directory.credentials.end(login.account, *OPENED)
                raise Problem(Fault.CREDENTIALS)
        except NotAllowed:
            raise Problem(Fault.CREDENTIALS) from None
        finally:
            unsubscribe()
        return begun

    async def _account(self, login: Login, revoked: list[AccountChange]) -> Account:
        account = await self._directory.account_by_id(login.account)
        if account is None or revoked:
            raise Problem(Fault.CREDENTIALS)
        return account


def _problem(refused: Refused) -> Problem:
    fault = _FAULTS.get(refused.cause, Fault.CREDENTIALS)
    wait = _WAITS.get(refused.cause, 0.0)
    return Problem(fault, refused.text, wait=wait, factors=refused.factors, ticket=refused.ticket)


def _shown(tokens: Tokens) -> SessionTokens:
    return SessionTokens(tokens.access, tokens.refresh, tokens.seconds)
