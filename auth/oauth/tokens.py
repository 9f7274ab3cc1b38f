"""What is asked about tokens that were given: revocation (RFC 7009), introspection (RFC 7662), and
who their user is.
"""

from collections.abc import Mapping
from typing import Any, Final

from auth.caller import Caller
from auth.generated import token_digest
from auth.issuing import ACCESS_SECONDS, Issuer
from auth.oauth.clients import Clients
from auth.oauth.errors import OAuthError
from auth.oauth.granting import is_of
from auth.oauth.identity import Identity
from auth.oauth.scopes import OPENID, shown
from config.clock import Clock
from storage.credential_values import Credential, CredentialKind
from storage.directory import Directory
from storage.directory_values import Absent, Account
from storage.oauth_clients import OAuthClient
from storage.values import AccountId

INACTIVE: Final[dict[str, Any]] = {"active": False}


class GivenTokens:
    """Raises OAuthError, StoreError."""

    def __init__(
        self,
        directory: Directory,
        clients: Clients,
        issuer: Issuer,
        identity: Identity,
        clock: Clock,
    ) -> None:
        self._directory, self._clients, self._issuer = directory, clients, issuer
        self._identity, self._clock = identity, clock

    async def revoke(self, client: OAuthClient, form: Mapping[str, str]) -> None:
        """Ends what an access or refresh token of the client belongs to, and the connections that
        it opened; nothing is said where there is nothing.
        """
        token = form.get("token", "")
        if not token:
            raise OAuthError("invalid_request", "token is needed")
        found, _ = await self._find(token)
        if found is None:
            return
        if not is_of(found, client):
            raise OAuthError("unauthorized_client", "The token is another client's")
        account = await self._directory.account_by_id(found.account)
        if account is not None:
            await self._end(account, found)

    async def introspect(self, client: OAuthClient, form: Mapping[str, str]) -> dict[str, Any]:
        """RFC 7662 §2.2: of the client's own tokens, or of all where it `introspects`."""
        if client.secret is None:
            raise OAuthError("invalid_client", "Only a client with a secret may ask", 401)
        token = form.get("token", "")
        if not token:
            raise OAuthError("invalid_request", "token is needed")
        found, is_refresh = await self._find(token)
        account = await self._owner(found)
        if found is None or account is None or not (client.introspects or is_of(found, client)):
            return INACTIVE
        until = (found.expires if is_refresh else found.access_until) or 0.0
        made = (found.access_until or 0.0) - ACCESS_SECONDS
        if until <= self._clock.now():
            return INACTIVE
        return {
            "active": True,
            "scope": shown(found.terms.allowed if is_refresh else found.terms.scopes),
            "client_id": found.terms.client,
            "username": account.address,
            "token_type": "refresh_token" if is_refresh else "Bearer",
            "exp": int(until),
            "iat": int(made),
            "sub": await self._identity.subject(account),
            "aud": self._identity.issuer,
            "iss": self._identity.issuer,
        }

    async def userinfo(self, token: str, caller: Caller) -> dict[str, Any]:
        """OpenID Connect Core §5.3."""
        found, is_refresh = await self._find(token)
        account = await self._owner(found)
        over = found is None or is_refresh or found.is_over(self._clock.now())
        if found is None or account is None or over:
            raise OAuthError("invalid_token", "The token is not good, or not good any more", 401)
        if OPENID not in found.terms.scopes:
            raise OAuthError("insufficient_scope", "The scope openid is needed", 403)
        self._directory.credentials.used(found, caller.peer, caller.protocol.value)
        return await self._identity.claims(account, found.terms.scopes)

    async def withdraw(self, account: Account, client: str) -> int:
        """Takes back what an account allowed a client; how many grants and consents ended. Codes go
        first: what one gives that is being exchanged is taken back by who exchanges it.
        """
        if not client.isprintable():
            return 0  # there is none
        consented = await self._clients.stored.withdraw(account.id, client)
        held = await self._directory.credentials.of(account.id, CredentialKind.OAUTH)
        mine = [one for one in held if one.terms.client == client]
        for one in mine:
            await self._end(account, one)
        return len(mine) + consented

    async def end_client(self, client: str) -> None:
        """Ends all that users allowed a client that is no more."""
        for one in await self._directory.credentials.every(CredentialKind.OAUTH):
            account = await self._directory.account_by_id(AccountId(one.account))
            if one.terms.client == client and account is not None:
                await self._end(account, one)

    async def _owner(self, credential: Credential | None) -> Account | None:
        """Its account, if that may be used."""
        if credential is None:
            return None
        account = await self._directory.account_by_id(credential.account)
        return account if account is not None and account.enabled else None

    async def _end(self, account: Account, credential: Credential) -> None:
        try:
            await self._issuer.revoke(account, credential.id)
        except Absent:
            return

    async def _find(self, token: str) -> tuple[Credential | None, bool]:
        """What a token of a client belongs to, and whether it is the refresh token."""
        key = token_digest(token)
        if key is None:
            return None, False
        found = await self._directory.credentials.find(key)
        is_refresh = found is None
        if found is None:
            found = await self._directory.credentials.find_refresh(key)
        if found is not None and found.kind is not CredentialKind.OAUTH:
            return None, False
        return found, is_refresh
