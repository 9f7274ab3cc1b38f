"""Who the user is, in claims (OpenID Connect Core §2, §5.1)."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Final

from auth.oauth.keys import SigningKeys
from config.clock import Clock
from storage.directory_values import Account

ID_SECONDS: Final = 600
SECRET: Final = "oauth subjects"  # noqa: S105 - the name of one
CLAIMS: Final = ("sub", "email", "email_verified", "name", "preferred_username")


class Identity:
    """`secret` gives a secret of the server by name; `issuer` is named in ID tokens."""

    def __init__(
        self, keys: SigningKeys, secret: Callable[[str], Awaitable[bytes]], clock: Clock
    ) -> None:
        self._keys, self._secret, self._clock = keys, secret, clock
        self.issuer = ""

    async def ready(self) -> None:
        """Has the keys for ID tokens read. Raises OSError."""
        await self._keys.ready()

    async def subject(self, account: Account) -> str:
        """The same for an account for ever, and no address: those may change hands."""
        secret = await self._secret(SECRET)
        return hmac.new(secret, str(account.id).encode(), sha256).hexdigest()[:32]

    async def claims(self, account: Account, scopes: tuple[str, ...]) -> dict[str, Any]:
        """What the scopes say that a client may know."""
        found: dict[str, Any] = {"sub": await self.subject(account)}
        if "email" in scopes:
            found |= {"email": account.address, "email_verified": True}
        if "profile" in scopes:
            found |= {"name": account.name or account.address}
            found |= {"preferred_username": account.address}
        return found

    async def id_token(
        self,
        account: Account,
        client: str,
        scopes: tuple[str, ...],
        *,
        access: str,
        authenticated: float,
        nonce: str,
    ) -> str:
        """For the scope openid. Raises OSError, StoreError."""
        now = int(self._clock.now())
        half = sha256(access.encode()).digest()[:16]
        own = {
            "iss": self.issuer,
            "aud": client,
            "iat": now,
            "exp": now + ID_SECONDS,
            "auth_time": int(authenticated),
            "at_hash": urlsafe_b64encode(half).decode().rstrip("="),
        }
        if nonce:
            own["nonce"] = nonce
        return await self._keys.sign({**await self.claims(account, scopes), **own})
