"""Whose request it is, and whether the endpoint is for such a login.

A token comes in `Authorization: Bearer`. The cookie of a browser's session counts only beside a
field of its own (CSRF), which no form of another site can send and no script of one may.
"""

from dataclasses import replace
from typing import Final

from starlette.requests import Request

from auth.agents import Agents
from auth.caller import Caller
from auth.grant import Grant
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.service import AuthService, Fault, Problem
from auth.sessions import FRESH
from config.clock import Clock
from net.limits import MINUTE
from storage.credential_values import CredentialKind, Protocol
from storage.directory import Directory
from web.answering import bearer
from web.pages.cookies import SESSION, read_cookie
from web.rest.endpoint import Access, Endpoint
from web.rest.errors import RestError

CSRF: Final = "x-requested-with"
_READING: Final = frozenset({"GET", "HEAD"})
_OF_PEOPLE: Final = (CredentialKind.SESSION, CredentialKind.BROWSER)
_SCOPE: Final = {"WWW-Authenticate": 'Bearer realm="mail", error="insufficient_scope"'}


class Callers:
    """Raises RestError, Problem and StoreError."""

    def __init__(
        self,
        authenticator: Authenticator,
        service: AuthService,
        directory: Directory,
        agents: Agents,
        clock: Clock,
    ) -> None:
        self._authenticator, self._service = authenticator, service
        self._directory, self._agents, self._clock = directory, agents, clock

    async def login(
        self, request: Request, endpoint: Endpoint, caller: Caller, origin: str
    ) -> Login | None:
        """None where anybody may ask. `origin` is where the client sees this server."""
        if endpoint.access is Access.PUBLIC:
            return None
        protocol = Protocol.JMAP if endpoint.access is Access.MAIL else Protocol.WEB
        caller = replace(caller, protocol=protocol)
        if "authorization" in request.headers:
            login = await self._by_token(request, caller)
        else:
            login = await self._by_cookie(request, origin)
        _check(login.grant, endpoint, request.method)
        if endpoint.access is Access.FRESH:
            await self._check_fresh(login)
        self._count(login, endpoint, caller)
        return login

    async def _by_token(self, request: Request, caller: Caller) -> Login:
        found = await self._authenticator.login_bearer("", bearer(request), caller)
        if isinstance(found, Refused):
            if found.temporary:
                fault = Fault.TOO_MANY if found.cause is Cause.THROTTLED else Fault.BUSY
                raise Problem(fault, found.text, wait=10)
            raise Problem(Fault.TOKEN, found.text)
        return found

    async def _by_cookie(self, request: Request, origin: str) -> Login:
        cookie = read_cookie(request, SESSION, origin.startswith("https:"))
        visitor = await self._service.visitor(cookie) if cookie else None
        if visitor is None:
            raise Problem(Fault.TOKEN, "Authorization: Bearer and an access token are needed")
        if not request.headers.get(CSRF) or not _is_own(request, origin):
            raise RestError(403, "a session's cookie counts only with the field X-Requested-With")
        grant = Grant(visitor.session, CredentialKind.BROWSER)
        return Login(visitor.account, visitor.address, admin=False, grant=grant)

    async def _check_fresh(self, login: Login) -> None:
        for one in await self._directory.credentials.of(login.account, *_OF_PEOPLE):
            if one.id == login.grant.credential and self._clock.now() - one.created <= FRESH:
                return
        raise Problem(Fault.STALE)

    def _count(self, login: Login, endpoint: Endpoint, caller: Caller) -> None:
        """As commands of other protocols."""
        if login.grant.credential is None or self._agents.take(
            login.grant,
            login.account,
            login.address,
            what=f"{endpoint.method} {endpoint.path}",
            address=caller.peer,
            protocol=caller.protocol,
        ):
            return
        raise RestError(429, "Too many requests of this login", wait=MINUTE)


def _check(grant: Grant, endpoint: Endpoint, method: str) -> None:
    """Whether the login is good for this at all. Raises RestError."""
    access, reads = endpoint.access, method in _READING
    good = reads or not grant.read_only
    if access is not Access.MAIL:
        good = good and not (grant.folders or grant.draft_only or grant.senders)
    if access in (Access.SESSION, Access.FRESH):
        good = good and grant.kind in _OF_PEOPLE
    if not good:
        raise RestError(403, "this login is not good for that", headers=_SCOPE)


def _is_own(request: Request, origin: str) -> bool:
    """Whether a browser says that a page of ours asks (Fetch Metadata §2.1)."""
    said = request.headers.get("origin", origin)
    return said == origin and request.headers.get("sec-fetch-site", "none") in (
        "same-origin",
        "none",
    )
