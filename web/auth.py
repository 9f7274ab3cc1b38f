"""/register, /verify, /login, /token/refresh and /logout, bare and under /api/v1/: JSON in, the
AuthService asked, JSON out.

What they mean stands in auth/service.py. Passwords, codes and tokens come over TLS, or from
auth.plaintext_from; requests are counted by address like connections.
"""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auth.caller import Caller
from auth.service import AuthService, Registration
from storage.sign_up_values import LIFE
from web.answering import EMPTY, LIMIT, Answering, bearer, json_of, tokens_of
from web.json_body import Fields, read_fields

PREFIXES: Final = ("", "/api/v1")
VERBS: Final = ("/register", "/verify", "/login", "/token/refresh", "/logout", "/reset")
AUTH_ROUTES: Final = [f"POST {prefix}{verb}" for verb in VERBS for prefix in PREFIXES]
"""What a process that serves "auth" accepts."""


class AuthApi:
    """The routes; `answering` wraps each."""

    def __init__(self, service: AuthService, answering: Answering) -> None:
        self._service, self._answering = service, answering

    def routes(self) -> Sequence[Route]:
        """For web.app.create_app."""
        verbs = {
            "/register": self._register,
            "/verify": self._verify,
            "/login": self._login,
            "/token/refresh": self._refresh,
            "/logout": self._logout,
            "/reset": self._reset,
        }
        return [
            Route(prefix + path, self._answering.answering(handler), methods=["POST"])
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
        return json_of({"expires_in": int(LIFE)}, 202)

    async def _verify(self, request: Request, caller: Caller) -> Response:
        fields: Fields = await read_fields(request, LIMIT)
        address = await self._service.verify(fields.text("username"), fields.text("code"), caller)
        return json_of({"address": address})

    async def _login(self, request: Request, caller: Caller) -> Response:
        fields = await read_fields(request, LIMIT)
        user, password = fields.text("username"), fields.text("password")
        code = fields.text("code", needed=False)
        return tokens_of(await self._service.login(user, password, code, caller))

    async def _refresh(self, request: Request, caller: Caller) -> Response:
        fields = await read_fields(request, LIMIT)
        return tokens_of(await self._service.refresh(fields.text("refresh_token"), caller))

    async def _reset(self, request: Request, caller: Caller) -> Response:
        fields = await read_fields(request, LIMIT)
        username, code = fields.text("username"), fields.text("code", needed=False)
        second = fields.text("second_factor", needed=False)
        password = fields.text("password", needed=bool(code))
        if not code:
            await self._service.reset_begin(username, caller)
            return json_of({"expires_in": int(LIFE)}, 202)
        await self._service.reset(username, code, password, second, caller)
        return EMPTY()

    async def _logout(self, request: Request, caller: Caller) -> Response:
        await self._service.logout(bearer(request), caller)
        return EMPTY()
