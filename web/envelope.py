"""What every request and answer has around it: an id that the logs name, and headers for browsers
that an answer may set otherwise.

HSTS (RFC 6797) goes out over TLS alone, which may end at a trusted proxy.
"""

import re
import secrets
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.logging import REQUEST
from config.settings import Settings
from web.peer import is_secure

REQUEST_ID: Final = "x-request-id"
_STARTS: Final = ("http.response.start", "websocket.http.response.start")
_GOOD: Final = re.compile(r"[A-Za-z0-9._~-]{8,64}")
DEFAULTS: Final = {
    "content-security-policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""For answers that are no pages: a browser that shows one runs and loads nothing."""


class Envelope:
    """Around the whole application; `settings` gives those in force."""

    def __init__(self, app: ASGIApp, settings: Callable[[], Settings]) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = request_id(Headers(scope=scope))
        sts = self._sts(scope)

        async def sending(message: Message) -> None:
            if message["type"] in _STARTS:
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = number
                for name, value in DEFAULTS.items():
                    headers.setdefault(name, value)
                if sts:
                    headers["strict-transport-security"] = sts
            await send(message)

        token = REQUEST.set(number)
        try:
            await self._app(scope, receive, sending)
        finally:
            REQUEST.reset(token)

    def _sts(self, scope: Scope) -> str:
        http = self._settings().http
        if not http.hsts or not is_secure(HTTPConnection(scope), http.trusted_proxies):
            return ""
        return f"max-age={int(http.hsts)}"


def request_id(headers: Headers) -> str:
    """The one that the request brings; one of our own where it has none, several or a bad one."""
    given = headers.getlist(REQUEST_ID)
    if len(given) == 1 and _GOOD.fullmatch(given[0]):
        return given[0]
    return secrets.token_hex(8)
