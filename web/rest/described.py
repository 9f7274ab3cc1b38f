"""GET /api/v1/openapi.json: the endpoints, described."""

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web.rest.conditions import etag, is_known
from web.rest.endpoint import PREFIX, Endpoint
from web.rest.openapi import document

PATH = f"{PREFIX}/openapi.json"


def described_route(endpoints: Sequence[Endpoint]) -> Route:
    """Made once: the document is the same for everybody."""
    data = octets(endpoints)
    headers = {"ETag": etag(data), "Cache-Control": "no-cache"}

    async def answer(request: Request) -> Response:
        if is_known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type="application/json")

    return Route(PATH, answer, methods=["GET"])


def octets(endpoints: Sequence[Endpoint]) -> bytes:
    """As docs/openapi.json has it."""
    return orjson.dumps(document(endpoints), option=orjson.OPT_INDENT_2) + b"\n"
