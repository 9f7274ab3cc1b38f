"""One WebSocket of a client: requests, answered as they are done, and pushed changes (RFC 8887 §4).

At most so many requests run at once; while they do, no further message is read. What is pushed is
bounded as a stream's is: one state a type that the client has not taken.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from auth.login_values import Login
from storage.errors import StoreError
from storage.type_states import StatePoint, TypeChanges
from storage.values import AccountId
from web.jmap.context import Context
from web.jmap.errors import RequestError
from web.jmap.push.hub import Boxes, Hub
from web.jmap.push.state_change import (
    Pending,
    Types,
    of_types,
    point_of,
    state_change,
    states_for,
    text_of,
)
from web.jmap.requests import Requests

GOING_AWAY: Final = 1001
UNSUPPORTED: Final = 1003
"""RFC 6455 §7.4.1."""
MAX_TYPES: Final = 100


class Socket:
    """A listener of the hub once the client wants that; `run` until it ends."""

    def __init__(self, ws: WebSocket, context: Context, requests: Requests, hub: Hub) -> None:
        self._ws, self._context, self._requests, self._hub = ws, context, requests, hub
        self.login: Login = context.login
        self.peer = context.peer
        self._slots = asyncio.Semaphore(requests.limits.concurrent_requests)
        self._tasks: set[asyncio.Task[None]] = set()
        self._types: Types = frozenset()
        self._pending = Pending()
        self._point = StatePoint(0, 0)
        self._pushing = False
        self.ended = False

    @property
    def sees_all(self) -> bool:
        """As hub.Listener."""
        return not self.login.grant.folders

    async def run(self) -> None:
        """Returns when the connection is over and what was asked is done."""
        try:
            while True:
                message = await self._ws.receive()
                if message["type"] == "websocket.disconnect" or self.ended:
                    break
                text = message.get("text")
                if text is None:
                    await self._ws.close(UNSUPPORTED, "text is needed")
                    break
                await self._slots.acquire()
                self._start(self._answer(text.encode()))
        finally:
            self.ended = True
            self._hub.leave(self.login.account, self)
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self) -> None:
        """As streams.Stream."""
        if not self.ended:
            self.ended = True
            self._start(self._close())

    def heard(self, account: AccountId, changes: TypeChanges, boxes: Boxes) -> None:
        """As hub.Listener."""
        self._point = changes.until
        self._pending.add(account, states_for(changes, boxes, self._types, self.login.grant))
        self._tell()

    def heard_shared(self, owner: AccountId, states: Mapping[str, str]) -> None:
        """As hub.Listener."""
        self._pending.add(owner, of_types(states, self._types))
        self._tell()

    def _tell(self) -> None:
        if self._pending and not self._pushing and not self.ended:
            self._pushing = True
            self._start(self._push())

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self) -> None:
        await self._ws.close(GOING_AWAY, "the login or the server has ended")

    async def _push(self) -> None:
        try:
            while self._pending:
                pushed = state_change(self._pending.taken())
                await self._send(orjson.dumps({**pushed, "pushState": text_of(self._point)}))
        finally:
            self._pushing = False

    async def _answer(self, data: bytes) -> None:
        """Gives its slot back when the client has taken the answer."""
        try:
            answer = await self._answered(data)
            if answer is not None and not self.ended:
                await self._send(answer)
        finally:
            self._slots.release()

    async def _answered(self, data: bytes) -> bytes | None:
        id_ = None
        try:
            found = await self._requests.read(data)
            id_ = _request_id(found)
            return await self._done(found, id_)
        except RequestError as error:
            return _refusal(error, id_)
        except StoreError:
            return _refusal(RequestError("serverUnavailable", "try again later", status=503), id_)

    async def _done(self, found: Any, id_: str | None) -> bytes | None:
        kind = found.get("@type") if isinstance(found, dict) else None
        if kind == "Request":
            asked = {name: found[name] for name in found if name not in ("@type", "id")}
            more = {"@type": "Response"} | ({} if id_ is None else {"requestId": id_})
            async with self._requests.turns.turn(self.login.account):
                return await self._requests.answer(asked, self._context, more)
        if kind == "WebSocketPushEnable":
            await self._enable(found)
        elif kind == "WebSocketPushDisable":
            self._types = frozenset()
            self._pending.taken()
            self._hub.leave(self.login.account, self)
        else:
            raise _not_request("@type: Request, WebSocketPushEnable or WebSocketPushDisable")
        return None

    async def _enable(self, found: dict[str, Any]) -> None:
        types, state = found.get("dataTypes"), found.get("pushState")
        self._types = _types(types)
        if state is not None and not isinstance(state, str):
            raise _not_request("pushState: a string is needed")
        account = self.login.account
        self._point = await self._hub.listen(account, self)
        if self.ended:
            self._hub.leave(account, self)
        elif state is not None:
            since = point_of(state) or StatePoint(0, 0)
            self.heard(account, *await self._hub.since(account, since, not self.sees_all))
            await self._hub.tell_shared(account, self)

    async def _send(self, data: bytes) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the client has gone, or was ended
            await self._ws.send_text(data.decode())


def _request_id(found: Any) -> str | None:
    """Raises RequestError."""
    id_ = found.get("id") if isinstance(found, dict) else None
    if id_ is not None and not isinstance(id_, str):
        raise _not_request("id: a string is needed")
    return id_


def _types(found: Any) -> Types:
    """Raises RequestError."""
    if found is None:
        return None
    if isinstance(found, list) and all(isinstance(one, str) for one in found[:MAX_TYPES]):
        return frozenset(found[:MAX_TYPES])
    raise _not_request("dataTypes: an array of strings or null is needed")


def _refusal(error: RequestError, id_: str | None) -> bytes:
    """The RequestError object."""
    told = {"@type": "RequestError", "requestId": id_, "status": error.status}
    return orjson.dumps({**told, "detail": str(error), **error.members})


def _not_request(text: str) -> RequestError:
    return RequestError("notRequest", text)
