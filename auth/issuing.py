"""App passwords, tokens and sessions: made, shown once, refreshed, revoked.

The secret is in the answer of `make`, `open_session` and `refresh` and nowhere else afterwards.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from auth.audit import Audit
from auth.generated import (
    access_token,
    app_password,
    digest,
    family_of,
    password_digest,
    refresh_token,
    token,
    token_digest,
)
from config.clock import Clock
from config.fields import network
from net.threads import Busy
from storage.audit_values import Kind
from storage.credential_values import (
    NO_BOUNDS,
    Credential,
    CredentialId,
    CredentialKind,
    Protocol,
    Terms,
)
from storage.delegations import Sending
from storage.directory import Directory
from storage.directory_values import Account, NotAllowed
from storage.values import AccountId

ACCESS_SECONDS: Final = 3600.0
SESSION_SECONDS: Final = 90 * 86_400.0
BROWSER_SECONDS: Final = 12 * 3600.0
AGENT_RATE: Final = 120
"""Commands a minute of an agent, unless its maker says otherwise."""
MAX_NAME: Final = 100
OF_AGENTS: Final = frozenset({Protocol.IMAP, Protocol.JMAP})


OPENED: Final = (CredentialKind.SESSION, CredentialKind.BROWSER, CredentialKind.OAUTH)
"""Kinds that nobody makes by name: what a login opens, or a user allows."""


@dataclass(frozen=True, slots=True)
class Made:
    """A credential with its secret, which is not to be had again."""

    credential: Credential
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A session's tokens; the access token is good for `seconds`."""

    credential: Credential
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds: int


ScramFor = Callable[[str, str], Awaitable[str]]
"""The SCRAM keys of an account's address and a password of it; raises Busy."""


