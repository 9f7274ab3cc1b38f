"""JMAP over HTTP: the Session, the API, uploads and downloads (RFC 8620 §2, §3.1, §6).

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
from web.jmap.blob.downloads import Downloads
from web.jmap.blob.uploads import Uploads
from web.jmap.context import Context
from web.jmap.entrance import Entrance
from web.jmap.errors import RequestError, too_many
from web.jmap.granted import Granted
from web.jmap.requests import Requests
from web.jmap.session import PREFIX, session_object
from web.json_body import BadBody, read_body
from web.problem import ProblemResponse
from web.turns import Held, Turns

WELL_KNOWN: Final = "/.well-known/jmap"
_MAX_DETAIL: Final = 100
_NO_STORE: Final = {"Cache-Control": "no-cache, no-store, must-revalidate"}


class JmapApi:
    """The routes."""

    def __init__(
        self,
        entrance: Entrance,
        requests: Requests,
        downloads: Downloads,
        uploads: Uploads,
        granted: Granted,
    ) -> None:
        self._route, self._answering = entrance.route, entrance.answering
        self._requests, self._limits = requests, requests.limits
        self._downloads, self._granted = downloads, granted
        self._loads = Turns(self._limits.downloads, too_many)
        self._uploads = uploads
        self._uploading = Turns(
            self._limits.concurrent_uploads, lambda: too_many("maxConcurrentUpload")
        )

    def routes(self) -> Sequence[Route]:
        """For the registry."""
        return [
            self._route(WELL_KNOWN, self._session, "GET"),
            self._route(f"{PREFIX}/session", self._session, "GET"),
            self._route(f"{PREFIX}/api", self._api, "POST"),
            self._route(f"{PREFIX}/upload/{{account}}/", self._upload, "POST"),
            self._route(f"{PREFIX}/download/{{account}}/{{blob}}/{{name:path}}", self._blob, "GET"),
        ]

    async def _session(self, request: Request, context: Context) -> Response:
        origin = self._answering.origin(request)
        context = await self._requests.entered(context)
        return _json(session_object(context, self._requests.offer, origin))

    async def _api(self, request: Request, context: Context) -> Response:
        try:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RequestError("notJSON", "a body of the type application/json is needed")
            async with self._requests.turns.turn(context.login.account):
                found = await self._requests.read(await read_body(request, self._limits.request))
                data = await self._requests.answer(found, context)
        except BadBody as bad:
            if bad.status != 413:
                raise
            error = RequestError("limit", str(bad), limit="maxSizeRequest", status=413)
            return _refused(error, Connection="close")
        except RequestError as error:
            return _refused(error)
        return Response(data, media_type="application/json", headers=_NO_STORE)

    async def _upload(self, request: Request, context: Context) -> Response:
        if not self._granted.take(context, "upload"):
            return ProblemResponse(429, "Too many requests of this login", wait=MINUTE)
        try:
            async with self._uploading.turn(context.login.account):
                context = await self._requests.entered(context)
                return await self._uploads.answer(request, context, request.path_params["account"])
        except RequestError as error:  # what is left of the body is not read
            return _refused(error, Connection="close")

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
                request,
                await self._requests.entered(context),
                params["account"],
                params["blob"],
                params["name"],
            )
        except BaseException:
            taken.release()
            raise
        return Held(answer, taken)


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json", headers=_NO_STORE)


def _refused(error: RequestError, **headers: str) -> Response:
    return ProblemResponse(error.status, str(error), more=error.members, headers=headers)
