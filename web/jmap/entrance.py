"""Who may come in by JMAP: routes behind a login.

A browser cannot send Authorization with an EventSource or a WebSocket. There the cookie of its
session counts, from pages of this server alone: a page of another site would come in with it, too.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from auth.caller import Caller
from auth.login_values import Login
from storage.credential_values import Protocol
from web.answering import Answering
from web.jmap.context import Context
from web.logins import Logins, Visitors
from web.pages.cookies import SESSION, read_cookie
from web.peer import is_own
from web.problem import ProblemResponse

Handler = Callable[[Request, Context], Awaitable[Response]]


class Entrance:
    """Asks each request for its login."""

    def __init__(self, logins: Logins, answering: Answering, visitor: Visitors) -> None:
        self.logins, self.answering, self._visitor = logins, answering, visitor

    async def open(self, connection: HTTPConnection) -> Context | Response:
        """Who opens a WebSocket, or what refuses it. Raises StoreError, Problem, Unavailable."""
        caller = self.answering.caller(connection)
        if caller is None:
            return ProblemResponse(403, "TLS is needed")
        found = await self._login(connection, caller, cookies=True)
        return self._context(connection, found, caller) if isinstance(found, Login) else found

    def route(self, path: str, handler: Handler, method: str, *, cookies: bool = False) -> Route:
        """Nothing is awaited between the login and the handler."""

        async def answer(request: Request, caller: Caller) -> Response:
            found = await self._login(request, caller, cookies=cookies)
            return (
                await handler(request, self._context(request, found, caller))
                if isinstance(found, Login)
                else found
            )

        return Route(path, self.answering.answering(answer, counted=False), methods=[method])

    async def _login(
        self, connection: HTTPConnection, caller: Caller, *, cookies: bool
    ) -> Login | Response:
        answering = self.answering
        if cookies and "authorization" not in connection.headers:
            cookie = read_cookie(connection, SESSION, answering.is_secure(connection))
            if cookie and not is_own(connection, answering.origin(connection)):
                return ProblemResponse(403, "a session's cookie counts from pages of this server")
            return self.logins.answered(await self.logins.by_cookie(cookie, self._visitor))
        return await self.logins.admit(connection, replace(caller, protocol=Protocol.JMAP))

    def _context(self, connection: HTTPConnection, login: Login, caller: Caller) -> Context:
        return Context(login, caller.peer, self.answering.is_secure(connection))