class Issuer:
    """One for all protocols."""

    def __init__(
        self, directory: Directory, clock: Clock, audit: Audit, scram_for: ScramFor
    ) -> None:
        self._directory, self._clock, self._audit = directory, clock, audit
        self._scram_for = scram_for

    async def make(
        self,
        account: Account,
        kind: CredentialKind,
        name: str,
        terms: Terms = NO_BOUNDS,
        expires: float | None = None,
    ) -> Made:
        """An app password, a token or an agent's. `expires` in seconds since 1970. Raises
        NotAllowed.
        """
        await self._check(account, kind, name, terms)
        is_password = kind is CredentialKind.APP_PASSWORD
        secret = app_password() if is_password else token()
        scram = await self._keys(account, secret) if is_password else ""
        made = await self._directory.credentials.add(
            account.id,
            kind,
            name,
            terms,
            password_digest(secret) or b"",
            expires=expires,
            scram=scram,
            password_hash=None if is_password else account.password_hash,
        )
        self._record(Kind.MADE, account, made)
        return Made(made, secret)

    async def _keys(self, account: Account, secret: str) -> str:
        try:
            return await self._scram_for(account.address, secret)
        except Busy:  # then it is good for other mechanisms
            return ""

    async def revoke(self, account: Account, number: CredentialId) -> Credential:
        """Ends one of the account's, and the connections that it opened. Raises Absent."""
        gone = await self._directory.credentials.revoke(account.id, number)
        self._record(Kind.REVOKED, account, gone)
        return gone

    async def open_session(self, account: Account, name: str, terms: Terms = NO_BOUNDS) -> Tokens:
        """For who has just logged in. `name` says of what: a browser, a client."""
        access, refresh, now = access_token(), refresh_token(), self._clock.now()
        made = await self._directory.credentials.add(
            account.id,
            CredentialKind.SESSION,
            name[:MAX_NAME],
            terms,
            digest(access),
            expires=now + SESSION_SECONDS,
            access_until=now + ACCESS_SECONDS,
            refresh_digest=digest(refresh),
            password_hash=account.password_hash,
        )
        return Tokens(made, access, refresh, int(ACCESS_SECONDS))

    async def open_browser(self, account: Account, name: str) -> str:
        """For who has just logged in on a page: the value of the cookie. It is good for no
        protocol, whoever gets hold of it.
        """
        secret = access_token()
        await self._directory.credentials.add(
            account.id,
            CredentialKind.BROWSER,
            name[:MAX_NAME],
            Terms(frozenset()),
            digest(secret),
            expires=self._clock.now() + BROWSER_SECONDS,
            password_hash=account.password_hash,
        )
        return secret

    async def open_oauth(
        self,
        account: Account,
        name: str,
        terms: Terms,
        session: CredentialId,
        *,
        life: float,
        refreshes: bool,
    ) -> Tokens:
        """What the account's user has allowed a client of OAuth in a session. Raises NotAllowed
        when that has ended. It ends when it was not refreshed
        for `life` seconds, or, when it `refreshes` not, with the access token: then `refresh` is
        "".
        """
        access, refresh, now = access_token(), refresh_token(), self._clock.now()
        until = now + ACCESS_SECONDS
        made = await self._directory.credentials.add(
            account.id,
            CredentialKind.OAUTH,
            name[:MAX_NAME],
            terms,
            digest(access),
            expires=now + life if refreshes else until,
            access_until=until,
            refresh_digest=digest(refresh) if refreshes else None,
            session=session,
        )
        self._record(Kind.MADE, account, made)
        return Tokens(made, access, refresh if refreshes else "", int(ACCESS_SECONDS))

    async def refresh(
        self,
        given: str,
        kind: CredentialKind = CredentialKind.SESSION,
        life: float | None = None,
        terms: Terms | None = None,
    ) -> Tokens | None:
        """New tokens for a refresh token, which is spent by it; None where it is good for nothing.
        One that comes a second time ends what it belongs to. `life`: then it ends so many seconds
        from here. `terms`: these from here on.
        """
        old = token_digest(given)
        if old is None:
            return None
        family = family_of(given)
        access, refresh = access_token(), refresh_token(family)
        now = self._clock.now()
        held = await self._directory.credentials.find_refresh(old)
        if held is not None and not await self._is_usable(held.account):
            return None  # and it is not spent: the account may be enabled again
        turned = await self._directory.credentials.rotate(
            old,
            digest(family),
            digest(access),
            digest(refresh),
            now + ACCESS_SECONDS,
            kind=kind,
            expires=None if life is None else now + life,
            terms=terms,
        )
        if turned is None or not await self._is_usable(turned.account):
            return None
        return Tokens(turned, access, refresh, int(ACCESS_SECONDS))

    async def _is_usable(self, number: AccountId) -> bool:
        account = await self._directory.account_by_id(number)
        return account is not None and account.enabled

    async def _check(self, account: Account, kind: CredentialKind, name: str, terms: Terms) -> None:
        if kind in OPENED:
            raise NotAllowed("It comes of a login")
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise NotAllowed(f"It needs a name of at most {MAX_NAME} printable characters")
        if not terms.protocols:
            raise NotAllowed("It would be good for no protocol")
        if kind is CredentialKind.AGENT and not (terms.draft_only and terms.rate):
            raise NotAllowed("An agent only drafts, and has a rate")
        if terms.draft_only and not terms.protocols <= OF_AGENTS:
            raise NotAllowed("An agent has IMAP and JMAP alone: it does not send")
        for text in terms.networks:
            try:
                network(text)
            except ValueError as error:
                raise NotAllowed(f"{text!r} is not {error}") from None
        for sender in terms.senders:
            right = await self._directory.delegations.right(account.id, sender)
            if right.sending is Sending.NO:
                raise NotAllowed(f"The account may not send as {sender}")

    def _record(self, kind: Kind, account: Account, credential: Credential) -> None:
        self._audit.record(
            kind,
            account.id,
            account.address,
            credential=str(credential.id),
            detail=f"{credential.kind.value}: {credential.name}",
        )
