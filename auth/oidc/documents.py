"""What the outside provider publishes: its metadata (OpenID Connect Discovery §4) and its keys (RFC
7517), fetched over HTTPS, bounded, and kept for an hour. Keys are fetched anew for one that is not
known, once a minute at most. After a failure nobody asks again for some seconds, so that logins do
not queue up behind a provider that is away.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from config.clock import Clock
from net.https import HttpsClient, HttpsError

LIMIT: Final = 256 * 1024
SECONDS: Final = 10.0
KEPT: Final = 3600.0
AGAIN: Final = 60.0
AWAY: Final = 15.0
_KINDS: Final = ("RSA", "EC")
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class OutsideError(Exception):
    """The provider cannot be used; the text is for the log."""


class Documents:
    """Of one issuer."""

    def __init__(self, issuer: str, https: HttpsClient, clock: Clock) -> None:
        self.issuer, self._https, self._clock = issuer, https, clock
        self._metadata: dict[str, Any] = {}
        self._metadata_at = self._keys_at = float("-inf")
        self._keys: KeySet | None = None
        self._failures: dict[str, tuple[float, str]] = {}
        self._lock = asyncio.Lock()

    async def metadata(self) -> dict[str, Any]:
        """Raises OutsideError."""
        async with self._lock:
            if self._clock.monotonic() - self._metadata_at > KEPT:
                found = await self._published(
                    f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                )
                if found.get("issuer") != self.issuer:
                    raise OutsideError(f"{self.issuer} says that it is another issuer")
                for name in _ENDPOINTS:
                    if not str(found.get(name, "")).startswith("https://"):
                        raise OutsideError(f"{self.issuer} names no {name} with https")
                self._metadata, self._metadata_at = found, self._clock.monotonic()
            return self._metadata

    async def keys(self, *, fresh: bool = False) -> KeySet:
        """`fresh`: one was not among them. Raises OutsideError."""
        where = (await self.metadata())["jwks_uri"]
        async with self._lock:
            age = self._clock.monotonic() - self._keys_at
            if self._keys is None or age > (AGAIN if fresh else KEPT):
                found = (await self._published(where)).get("keys")
                usable = [_key(one) for one in found] if isinstance(found, list) else []
                self._keys = KeySet([key for key in usable if key is not None])
                self._keys_at = self._clock.monotonic()
            return self._keys

    async def _published(self, url: str) -> dict[str, Any]:
        """What is there, unless the last question came to nothing a moment ago."""
        until, why = self._failures.get(url, (0.0, ""))
        if self._clock.monotonic() < until:
            raise OutsideError(why)
        try:
            found = await self.fetch(url)
        except OutsideError as error:
            self._failures = {url: (self._clock.monotonic() + AWAY, str(error))}
            raise
        self._failures.pop(url, None)
        return found

    async def fetch(
        self, url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The JSON object at a URL, or behind what is posted there. Raises OutsideError."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise OutsideError("an address of the provider is none") from None
        if parts.scheme != "https" or not parts.hostname:
            raise OutsideError("an address of the provider has no https")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        bounds = {"limit": LIMIT, "seconds": SECONDS}
        try:
            if data is None:
                got = await self._https.get(
                    parts.hostname,
                    path,
                    port=port,
                    headers=headers,
                    **bounds,  # type: ignore[arg-type]
                )
            else:
                got = await self._https.post(
                    parts.hostname,
                    port,
                    path,
                    data,
                    headers or {},
                    **bounds,  # type: ignore[arg-type]
                )
        except HttpsError as error:
            raise OutsideError(str(error)) from None
        try:
            found = orjson.loads(got.body)
        except orjson.JSONDecodeError:
            found = None
        if got.status != 200 or not isinstance(found, dict):
            raise OutsideError(f"{parts.hostname} answered {got.status} and no object")
        return found


def _key(data: object) -> Key | None:
    """A key for signatures; None for others, and for what cannot be read (RFC 7517 §5)."""
    if not isinstance(data, dict) or data.get("use", "sig") != "sig":
        return None
    if data.get("kty") not in _KINDS:
        return None
    try:
        return JWKRegistry.import_key(data)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
