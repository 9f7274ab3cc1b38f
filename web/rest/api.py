"""The way of a request of REST: its endpoint, its login, what it brings, the condition that it
sets, the handler, the answer.

Invariants: nothing is read of a body before it is known whose it is; every error is a problem
(RFC 9457); changes of an account that set conditions wait for one another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode
from weakref import WeakValueDictionary

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from auth.caller import Caller
from net.threads import Busy, Offload
from storage.errors import StoreError
from web.answering import Answering
from web.problem import ProblemResponse
from web.rest.callers import Callers
from web.rest.conditions import CHANGES, check, check_needed, etag, is_conditional, is_known
from web.rest.endpoint import PREFIX, Call, Endpoint
from web.rest.errors import RestError
from web.rest.faults import busy, refused
from web.rest.inputs import body_of, params_of, query_of
from web.rest.models import Give
from web.rest.paging import page_of
from web.rest.repeats import FIELD, Repeats
from web.rest.table import Found, Table
from web.turns import Crowded, Turns

AT_ONCE: Final = 16
"""Requests of an account."""
_READ: Final = {"Cache-Control": "private, no-cache"}
_CHANGED: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler gives where the value alone does not say all."""

    value: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class RestApi:
    """The one route."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        callers: Callers,
        repeats: Repeats,
        answering: Answering,
        offload: Offload,
    ) -> None:
        self._table, self._offload = Table(endpoints), offload
        self._callers, self._repeats, self._answering = callers, repeats, answering
        self._turns = Turns(AT_ONCE)
        self._locks: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    def routes(self) -> Sequence[Route]:
        """For the registry, behind the routes that have a fixed path below PREFIX."""
        return [Route(f"{PREFIX}/{{path:path}}", self)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        found = self._table.find(request.scope["raw_path"])
        if found is None:
            return ProblemResponse(404)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": found.allow})
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = found.methods.get(method)
        if endpoint is None:
            return ProblemResponse(405, headers={"Allow": found.allow})
        if endpoint.handler is None:  # its service is elsewhere, and not there
            return ProblemResponse(503, wait=5)
        run = partial(self._run, endpoint, found)
        return await self._answering.answering(run, counted=False)(request)

    async def _run(
        self, endpoint: Endpoint, found: Found, request: Request, caller: Caller
    ) -> Response:
        try:
            login = await self._callers.login(request, endpoint, caller)
            check_needed(endpoint, request.headers)
            params, query = params_of(endpoint, found.texts), query_of(request, endpoint)
            if login is None:
                data, body = await body_of(request, endpoint, self._offload)
                call = Call(request, params, query, body, None, caller.peer)
                return await self._called(endpoint, found, call, data)
            async with self._turns.turn(login.account):
                data, body = b"", None
                if not endpoint.ready:
                    data, body = await body_of(request, endpoint, self._offload)
                call = Call(request, params, query, body, login, caller.peer)
                return await self._called(endpoint, found, call, data)
        except Busy as error:
            raise busy(error) from error
        except Crowded as error:
            return ProblemResponse(429, str(error), wait=10)
        except RestError as error:
            return ProblemResponse(
                error.status, str(error), wait=error.wait, more=error.more, headers=error.headers
            )

    async def _called(self, endpoint: Endpoint, found: Found, call: Call, data: bytes) -> Response:
        work: Callable[[], Awaitable[Response]] = partial(self._answer, endpoint, found, call)
        if endpoint.method in CHANGES and call.login is not None:
            work = partial(self._in_turn, endpoint, found, call)
        if endpoint.method == "POST" and FIELD in call.request.headers and call.login is not None:
            secret = endpoint.secret
            return await self._repeats.once(call.request, call.account, data, work, secret=secret)
        return await work()

    async def _in_turn(self, endpoint: Endpoint, found: Found, call: Call) -> Response:
        """Nothing of the login happens there between what a change builds on and the change."""
        key = (call.account, endpoint.path.strip("/").partition("/")[0])
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            if is_conditional(call.request):
                check(call.request, await self._state(found, call))
            return await self._answer(endpoint, found, call)

    async def _state(self, found: Found, call: Call) -> str | None:
        """The ETag of what a change is about, None where there is nothing."""
        reading = found.methods.get("GET")
        if reading is None or reading.handler is None or reading.gives is None:
            raise RestError(412, "this has no ETag")
        bare = Call(call.request, call.params, reading.query(), None, call.login, call.peer)
        try:
            return etag(_octets(reading, await _handled(reading, bare)))
        except RestError as error:
            if error.status == 404:
                return None
            raise

    async def _answer(self, endpoint: Endpoint, found: Found, call: Call) -> Response:
        value = await _handled(endpoint, call)
        if endpoint.ready:
            assert isinstance(value, Response)
            return value
        headers: Mapping[str, str] = {}
        if isinstance(value, Reply):
            value, headers = value.value, value.headers
        if endpoint.gives is None:
            return Response(status_code=endpoint.answers, headers={**_CHANGED, **headers})
        data = _octets(endpoint, value)
        fields = {**(_READ if endpoint.method == "GET" else _CHANGED), **headers}
        if _tells_state(endpoint, found):
            fields["ETag"] = etag(data)
            if endpoint.method == "GET" and is_known(call.request, fields["ETag"]):
                return Response(status_code=304, headers=fields)
        if endpoint.order is not None and value["next"]:
            fields["Link"] = _next(call, value["next"])
        return Response(data, endpoint.answers, fields, endpoint.media)


async def _handled(endpoint: Endpoint, call: Call) -> Any:
    """What the handler gives, of a list its page. Raises RestError, Problem, StoreError."""
    assert endpoint.handler is not None
    try:
        value = await endpoint.handler(call)
    except StoreError as error:
        raise refused(error) from error
    except Busy as error:
        raise busy(error) from error
    return value if endpoint.order is None else page_of(call, value, endpoint.order)


def _octets(endpoint: Endpoint, value: Any) -> bytes:
    assert endpoint.gives is not None
    made = value if isinstance(value, Give) else endpoint.gives.model_validate(value)
    return made.model_dump_json(by_alias=True).encode()


def _tells_state(endpoint: Endpoint, found: Found) -> bool:
    """Whether the answer is what GET of the path gives."""
    reading = found.methods.get("GET")
    return endpoint.method != "POST" and reading is not None and reading.gives is endpoint.gives


def _next(call: Call, cursor: str) -> str:
    """RFC 8288 §3."""
    asked = call.query.model_dump(mode="json", exclude_unset=True) | {"cursor": cursor}
    shown = {name: _text(value) for name, value in asked.items()}
    return f'<{call.request.url.path}?{urlencode(shown)}>; rel="next"'


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
