"""/register, /verify, /login, /token/refresh and /logout, bare and under /api/v1/: JSON in, the
AuthService asked, JSON out.

What they mean stands in auth/service.py. Passwords, codes and tokens come over TLS, or from
auth.plaintext_from; requests are counted by address like connections.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from auth.admission import Admission
from auth.caller import Caller, client_name
from auth.policy import plaintext_allowed
from auth.service import AuthService, Fault, Problem, Registration, SessionTokens
from config.logging import Logger
from config.settings import Settings
from net.limits import MINUTE
from storage.credential_values import Protocol
from storage.errors import StoreError
from storage.sign_up_values import LIFE
from web.json_body import BadBody, Fields, read_fields
from web.peer import address_of, peer_of
from web.problem import ProblemResponse

LIMIT: Final = 16 * 1024
PREFIXES: Final = ("", "/api/v1")
STATUS: Final = {
    Fault.INVALID: 400,
    Fault.WRONG_CODE: 400,
    Fault.CREDENTIALS: 401,
    Fault.SECOND_FACTOR: 401,
    Fault.TOKEN: 401,
    Fault.EXPIRED: 410,
    Fault.CLOSED: 403,
    Fault.INVITE: 403,
    Fault.TOO_MANY: 429,
    Fault.BUSY: 503,
}
VERBS: Final = ("/register", "/verify", "/login", "/token/refresh", "/logout")
AUTH_ROUTES: Final = [f"POST {prefix}{verb}" for verb in VERBS for prefix in PREFIXES]
"""What a process that serves "auth" accepts."""
Handler = Callable[[Request, Caller], Awaitable[Response]]


class AuthApi:
    """The routes; `settings` gives those in force."""

    def __init__(
        self,
        service: AuthService,
        admission: Admission,
        settings: Callable[[], Settings],
        log: Logger,
    ) -> None:
        self._service, self._admission = service, admission
        self._settings, self._log = settings, log

    def routes(self) -> Sequence[Route]:
        """For web.app.create_app."""
        verbs = {
            "/register": self._register,
            "/verify": self._verify,
            "/login": self._login,
            "/token/refresh": self._refresh,
            "/logout": self._logout,
        }
        return [
            Route(prefix + path, self._answering(handler), methods=["POST"])
            for path, handler in verbs.items()
            for prefix in PREFIXES
        ]

    async def _register(self, request: Request, caller: Caller) -> Response:
        fields = await read_fields(request, LIMIT)
        registration = Registration(
            fields.text("username"),
            fields.text("password"),
            fields.text("phone", needed=False),
            fields.text("email", needed=False),
            fields.text("name", needed=False),
            fields.text("invite", needed=False),
        )
        await self._service.register(registration, caller)
        return _json({"expires_in": int(LIFE)}, 202)

    async def _verify(self, request: Request, caller: Caller) -> Response:
        fields: Fields = await read_fields(request, LIMIT)
        address = await self._service.verify(fields.text("username"), fields.text("code"), caller)
        return _json({"address": address})

    async def _login(self, request: Request, caller: Caller) -> Response:
        fields = await read_fields(request, LIMIT)
        user, password = fields.text("username"), fields.text("password")
        code = fields.text("code", needed=False)
        return _tokens(await self._service.login(user, password, code, caller))

    async def _refresh(self, request: Request, caller: Caller) -> Response:
        fields = await read_fields(request, LIMIT)
        return _tokens(await self._service.refresh(fields.text("refresh_token"), caller))

    async def _logout(self, request: Request, caller: Caller) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Problem(Fault.TOKEN, "Authorization: Bearer and an access token are needed")
        await self._service.logout(token.strip(), caller)
        return Response(status_code=204, headers={"Cache-Control": "no-store"})

    def _answering(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler behind what all have in common."""

        async def answer(request: Request) -> Response:
            settings = self._settings()
            if not plaintext_allowed(peer_of(request), request.url.scheme == "https", settings):
                return ProblemResponse(403, "TLS is needed")
            address = address_of(request, settings.http.trusted_proxies)
            if not self._admission.ask(address):
                return ProblemResponse(429, "Too many requests from your address", wait=MINUTE)
            caller = Caller(
                address, Protocol.WEB, client=client_name(request.headers.get("user-agent"))
            )
            try:
                return await handler(request, caller)
            except BadBody as bad:
                # what is left of the body is not read
                return ProblemResponse(bad.status, str(bad), headers={"Connection": "close"})
            except Problem as problem:
                return _refusal(problem)
            except StoreError as error:
                self._log.error("request failed", path=request.url.path, reason=str(error))
                return ProblemResponse(503, "The server cannot do this for the moment", wait=10)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it

        return answer


def _refusal(problem: Problem) -> Response:
    status = STATUS[problem.fault]
    more = {"second_factor": list(problem.factors)} if problem.factors else {}
    headers = {}
    if status == 401:  # RFC 9110 §11.6.1 wants a challenge, RFC 6750 §3 says which
        error = ', error="invalid_token"' if problem.fault is Fault.TOKEN else ""
        headers["WWW-Authenticate"] = f'Bearer realm="mail"{error}'
    return ProblemResponse(status, str(problem), wait=problem.wait, more=more, headers=headers)


def _tokens(tokens: SessionTokens) -> Response:
    """RFC 6749 §5.1."""
    return _json(
        {
            "access_token": tokens.access,
            "refresh_token": tokens.refresh,
            "token_type": "Bearer",
            "expires_in": tokens.seconds,
        }
    )


def _json(body: dict[str, object], status: int = 200) -> Response:
    return JSONResponse(body, status, {"Cache-Control": "no-store"})
