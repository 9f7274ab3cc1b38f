"""The HTTP application: the gateway behind the redirect of plain HTTP to HTTPS."""

import ipaddress
from collections.abc import Callable, Sequence

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from config.fields import Network
from config.settings import Settings
from web.envelope import Envelope
from web.gateway import create_gateway
from web.registry import Registry, Service

PLAIN_PATHS = ("/healthz",)


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
    only = HttpsOnly(gateway, lambda: settings().auth.plaintext_from, https_port)
    return Envelope(only, settings)


class HttpsOnly:
    """Sends plain HTTP to HTTPS with 308, but for trusted networks and PLAIN_PATHS."""

    def __init__(
        self, app: ASGIApp, plaintext_from: Callable[[], Sequence[Network]], https_port: int | None
    ) -> None:
        self._app, self._plaintext_from, self._https_port = app, plaintext_from, https_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._must_redirect(scope):
            await self._app(scope, receive, send)
            return
        url = URL(scope=scope).replace(scheme="https", port=self._https_port)
        await RedirectResponse(str(url), status_code=308)(scope, receive, send)

    def _must_redirect(self, scope: Scope) -> bool:
        if scope["scheme"] == "https" or self._https_port is None or scope["path"] in PLAIN_PATHS:
            return False
        host = scope["client"][0] if scope.get("client") else ""
        try:
            peer = ipaddress.ip_address(host)
        except ValueError:
            return True
        return not any(peer in network for network in self._plaintext_from())
