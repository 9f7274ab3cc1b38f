"""The WebSocket of JMAP: `/jmap/ws`, of the subprotocol `jmap` (RFC 8887).

A browser sends a page's Origin with it, whoever's page that is: only pages of this server may.
"""

from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from auth.service import Problem
from net.limits import MINUTE
from net.link import Unavailable
from storage.errors import StoreError
from web.jmap.context import Context
from web.jmap.entrance import Entrance
from web.jmap.granted import Granted
from web.jmap.push.hub import Hub
from web.jmap.push.socket import Socket
from web.jmap.push.streams import Streams
from web.jmap.requests import Requests
from web.problem import ProblemResponse

PROTOCOL: Final = "jmap"
WAIT: Final = 30.0


class JmapSockets:
    """An application of ASGI."""

    def __init__(
        self,
        entrance: Entrance,
        requests: Requests,
        hub: Hub,
        streams: Streams,
        granted: Granted,
    ) -> None:
        self._entrance, self._requests, self._granted = entrance, requests, granted
        self._hub, self._streams = hub, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ws = WebSocket(scope, receive, send)
        found = await self._opened(ws)
        if not isinstance(found, Socket):
            await ws.send_denial_response(found)
            return
        try:
            await ws.accept(PROTOCOL)
            await found.run()
        finally:
            self._streams.discard(found)

    async def _opened(self, ws: WebSocket) -> Socket | Response:
        origin = ws.headers.get("origin")
        if origin is not None and origin.lower() != self._entrance.answering.origin(ws).lower():
            return ProblemResponse(403, "Not from pages of other sites")
        if PROTOCOL not in ws.scope["subprotocols"]:
            return ProblemResponse(400, "Sec-WebSocket-Protocol: jmap is needed")
        try:
            context = await self._entrance.open(ws)
        except (StoreError, Problem, Unavailable):
            return ProblemResponse(503, "The server cannot do this for the moment", wait=WAIT)
        if not isinstance(context, Context):
            return context
        if not self._granted.take(context, "websocket"):
            return ProblemResponse(429, "Too many requests of this login", wait=MINUTE)
        socket = Socket(ws, context, self._requests, self._hub)
        if not self._streams.add(socket):
            return ProblemResponse(429, "Too many connections of your account", wait=WAIT)
        return socket
