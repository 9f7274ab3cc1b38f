"""Answers of the endpoints that programs ask: JSON, errors as the standards name them, and CORS for
the origins of oauth.cors.
"""

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from auth.oauth.errors import OAuthError
from web.form_body import Form

MAX_AGE: Final = 3600


def answer(body: Mapping[str, Any], status: int = 200, *, cache: int = 0) -> Response:
    """`cache` is the seconds for which anybody may keep it."""
    control = f"public, max-age={cache}" if cache else "no-store"
    return JSONResponse(dict(body), status, {"Cache-Control": control, "Pragma": "no-cache"})


def refusal(error: OAuthError, scheme: str = "Basic", *, given: bool = True) -> Response:
    """RFC 6749 §5.2, and RFC 6750 §3 where the scheme is Bearer: then WWW-Authenticate names the
    error only where something was `given`.
    """
    body = {"error": error.error, "error_description": str(error)}
    found = answer(body, error.status)
    if error.status in (401, 403):
        more = f', error="{error.error}"' if scheme == "Bearer" and given else ""
        found.headers["WWW-Authenticate"] = f'{scheme} realm="mail"{more}'
    if error.wait > 0:
        found.headers["Retry-After"] = str(math.ceil(error.wait))
    return found


def with_cors(request: Request, found: Response, origins: Sequence[str]) -> Response:
    """Lets the scripts of these origins read the answer."""
    found.headers["Vary"] = "Origin"
    origin = request.headers.get("origin", "")
    if origin in origins:
        found.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS":
            found.headers["Access-Control-Allow-Methods"] = "GET, POST"
            found.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            found.headers["Access-Control-Max-Age"] = str(MAX_AGE)
    return found


def fields_of(form: Form, names: Sequence[str]) -> dict[str, str]:
    """Those parameters that are there. Raises OAuthError where one is there twice (RFC 6749
    §3.2); empty ones count as absent, others are passed over, however often they are there.
    """
    if doubled := form.doubled(names):
        raise OAuthError("invalid_request", f"{doubled} is there more than once")
    return {name: value for name in names if (value := form.text(name))}


def credentials_of(request: Request, form: Mapping[str, str]) -> tuple[str, str | None]:
    """The id of the client that asks, and the secret that it gives, by Basic authorization or in
    the form, not by both (RFC 6749 §2.3). Raises OAuthError.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        if not form.get("client_id"):
            raise OAuthError("invalid_client", "client_id is needed", 401)
        return form["client_id"], form.get("client_secret")
    if scheme.lower() != "basic" or "client_secret" in form:
        raise OAuthError("invalid_request", "one way to authenticate the client is enough")
    try:
        pair = base64.b64decode(given.strip(), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    number, colon, secret = pair.partition(":")
    if not colon:
        raise OAuthError("invalid_client", "Client authentication failed", 401)
    number = unquote_plus(number)
    if form.get("client_id", number) != number:
        raise OAuthError("invalid_request", "client_id is another one's")
    return number, unquote_plus(secret)


def bearer_of(request: Request) -> str:
    """The token of `Authorization: Bearer` (RFC 6750 §2.1). Raises OAuthError."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise OAuthError("invalid_token", "Authorization: Bearer and a token are needed", 401)
    return token.strip()
