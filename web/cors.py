"""Which pages of other origins may ask the API (the Fetch standard, §3.2): those of
`http.cors_origins`, with a token and without cookies.
"""

from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.settings import Settings

PREFIX: Final = "/api/v1/"
METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
HEADERS: Final = (
    "Authorization, Content-Digest, Content-Type, Idempotency-Key, If-Match, If-None-Match, Range"
)
SHOWN: Final = (
    "Allow, Content-Disposition, ETag, Idempotency-Replayed, Link, Location, Retry-After, "
    "WWW-Authenticate, X-Request-Id"
)
SECONDS: Final = 600


class Sharing:
    """Says in what is below PREFIX who may read it, whichever service answers; what a preflight
    asks for is answered here. `settings` gives those in force.
    """

    def __init__(self, app: ASGIApp, settings: Callable[[], Settings]) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origins = self._settings().http.cors_origins
        if scope["type"] != "http" or not origins or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        origin = asked.get("origin", "")
        shared = origin if origin in origins else ""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _tell(MutableHeaders(scope=message), shared)
            await send(message)

        if shared and scope["method"] == "OPTIONS" and "access-control-request-method" in asked:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, sending)
            return
        await self._app(scope, receive, sending)


_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": HEADERS,
    "Access-Control-Max-Age": str(SECONDS),
}


def _tell(fields: MutableHeaders, shared: str) -> None:
    """Who asks from elsewhere is told nothing."""
    fields.add_vary_header("Origin")
    if shared:
        fields["Access-Control-Allow-Origin"] = shared
        fields["Access-Control-Expose-Headers"] = SHOWN
