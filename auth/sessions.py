"""Sessions of the web and of programs: opened by a password, refreshed, ended.

Invariants: only the account's own password opens one, since an app password or a token would become
more than it is; a session never outlives a new password, not even one set while it is opened.
"""

from typing import Final

from auth.caller import Caller
from auth.generated import token_digest
from auth.issuing import Tokens
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.service import Fault, Problem, SessionTokens
from storage.audit_values import Kind
from storage.credential_values import CredentialKind
from storage.directory import Directory
from storage.directory_values import Absent, AccountChange

FACTORS: Final = ("totp", "recovery_code")
NAMELESS: Final = "web"
_FAULTS: Final = {
    Cause.THROTTLED: Fault.TOO_MANY,
    Cause.BUSY: Fault.BUSY,
    Cause.CODE: Fault.SECOND_FACTOR,
    Cause.WRONG_CODE: Fault.SECOND_FACTOR,
}
_WAITS: Final = {Cause.THROTTLED: 60.0, Cause.BUSY: 10.0}


class Sessions:
    """Everything raises Problem and StoreError."""

    def __init__(self, auth: Authenticator, directory: Directory) -> None:
        self._auth, self._directory = auth, directory

    async def open(self, user: str, password: str, code: str, caller: Caller) -> SessionTokens:
        """The tokens of a new session."""
        outcome = await self._auth.login(
            user,
            password,
            peer=caller.peer,
            protocol=caller.protocol,
            client=caller.client,
            code=code.replace(" ", ""),
        )
        if isinstance(outcome, Refused):
            raise _problem(outcome)
        if outcome.grant.credential is not None:
            raise Problem(Fault.CREDENTIALS, "Log in with the password of the account")
        return await self._opened(outcome, caller)

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

    async def _opened(self, login: Login, caller: Caller) -> SessionTokens:
        revoked: list[AccountChange] = []

        def heard(change: AccountChange) -> None:
            if login.ended_by(change):
                revoked.append(change)

        unsubscribe = self._auth.on_revoke(heard)
        try:
            account = await self._directory.account_by_id(login.account)
            if account is None or revoked:
                raise Problem(Fault.CREDENTIALS)
            tokens = await self._auth.issuer.open_session(account, caller.client or NAMELESS)
            if revoked:
                await self._directory.credentials.end(account.id, CredentialKind.SESSION)
                raise Problem(Fault.CREDENTIALS)
        finally:
            unsubscribe()
        return _shown(tokens)


def _problem(refused: Refused) -> Problem:
    fault = _FAULTS.get(refused.cause, Fault.CREDENTIALS)
    factors = FACTORS if fault is Fault.SECOND_FACTOR else ()
    return Problem(fault, refused.text, wait=_WAITS.get(refused.cause, 0.0), factors=factors)


def _shown(tokens: Tokens) -> SessionTokens:
    return SessionTokens(tokens.access, tokens.refresh, tokens.seconds)
