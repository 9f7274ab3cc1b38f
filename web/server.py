"""The http and https listeners: uvicorn in the server's own event loop."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from auth.admission import Admission
from config.fields import Endpoint, Network
from config.logging import get_logger
from net.accepting import Name, Serving
from net.listener import address_of, bind
from net.tls import TlsContexts
from web.admission import Open, guarded
from web.heads import bounded
from web.held import holding, upgraded
from web.jmap.limits import MAX_REQUEST

STOP_SECONDS = 5
PING_SECONDS = 30.0


class _Quiet(uvicorn.Server):
    """uvicorn without its signal handlers: the program has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _maker(server: uvicorn.Server, config: uvicorn.Config) -> Callable[[Name], asyncio.Protocol]:
    """Makes uvicorn's protocol for a connection that was accepted here."""

    def make(name: Name) -> asyncio.Protocol:
        kind: Any = config.http_protocol_class
        protocol: asyncio.Protocol = kind(
            config=config, server_state=server.server_state, app_state=server.lifespan.state
        )
        protocol.announced = name  # type: ignore[attr-defined]
        return protocol

    return make


class HttpServer:
    """Both listeners with one application. `bind` first, then `start`."""

    def __init__(
        self,
        http: list[Endpoint],
        https: list[Endpoint],
        tls: TlsContexts,
        admission: Admission | None = None,
        proxies: Sequence[Network] = (),
    ) -> None:
        self._endpoints = {"http": http, "https": https}
        self._tls, self._admission, self._proxies = tls, admission, proxies
        self._fronts: list[Serving] = []
        self._open = Open()
        self._unsubscribe: Callable[[], None] = lambda: None
        self._bound: dict[str, list[socket.socket]] = {}
        self._running: list[tuple[_Quiet, asyncio.Task[None]]] = []
        self.addresses: dict[str, list[Endpoint]] = {}

    def bind(self) -> None:
        """Takes the ports. Raises ListenError."""
        for name, endpoints in self._endpoints.items():
            self._bound[name] = [bound for endpoint in endpoints for bound in bind(endpoint)]
            self.addresses[name] = [address_of(bound) for bound in self._bound[name]]

    async def start(self, app: ASGIApp) -> None:
        """Serves; returns when both accept."""
        if self._admission is not None:
            self._unsubscribe = self._admission.on_block(self._open.end)
        for name, sockets in self._bound.items():
            if sockets:
                await self._serve(app, sockets, self._tls.server() if name == "https" else None)

    async def _serve(
        self, app: ASGIApp, sockets: list[socket.socket], tls: ssl.SSLContext | None
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=STOP_SECONDS,
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=MAX_REQUEST,  # a longer message ends the connection with 1009
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            ws_per_message_deflate=False,  # its memory would be the most of a connection's
            proxy_headers=False,
        )
        config.load()
        config.ssl = tls
        protocol = holding(bounded(config.http_protocol_class))
        if self._admission is not None:
            protocol = guarded(protocol, self._admission, self._open)
        config.http_protocol_class = protocol
        config.ws_protocol_class = upgraded(config.ws_protocol_class)
        server = _Quiet(config)
        own = [] if self._proxies else sockets
        task = asyncio.create_task(server.serve(sockets=own))
        self._running.append((server, task))
        # uvicorn offers no event to wait for
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        if self._proxies:
            make = _maker(server, config)
            log = get_logger("http")
            self._fronts += [Serving(one, make, tls, self._proxies, log) for one in sockets]

    async def stop(self) -> None:
        """Stops accepting, waits for requests under way, closes."""
        self._unsubscribe()
        for front in self._fronts:
            front.close()
        for server, _task in self._running:
            server.should_exit = True
        for _server, task in self._running:
            await task
        if not self._running:
            for sockets in self._bound.values():
                for bound in sockets:
                    bound.close()
