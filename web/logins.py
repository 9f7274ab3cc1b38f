"""Who sends a request of JMAP or CardDAV: Basic with a password or app password, or Bearer with a
token (RFC 7617, RFC 6750).

A client asks many times a second. A login by password that was let in is remembered for a minute,
by what was sent, for which protocol and from where, and forgotten with whatever ends its sessions;
what tokens mean the store remembers (storage/token_cache.py).
"""

import base64
import binascii
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from cachetools import TTLCache
from starlette.requests import HTTPConnection
from starlette.responses import Response

from auth.caller import Caller
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from config.clock import Clock
from storage.directory_values import AccountChange
from web.problem import ProblemResponse

SECONDS: Final = 60.0
CHALLENGE: Final = 'Basic realm="mail", charset="UTF-8", Bearer realm="mail"'
WAIT: Final = 10.0
_CAPACITY: Final = 10_000
_MAX: Final = 4096
_NOTHING: Final = Refused(Cause.CREDENTIALS)


class Logins:
    """By Authorization header. Close it before the authenticator."""

    def __init__(self, authenticator: Authenticator, clock: Clock) -> None:
        self._authenticator, self._clock = authenticator, clock
        self._known: TTLCache[bytes, Login] = TTLCache(_CAPACITY, SECONDS, timer=clock.monotonic)
        self._following: dict[int, list[AccountChange]] = {}
        self.close = authenticator.on_revoke(self._forget)

    async def admit(self, request: HTTPConnection, caller: Caller) -> Login | Response:
        """Whose request it is, or what answers it instead. Raises StoreError."""
        found = await self.login(request.headers.get("authorization", ""), caller)
        if isinstance(found, Login):
            return found
        if found.temporary:
            return ProblemResponse(503, found.text, wait=WAIT)
        return ProblemResponse(401, found.text, headers={"WWW-Authenticate": CHALLENGE})

    async def login(self, authorization: str, caller: Caller) -> Login | Refused:
        """Raises StoreError."""
        if len(authorization) > _MAX:
            return _NOTHING
        key = sha256(
            f"{caller.protocol} {caller.peer} {authorization}".encode("utf-8", "surrogatepass")
        ).digest()
        known = self._known.get(key)
        if known is not None and not self._is_over(known):
            return known
        while True:
            found, changes = await self._followed(authorization, caller)
            if isinstance(found, Refused) or not any(map(found.ended_by, changes)):
                break  # else it was ended meanwhile, and a stream would go on with it
        is_token = authorization[:7].lower() == "bearer "
        if isinstance(found, Login) and not is_token:
            self._known[key] = found
        return found

    async def _followed(
        self, authorization: str, caller: Caller
    ) -> tuple[Login | Refused, Sequence[AccountChange]]:
        """What was revoked while it was asked for, too."""
        changes: list[AccountChange] = []
        self._following[id(changes)] = changes
        try:
            return await self._asked(authorization, caller), changes
        finally:
            del self._following[id(changes)]

    async def _asked(self, authorization: str, caller: Caller) -> Login | Refused:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return await self._authenticator.login_bearer("", value.strip(), caller)
        if scheme.lower() != "basic":
            return _NOTHING
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return _NOTHING
        user, colon, password = text.partition(":")
        if not colon:
            return _NOTHING
        return await self._authenticator.login(
            user, password, peer=caller.peer, protocol=caller.protocol, client=caller.client
        )

    def _is_over(self, login: Login) -> bool:
        expires = login.grant.expires
        return expires is not None and expires <= self._clock.now()

    def _forget(self, change: AccountChange) -> None:
        for changes in self._following.values():
            changes.append(change)
        for key in [key for key, login in self._known.items() if login.ended_by(change)]:
            self._known.pop(key, None)
