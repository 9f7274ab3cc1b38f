"""Who may come in by JMAP: routes behind a login."""

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
from web.logins import Logins
from web.problem import ProblemResponse

Handler = Callable[[Request, Context], Awaitable[Response]]


class Entrance:
    """Asks each request for its login."""

    def __init__(self, logins: Logins, answering: Answering) -> None:
        self.logins, self.answering = logins, answering

    async def open(self, connection: HTTPConnection) -> Context | Response:
        """Who opens a WebSocket, or what refuses it. Raises StoreError."""
        caller = self.answering.caller(connection)
        if caller is None:
            return ProblemResponse(403, "TLS is needed")
        found = await self.logins.admit(connection, replace(caller, protocol=Protocol.JMAP))
        return self._context(connection, found, caller) if isinstance(found, Login) else found

    def route(self, path: str, handler: Handler, method: str) -> Route:
        """Nothing is awaited between the login and the handler."""

        async def answer(request: Request, caller: Caller) -> Response:
            caller = replace(caller, protocol=Protocol.JMAP)
            found = await self.logins.admit(request, caller)
            return (
                await handler(request, self._context(request, found, caller))
                if isinstance(found, Login)
                else found
            )

        return Route(path, self.answering.answering(answer, counted=False), methods=[method])

    def _context(self, connection: HTTPConnection, login: Login, caller: Caller) -> Context:
        return Context(login, caller.peer, self.answering.is_secure(connection))
