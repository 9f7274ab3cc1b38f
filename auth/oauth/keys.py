"""The keys that ID tokens are signed with: RS256 (RFC 7518), which every client knows, in a file of
data_dir with mode 0600.

The newest signs. A new one is made when that has been in use for `life` seconds; those before it
stay published for as long as what they signed is good, and a day more.
"""

import asyncio
import json
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeyParameters, RSAKey

from config.clock import Clock
from net.threads import Offload

FILE: Final = "oauth-keys.json"
ALGORITHM: Final = "RS256"
BITS: Final = 2048
PUBLISHED: Final = 86_400.0 + 3600.0


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`since` in seconds since 1970."""

    since: float
    key: RSAKey = field(repr=False)

    @property
    def kid(self) -> str:
        return str(self.key.kid)


class SigningKeys:
    """Files and keys are handled in a thread. Raises OSError."""

    def __init__(self, data_dir: Path, offload: Offload, clock: Clock, life: float) -> None:
        self._path, self._offload, self._clock = data_dir / FILE, offload, clock
        self.life = life
        self._keys: tuple[SigningKey, ...] = ()
        self._renewing = asyncio.Lock()

    async def ready(self) -> None:
        """Reads the keys, and makes one where it is time for one."""
        await self._fresh()

    async def sign(self, claims: dict[str, Any]) -> str:
        """A JSON Web Token (RFC 7519) with these claims."""
        keys = await self._fresh()
        return await self._offload.disk(_signed, keys[-1], claims)

    async def published(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517 §5)."""
        keys = await self._fresh()
        return {"keys": [one.key.as_dict(private=False) for one in keys]}

    async def _fresh(self) -> tuple[SigningKey, ...]:
        async with self._renewing:  # of two who make one at once, one would sign by a lost key
            if not self._keys or self._clock.now() >= self._keys[-1].since + self.life:
                self._keys = await self._offload.disk(self._renew)
            return self._keys

    def _renew(self) -> tuple[SigningKey, ...]:
        """What the file holds, with a new key where it is time for one."""
        now = self._clock.now()
        found = _read(self._path)
        if found and now < found[-1].since + self.life:
            return found
        new = SigningKey(now, _made())
        followers = [*found[1:], new]
        kept = [
            one
            for one, after in zip(found, followers, strict=False)
            if now < after.since + PUBLISHED
        ]
        keys = (*kept, new)
        _write(self._path, keys)
        return keys


def _signed(key: SigningKey, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key.key, algorithms=[ALGORITHM])


def _made() -> RSAKey:
    parameters: KeyParameters = {"use": "sig", "alg": ALGORITHM, "kid": secrets.token_urlsafe(9)}
    return RSAKey.generate_key(BITS, parameters, private=True)


def _read(path: Path) -> tuple[SigningKey, ...]:
    try:
        held = json.loads(path.read_bytes())
        return tuple(SigningKey(one["since"], RSAKey.import_key(one["key"])) for one in held)
    except FileNotFoundError:
        return ()
    except (ValueError, TypeError, KeyError, JoseError):
        raise OSError(f"{path} holds no keys") from None


def _write(path: Path, keys: tuple[SigningKey, ...]) -> None:
    held = [{"since": one.since, "key": one.key.as_dict(private=True)} for one in keys]
    number, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(number, "w") as file:
            json.dump(held, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
