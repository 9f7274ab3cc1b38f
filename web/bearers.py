"""Whose a request of the API is, counted as commands of agents are.

A token comes in `Authorization: Bearer`. The cookie of a browser's session counts only beside a
field of its own (CSRF), which no form of another site can send and no script of one may.
"""

from dataclasses import replace
from typing import Final

from starlette.requests import Request

from auth.agents import Agents
from auth.caller import Caller
from auth.grant import Grant
from auth.login_values import Cause, Login, Refused
from auth.service import AuthService, Fault, Problem
from net.limits import MINUTE
from storage.credential_values import CredentialKind, Protocol
from web.answering import Answering, bearer
from web.logins import WAIT, Logins
from web.pages.cookies import SESSION, read_cookie

CSRF: Final = "x-requested-with"


class Bearers:
    """Tokens need a protocol: `jmap` for mail, `web` for what else an account has. `answering`
    knows where clients see this server.
    """

    def __init__(
        self, logins: Logins, service: AuthService, agents: Agents, answering: Answering
    ) -> None:
        self._logins, self._service = logins, service
        self._agents, self._answering = agents, answering

    async def login(self, request: Request, caller: Caller, protocol: Protocol) -> Login:
        """Raises Problem, StoreError."""
        caller = replace(caller, protocol=protocol)
        found = await self.whose(request, caller)
        self.count(found, caller, f"{request.method} {request.url.path}"[:100])
        return found

    async def whose(self, request: Request, caller: Caller) -> Login:
        """By token or cookie, uncounted. Raises Problem, StoreError."""
        if "authorization" not in request.headers:
            return await self._by_cookie(request)
        found = await self._logins.login(f"Bearer {bearer(request)}", caller)
        if not isinstance(found, Refused):
            return found
        if found.cause is Cause.THROTTLED:
            raise Problem(Fault.TOO_MANY, found.text, wait=WAIT)
        if found.temporary:
            raise Problem(Fault.BUSY, found.text, wait=WAIT)
        raise Problem(Fault.TOKEN, found.text)

    def count(self, login: Login, caller: Caller, what: str) -> None:
        """As commands of other protocols. Raises Problem."""
        if login.grant.credential is None or self._agents.take(
            login.grant,
            login.account,
            login.address,
            what=what,
            address=caller.peer,
            protocol=caller.protocol,
        ):
            return
        raise Problem(Fault.TOO_MANY, "Too many requests of this login", wait=MINUTE)

    async def _by_cookie(self, request: Request) -> Login:
        origin = self._answering.origin(request)
        cookie = read_cookie(request, SESSION, origin.startswith("https:"))
        visitor = await self._service.visitor(cookie) if cookie else None
        if visitor is None:
            raise Problem(Fault.TOKEN, "Authorization: Bearer and an access token are needed")
        if not request.headers.get(CSRF) or not _is_own(request, origin):
            raise Problem(
                Fault.CLOSED, "a session's cookie counts only with the field X-Requested-With"
            )
        grant = Grant(visitor.session, CredentialKind.BROWSER)
        return Login(visitor.account, visitor.address, admin=False, grant=grant)


def _is_own(request: Request, origin: str) -> bool:
    """Whether a browser says that a page of ours asks (Fetch Metadata §2.1)."""
    said = request.headers.get("origin", origin)
    return said == origin and request.headers.get("sec-fetch-site", "none") in (
        "same-origin",
        "none",
    )
