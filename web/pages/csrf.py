"""Tokens that a form carries, so that no other site can send it in a user's name.

A token is the time and an HMAC (RFC 2104) of the time and the browser's form cookie: it is good in
that browser for LIFE seconds, and nothing is stored. The cookie is SameSite=Lax, so that a POST
from elsewhere comes without it.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final

from config.clock import Clock

LIFE: Final = 6 * 3600
SECRET: Final = "forms"  # noqa: S105 - the name of one


class Csrf:
    """`secret` gives a secret of the server by name."""

    def __init__(self, secret: Callable[[str], Awaitable[bytes]], clock: Clock) -> None:
        self._secret, self._clock = secret, clock

    def browser(self) -> str:
        """The value of a form cookie for a browser that has none."""
        return secrets.token_urlsafe(18)

    async def token(self, browser: str) -> str:
        """For the hidden field of a form."""
        at = int(self._clock.now())
        return f"{at}.{await self._mac(browser, at)}"

    async def is_good(self, browser: str, token: str) -> bool:
        """Whether the form was made for this browser, and not too long ago."""
        at, _, given = token.partition(".")
        if not browser or not (at.isascii() and at.isdecimal() and len(at) < 16):
            return False
        if not -60 <= self._clock.now() - int(at) <= LIFE:
            return False
        return hmac.compare_digest(given.encode(), (await self._mac(browser, int(at))).encode())

    async def _mac(self, browser: str, at: int) -> str:
        text = f"{at} {browser}".encode()
        return hmac.new(await self._secret(SECRET), text, sha256).hexdigest()
