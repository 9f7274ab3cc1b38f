"""The event source: `GET /jmap/events` (RFC 8620 §7.3)."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from net.limits import MINUTE
from storage.errors import NoSuchAccount
from storage.type_states import StatePoint
from web.held import hand_on
from web.jmap.context import Context
from web.jmap.granted import Granted
from web.jmap.push.event_stream import EventStream
from web.jmap.push.hub import Hub
from web.jmap.push.state_change import Types, point_of
from web.jmap.push.streams import Streams
from web.problem import ProblemResponse

LEAST, MOST = 5, 900
"""Seconds between pings, where there are any; the standard wants at most 30, and at least 300."""
WAIT: Final = 30.0
_HEADERS: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the parameters say."""

    types: Types
    once: bool
    ping: int


def wanted_of(types: str, close_after: str, ping: str) -> Wanted | None:
    """None where one of them is missing or makes no sense."""
    if not types or close_after not in ("state", "no") or not _NUMBER.fullmatch(ping):
        return None
    seconds = int(ping) and min(max(int(ping), LEAST), MOST)
    named = None if types == "*" else frozenset(types.split(","))
    return Wanted(named, close_after == "state", seconds)


class EventSource:
    """Opens streams."""

    def __init__(self, hub: Hub, streams: Streams, granted: Granted) -> None:
        self._hub, self._streams, self._granted = hub, streams, granted

    async def answer(self, request: Request, context: Context) -> Response:
        """For a login that is good: nothing is awaited before the stream can be ended."""
        params = request.query_params
        wanted = wanted_of(*(params.get(name, "") for name in ("types", "closeafter", "ping")))
        if wanted is None:
            return ProblemResponse(400, "types, closeafter=state|no and ping in seconds are needed")
        if not self._granted.take(context, "events"):
            return ProblemResponse(429, "Too many requests of this login", wait=MINUTE)
        if request.method == "HEAD":
            return Response(headers=_HEADERS)
        stream = EventStream(
            context.login,
            context.peer,
            wanted.types,
            wanted.ping,
            once=wanted.once,
            gone=self._gone,
        )
        if not self._streams.add(stream):
            return ProblemResponse(429, "Too many connections of your account", wait=WAIT)
        try:
            point = await self._listening(stream, request.headers.get("last-event-id", ""))
        except NoSuchAccount:
            self._gone(stream)
            return ProblemResponse(404)
        except BaseException:
            self._gone(stream)
            raise
        return _Opening(stream, point)

    async def _listening(self, stream: EventStream, last: str) -> StatePoint:
        account = stream.login.account
        point = await self._hub.listen(account, stream)
        if last:
            known = point_of(last) or StatePoint(0, 0)
            changes, boxes = await self._hub.since(account, known, not stream.sees_all)
            stream.heard(account, changes, boxes)
            if not stream.once:  # its next one would be told the same, and end
                await self._hub.tell_shared(account, stream)
        return point

    def _gone(self, stream: EventStream) -> None:
        self._streams.discard(stream)
        self._hub.leave(stream.login.account, stream)


class _Opening(Response):
    """Begins the answer, then hands its connection to the stream."""

    def __init__(self, stream: EventStream, point: StatePoint) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._stream, self._point = stream, point

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            body = self._stream.begin(self._point)
            await send({"type": "http.response.body", "body": body, "more_body": True})
            if not hand_on(scope, self._stream):
                self._stream.end()
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except BaseException:
            self._stream.end()
            raise
