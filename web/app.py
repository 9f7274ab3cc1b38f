"""The HTTP application: the gateway behind the redirect of plain HTTP to HTTPS."""

from collections.abc import Callable

from starlette.datastructures import URL
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from auth.networks import in_networks
from config.settings import Settings
from web.cors import Sharing
from web.discovery.routes import PATHS
from web.envelope import Envelope
from web.gateway import create_gateway
from web.peer import may_have_secrets, peer_of
from web.problem import ProblemResponse
from web.registry import Registry, Service

PLAIN_PATHS = frozenset(("/healthz", *PATHS))


def create_app(
    status: Callable[[], str],
    settings: Callable[[], Settings],
    https_port: int | None,
    registry: Registry,
) -> ASGIApp:
    """`status` gives "ok" while serving; `settings` those in force; /healthz is registered
    here.
    """

    async def healthz(_request: Request) -> Response:
        state = status()
        return JSONResponse({"status": state}, 200 if state == "ok" else 503)

    registry.register(Service("health", [Route("/healthz", healthz, methods=["GET", "HEAD"])]))
    gateway = create_gateway(registry)
    shared = Sharing(gateway, settings)
    return Envelope(HttpsOnly(shared, settings, https_port), settings)


class HttpsOnly:
    """Sends plain HTTP to HTTPS with 308, but for auth.plaintext_from and PLAIN_PATHS; that of a
    trusted proxy to where the proxy has it, on the usual port. A WebSocket gets 403.
    """

    def __init__(
        self, app: ASGIApp, settings: Callable[[], Settings], https_port: int | None
    ) -> None:
        self._app, self._settings, self._https_port = app, settings, https_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._must_redirect(scope):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":  # clients of those follow no redirect
            await ProblemResponse(403, "TLS is needed")(scope, receive, send)
            return
        proxied = in_networks(peer_of(Request(scope)), self._settings().http.trusted_proxies)
        port = None if proxied else self._https_port
        url = URL(scope=scope).replace(scheme="https", port=port)
        await RedirectResponse(str(url), status_code=308)(scope, receive, send)

    def _must_redirect(self, scope: Scope) -> bool:
        if self._https_port is None or scope["path"].lower() in PLAIN_PATHS:
            return False
        return not may_have_secrets(HTTPConnection(scope), self._settings())
