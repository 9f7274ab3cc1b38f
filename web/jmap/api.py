"""JMAP over HTTP: the Session, the API, and downloads (RFC 8620 §2, §3.1, §6.2).

Requests of one account that run at once are bounded; those beyond wait for a moment before they are
refused.
"""

from collections.abc import Sequence
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from net.limits import MINUTE
from net.threads import Offload
from web.answering import Answering
from web.jmap.context import Context
from web.jmap.entrance import Entrance
from web.jmap.errors import RequestError
from web.jmap.granted import Granted
from web.jmap.limits import Limits
from web.jmap.mail.download import Downloads
from web.jmap.methods import CORE, Methods
from web.jmap.request import ApiRequest, parse_request, problem_of, response
from web.jmap.session import PREFIX, session_object, session_state
from web.jmap.turns import Held, Turns
from web.json_body import BadBody, read_body
from web.problem import ProblemResponse

WELL_KNOWN: Final = "/.well-known/jmap"
_QUICK: Final = 128 * 1024
_MAX_DETAIL: Final = 100
_NO_STORE: Final = {"Cache-Control": "no-cache, no-store, must-revalidate"}


class JmapApi:
    """The routes."""

    def __init__(
        self,
        entrance: Entrance,
        methods: Methods[Context],
        capabilities: frozenset[str],
        limits: Limits,
        downloads: Downloads,
        granted: Granted,
        answering: Answering,
        offload: Offload,
    ) -> None:
        self._route, self._methods, self._limits = entrance.route, methods, limits
        self._capabilities, self._downloads = capabilities | {CORE}, downloads
        self._granted, self._answering, self._offload = granted, answering, offload
        self._turns, self._loads = Turns(limits.concurrent_requests), Turns(limits.downloads)

    def routes(self) -> Sequence[Route]:
        """For the registry."""
        return [
            self._route(WELL_KNOWN, self._session, "GET"),
            self._route(f"{PREFIX}/session", self._session, "GET"),
            self._route(f"{PREFIX}/api", self._api, "POST"),
            self._route(f"{PREFIX}/download/{{account}}/{{blob}}/{{name:path}}", self._blob, "GET"),
        ]

    async def _session(self, request: Request, context: Context) -> Response:
        origin = self._answering.origin(request)
        return _json(session_object(context, self._limits, origin))

    async def _api(self, request: Request, context: Context) -> Response:
        try:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RequestError("notJSON", "a body of the type application/json is needed")
            async with self._turns.turn(context.login.account):
                asked = await self._asked(await read_body(request, self._limits.request))
                found = await self._methods.run(asked, context)
                state = session_state(context, self._limits)
                data = await response(found, state, asked.created_ids)
        except BadBody as bad:
            if bad.status != 413:
                raise
            error = RequestError("limit", str(bad), limit="maxSizeRequest", status=413)
            return _refused(error, Connection="close")
        except RequestError as error:
            return _refused(error)
        return Response(data, media_type="application/json", headers=_NO_STORE)

    async def _asked(self, data: bytes) -> ApiRequest:
        """Raises RequestError."""
        if len(data) > _QUICK:
            if problem := await self._offload.process(problem_of, data):
                raise RequestError(*problem)
            return parse_request(data, self._limits, self._capabilities, checked=True)
        return parse_request(data, self._limits, self._capabilities)

    async def _blob(self, request: Request, context: Context) -> Response:
        params = request.path_params
        if not self._granted.take(context, f"download {params['blob']}"[:_MAX_DETAIL]):
            return ProblemResponse(429, "Too many requests of this login", wait=MINUTE)
        try:
            taken = await self._loads.take(context.login.account)
        except RequestError as error:
            return _refused(error)
        try:
            answer = await self._downloads.answer(
                context,
                params["account"],
                params["blob"],
                params["name"],
                request.query_params.get("type", ""),
            )
        except BaseException:
            taken.release()
            raise
        return Held(answer, taken)


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json", headers=_NO_STORE)


def _refused(error: RequestError, **headers: str) -> Response:
    return ProblemResponse(error.status, str(error), more=error.members, headers=headers)
