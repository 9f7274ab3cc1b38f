"""Which pages of other origins may ask (the Fetch standard, §3.2): those of `http.cors_origins`,
with a token and without cookies.
"""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match"
SHOWN: Final = "ETag, Link, Location, Retry-After, X-Request-Id, Allow"
SECONDS: Final = 600


def share(request: Request, response: Response, origins: Sequence[str]) -> None:
    """Says so in an answer to one of `origins`; who asks otherwise is told nothing."""
    if not origins:
        return
    response.headers.append("Vary", "Origin")
    origin = request.headers.get("origin")
    if origin is not None and origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = SHOWN


def options(request: Request, allow: str, origins: Sequence[str]) -> Response:
    """The answer to OPTIONS: what there is, and to a preflight of one of `origins` that it may."""
    response = Response(status_code=204, headers={"Allow": allow})
    asked = request.headers.get("access-control-request-method")
    if asked and request.headers.get("origin") in origins:
        response.headers["Access-Control-Allow-Methods"] = allow
        response.headers["Access-Control-Allow-Headers"] = HEADERS
        response.headers["Access-Control-Max-Age"] = str(SECONDS)
    return response
