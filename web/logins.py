"""Who sends a request of JMAP or CardDAV: Basic with a password or app password, or Bearer with a
token (RFC 7617, RFC 6750).

A client asks many times a second. A login by password that was let in is remembered for a minute,
by what was sent, for which protocol and from where, and forgotten with whatever ends its sessions;
what tokens mean the store remembers (storage/token_cache.py).
"""

import base64
import binascii
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final

from cachetools import TTLCache
from starlette.requests import HTTPConnection
from starlette.responses import Response

from auth.caller import Caller
from auth.grant import Grant
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.service import Visitor
from config.clock import Clock
from storage.credential_values import CredentialKind
from storage.directory_values import AccountChange
from web.problem import ProblemResponse

SECONDS: Final = 60.0
CHALLENGE: Final = 'Basic realm="mail", charset="UTF-8", Bearer realm="mail"'
WAIT: Final = 10.0
_CAPACITY: Final = 10_000
_MAX: Final = 4096
BROWSER: Final = 3600.0
"""Seconds for which a browser's session is good without being asked for again."""
_NOTHING: Final = Refused(Cause.CREDENTIALS)
Visitors = Callable[[str], Awaitable[Visitor | None]]
"""Who is logged in by a cookie."""


class Logins:
    """By Authorization header. Close it before the authenticator."""

    def __init__(self, authenticator: Authenticator, clock: Clock) -> None:
        self._authenticator, self._clock = authenticator, clock
        self._known: TTLCache[bytes, Login] = TTLCache(_CAPACITY, SECONDS, timer=clock.monotonic)
        self._following: dict[int, list[AccountChange]] = {}
        self.close = authenticator.on_revoke(self._forget)

    async def admit(self, request: HTTPConnection, caller: Caller) -> Login | Response:
        """Whose request it is, or what answers it instead. Raises StoreError."""
        return self.answered(await self.login(request.headers.get("authorization", ""), caller))

    def answered(self, found: Login | Refused) -> Login | Response:
        """The login, or what answers the request instead."""
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
        found = await self._followed(lambda: self._asked(authorization, caller))
        is_token = authorization[:7].lower() == "bearer "
        if isinstance(found, Login) and not is_token:
            self._known[key] = found
        return found

    async def by_cookie(self, cookie: str, visitor: Visitors) -> Login | Refused:
        """Whose session a browser's cookie is; that a page of ours asks is for others to see.
        Raises what `visitor` does.
        """

        async def ask() -> Login | Refused:
            found = await visitor(cookie) if cookie else None
            if found is None:
                return _NOTHING
            until = self._clock.now() + BROWSER
            grant = Grant(found.session, CredentialKind.BROWSER, expires=until)
            return Login(found.account, found.address, admin=False, grant=grant)

        return await self._followed(ask)

    async def _followed(self, ask: Callable[[], Awaitable[Login | Refused]]) -> Login | Refused:
        """Asked for again where it was ended meanwhile: a stream would go on with it."""
        while True:
            changes: list[AccountChange] = []
            self._following[id(changes)] = changes
            try:
                found = await ask()
            finally:
                del self._following[id(changes)]
            if isinstance(found, Refused) or not any(map(found.ended_by, changes)):
                return found

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
