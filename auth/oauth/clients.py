"""Which programs may ask for tokens: those of the configuration and those added by command, and how
they prove who they are (RFC 6749 §2).
"""

import hmac
import secrets
from typing import Final

from auth.caller import Caller
from auth.generated import digest
from auth.oauth.errors import OAuthError
from auth.oauth.scopes import MEANING
from auth.throttle import Throttle
from config.redirects import check_redirect
from config.settings import Settings
from storage.directory_values import AlreadyExists, NotAllowed
from storage.oauth_clients import OAuthClient, OAuthClients

MAX_NAME: Final = 100
MAX_REDIRECTS: Final = 20


class BadRedirect(NotAllowed):
    """An address that no client may have a browser sent to."""


class Clients:
    """Raises StoreError."""

    def __init__(self, settings: Settings, stored: OAuthClients, throttle: Throttle) -> None:
        self.stored, self._throttle = stored, throttle
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Takes [[oauth.client]] of a changed configuration."""
        self._configured = {
            one.id: OAuthClient(
                one.id,
                one.name or one.id,
                tuple(one.redirects),
                tuple(one.scopes or MEANING),
                digest(one.secret.get_secret_value()) if one.secret.get_secret_value() else None,
                one.introspects,
                origin="configuration",
            )
            for one in settings.oauth.client
        }

    async def find(self, number: str) -> OAuthClient | None:
        """By its id."""
        if not (0 < len(number) <= MAX_NAME and number.isascii() and number.isprintable()):
            return None
        return self._configured.get(number) or await self.stored.find(number)

    async def listed(self) -> list[OAuthClient]:
        """All, those of the configuration first."""
        return [*self._configured.values(), *await self.stored.listed()]

    async def add(
        self,
        name: str,
        redirects: tuple[str, ...],
        scopes: tuple[str, ...] = (),
        *,
        number: str = "",
        confidential: bool = False,
        introspects: bool = False,
        registered: bool = False,
    ) -> tuple[OAuthClient, str]:
        """The client and its secret, "" for a public one. Raises NotAllowed, AlreadyExists."""
        check_client(name, redirects, scopes, number)
        if introspects and not confidential:
            raise NotAllowed("Only a client with a secret may ask about tokens")
        secret = f"msc_{secrets.token_urlsafe(32)}" if confidential else ""
        client = OAuthClient(
            number or secrets.token_urlsafe(12),
            name,
            redirects,
            scopes or tuple(MEANING),
            digest(secret) if secret else None,
            introspects,
            registered,
        )
        if client.id in self._configured:
            raise AlreadyExists(f"There is a client {client.id} in the configuration")
        return await self.stored.add(client), secret

    async def authenticated(self, number: str, secret: str | None, caller: Caller) -> OAuthClient:
        """The client, when it proves itself as it was registered: by its secret, or, a public one,
        by none. Raises OAuthError.
        """
        client = await self.find(number)
        if client is not None and client.secret is None and not secret:
            return client
        attempt = await self._throttle.enter(caller.peer, f"client {number[:MAX_NAME]}", None)
        if attempt is None:
            raise OAuthError("temporarily_unavailable", "Too many failures", 429, wait=60.0)
        expected = client.secret if client is not None and client.secret else b""
        if client is None or not hmac.compare_digest(digest(secret or ""), expected):
            attempt.wrong()
            raise OAuthError("invalid_client", "Client authentication failed", 401)
        attempt.right()
        return client


def check_client(
    name: str, redirects: tuple[str, ...], scopes: tuple[str, ...], number: str = ""
) -> None:
    """Raises NotAllowed."""
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise NotAllowed(f"It needs a name of at most {MAX_NAME} printable characters")
    if number and not (number.isascii() and number.isprintable() and len(number) <= MAX_NAME):
        raise NotAllowed(f"An id has at most {MAX_NAME} printable characters of ASCII")
    if len(redirects) > MAX_REDIRECTS:
        raise BadRedirect(f"At most {MAX_REDIRECTS} redirect addresses")
    for uri in redirects:
        try:
            check_redirect(uri)
        except ValueError as error:
            raise BadRedirect(str(error)) from None
    for scope in scopes:
        if scope not in MEANING:
            raise NotAllowed(f"Scopes are {', '.join(MEANING)}")
