"""Whose request it is, and whether the endpoint is for such a login."""

from dataclasses import replace
from typing import Final

from starlette.requests import Request

from auth.caller import Caller
from auth.grant import Grant
from auth.login_values import Login
from auth.service import Fault, Problem
from auth.sessions import FRESH
from config.clock import Clock
from storage.credential_values import CredentialKind, Protocol
from storage.directory import Directory
from web.bearers import Bearers
from web.rest.endpoint import Access, Endpoint
from web.rest.errors import RestError

_READING: Final = frozenset({"GET", "HEAD"})
_OF_PEOPLE: Final = (CredentialKind.SESSION, CredentialKind.BROWSER)
_SCOPE: Final = {"WWW-Authenticate": 'Bearer realm="mail", error="insufficient_scope"'}


class Callers:
    """Raises RestError, Problem and StoreError."""

    def __init__(self, bearers: Bearers, directory: Directory, clock: Clock) -> None:
        self._bearers, self._directory, self._clock = bearers, directory, clock

    async def login(self, request: Request, endpoint: Endpoint, caller: Caller) -> Login | None:
        """None where anybody may ask."""
        if endpoint.access is Access.PUBLIC:
            return None
        protocol = Protocol.JMAP if endpoint.access is Access.MAIL else Protocol.WEB
        caller = replace(caller, protocol=protocol)
        login = await self._bearers.whose(request, caller)
        _check(login.grant, endpoint, request.method)
        if endpoint.access is Access.FRESH:
            await self._check_fresh(login)
        self._bearers.count(login, caller, f"{endpoint.method} {endpoint.path}")
        return login

    async def _check_fresh(self, login: Login) -> None:
        for one in await self._directory.credentials.of(login.account, *_OF_PEOPLE):
            if one.id == login.grant.credential and self._clock.now() - one.created <= FRESH:
                return
        raise Problem(Fault.STALE)


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
