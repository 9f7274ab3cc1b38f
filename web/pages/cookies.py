"""The cookies of pages: who is logged in, and which browser a form was made for.

Over TLS their names begin with `__Host-` (a prefix of the revision of RFC 6265), so that no other
host and no plain connection can set them; the few peers that may come without TLS get them without.
"""

from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

SESSION: Final = "session"
FORM: Final = "form"
MAX_VALUE: Final = 200


def read_cookie(request: HTTPConnection, name: str, secure: bool) -> str:
    """The value, "" for none or one that is too long."""
    value = request.cookies.get(_name(name, secure), "")
    return value if len(value) <= MAX_VALUE else ""


def set_cookie(
    response: Response, name: str, value: str, secure: bool, seconds: int | None = None
) -> None:
    """For the whole host; without `seconds` it ends with the browser."""
    response.set_cookie(
        _name(name, secure),
        value,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def end_cookie(response: Response, name: str, secure: bool) -> None:
    """Takes it back."""
    set_cookie(response, name, "", secure, 0)


def _name(name: str, secure: bool) -> str:
    return f"__Host-{name}" if secure else name
