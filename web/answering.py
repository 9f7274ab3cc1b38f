"""What requests of accounts have in common: TLS, the bound of an address, whose request it is, and
how a Problem is answered.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from auth.admission import Admission
from auth.caller import Caller, client_name
from auth.service import Fault, Problem, SessionTokens
from auth.sessions import FRESH
from config.logging import Logger
from config.settings import Settings
from net.limits import MINUTE
from net.threads import Busy
from storage.credential_values import Protocol
from storage.errors import StoreError
from web.json_body import BadBody
from web.peer import address_of, is_secure, may_have_secrets, origin_of
from web.problem import ProblemResponse

LIMIT: Final = 16 * 1024
"""Octets of a body."""
STATUS: Final = {
    Fault.INVALID: 400,
    Fault.WRONG_CODE: 400,
    Fault.CREDENTIALS: 401,
    Fault.SECOND_FACTOR: 401,
    Fault.TOKEN: 401,
    Fault.STALE: 401,
    Fault.EXPIRED: 410,
    Fault.CLOSED: 403,
    Fault.INVITE: 403,
    Fault.ABSENT: 404,
    Fault.CONFLICT: 409,
    Fault.TOO_MANY: 429,
    Fault.BUSY: 503,
}
_CHALLENGES: Final = {
    Fault.TOKEN: ', error="invalid_token"',
    # RFC 9470 §3: which authentication is wanted
    Fault.STALE: f', error="insufficient_user_authentication", max_age="{int(FRESH)}"',
}
Handler = Callable[[Request, Caller], Awaitable[Response]]
EMPTY = partial(Response, status_code=204, headers={"Cache-Control": "no-store"})


class Answering:
    """`settings` gives those in force."""

    def __init__(self, admission: Admission, settings: Callable[[], Settings], log: Logger) -> None:
        self._admission, self._settings, self._log = admission, settings, log

    def answering(
        self, handler: Handler, *, counted: bool = True
    ) -> Callable[[Request], Awaitable[Response]]:
        """The handler behind what all have in common. `counted`: each request counts as a
        connection of its address does.
        """

        async def answer(request: Request) -> Response:
            caller = self.caller(request)
            if caller is None:
                return ProblemResponse(403, "TLS is needed")
            if counted and not await self._admission.ask_everywhere(caller.peer):
                return ProblemResponse(429, "Too many requests from your address", wait=MINUTE)
            try:
                return await handler(request, caller)
            except BadBody as bad:
                # what is left of the body is not read
                return ProblemResponse(bad.status, str(bad), headers={"Connection": "close"})
            except Problem as problem:
                return refusal(problem)
            except (StoreError, Busy) as error:
                self._log.error("request failed", path=request.url.path, reason=str(error))
                return ProblemResponse(503, "The server cannot do this for the moment", wait=10)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it

        return answer

    def caller(self, connection: HTTPConnection) -> Caller | None:
        """Who asks; None where TLS is needed."""
        settings = self._settings()
        if not may_have_secrets(connection, settings):
            return None
        address = address_of(connection, settings.http.trusted_proxies)
        client = client_name(connection.headers.get("user-agent"))
        return Caller(address, Protocol.WEB, client=client)

    def is_secure(self, connection: HTTPConnection) -> bool:
        """As web.peer.is_secure, by the proxies that are trusted."""
        return is_secure(connection, self._settings().http.trusted_proxies)

    def origin(self, request: HTTPConnection) -> str:
        """As origin_of, by the proxies that are trusted."""
        return origin_of(request, self._settings().http.trusted_proxies)


def refusal(problem: Problem) -> Response:
    """As application/problem+json."""
    status = STATUS[problem.fault]
    more: dict[str, object] = {}
    if problem.factors:
        more["second_factor"] = list(problem.factors)
    if problem.ticket:
        more["ticket"] = problem.ticket
    headers = {}
    if status == 401:  # RFC 9110 §11.6.1 wants a challenge, RFC 6750 §3 says which
        headers["WWW-Authenticate"] = f'Bearer realm="mail"{_CHALLENGES.get(problem.fault, "")}'
    return ProblemResponse(status, str(problem), wait=problem.wait, more=more, headers=headers)


def bearer(request: Request) -> str:
    """The access token of a request (RFC 6750 §2.1). Raises Problem."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Problem(Fault.TOKEN, "Authorization: Bearer and an access token are needed")
    return token.strip()


def tokens_of(tokens: SessionTokens) -> Response:
    """RFC 6749 §5.1."""
    return json_of(
        {
            "access_token": tokens.access,
            "refresh_token": tokens.refresh,
            "token_type": "Bearer",
            "expires_in": tokens.seconds,
        }
    )


def json_of(body: dict[str, object], status: int = 200) -> Response:
    return JSONResponse(body, status, {"Cache-Control": "no-store"})
