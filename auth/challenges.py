"""Challenges of WebAuthn ceremonies (Level 3 §13.4.3): random, for one ceremony, good once and for
some minutes.

They are not kept but carry a MAC under a key of the server's, so that whoever asks for many takes
nobody's away, and any process knows those of another; kept is which ones were used.
"""

import hmac
import secrets
from enum import Enum
from typing import Final

from config.clock import Clock
from storage.directory import Directory

LIFE: Final = 300.0
_KEY: Final = "passkey challenges"
_TIME, _NONCE = 8, 16


class Ceremony(Enum):
    """What a challenge is for."""

    REGISTER = "register"
    SIGN_IN = "sign in"
    SECOND = "second factor"


class Challenges:
    """One a process."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._secrets, self._spent, self._clock = directory.secrets, directory.spent, clock

    async def make(self, ceremony: Ceremony, about: str = "") -> bytes:
        """`about` says whose it is: an account, a session."""
        stamp = int(self._clock.now() * 1000).to_bytes(_TIME)
        begin = stamp + secrets.token_bytes(_NONCE)
        return begin + await self._mac(begin, ceremony, about)

    async def is_good(self, challenge: bytes, ceremony: Ceremony, about: str = "") -> bool:
        """Whether it was made for this, moments ago."""
        begin, mac = challenge[: _TIME + _NONCE], challenge[_TIME + _NONCE :]
        if not hmac.compare_digest(mac, await self._mac(begin, ceremony, about)):
            return False
        return self._clock.now() - int.from_bytes(begin[:_TIME]) / 1000 < LIFE

    async def spend(self, challenge: bytes) -> bool:
        """Uses one that is good; False when it was used before."""
        return await self._spent.use(challenge, LIFE)

    async def _mac(self, begin: bytes, ceremony: Ceremony, about: str) -> bytes:
        key = await self._secrets.get(_KEY)
        return hmac.digest(key, begin + f"{ceremony.value}\0{about}".encode(), "sha256")
