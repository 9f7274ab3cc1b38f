"""Conditional requests (RFC 9110 §13): an answer's ETag is what its octets are, and changes may say
on what state they build.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from starlette.requests import Request

from web.rest.endpoint import Endpoint, Match
from web.rest.errors import RestError

_TAG: Final = re.compile(r'\s*(W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)')
CHANGES: Final = frozenset({"PUT", "PATCH", "DELETE"})


def etag(data: bytes) -> str:
    """Of an answer's octets."""
    return f'"{sha256(data).hexdigest()[:32]}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has this state already (If-None-Match)."""
    given = request.headers.get("if-none-match")
    return given is not None and (given.strip() == "*" or tag in _tags(given))


def is_conditional(request: Request) -> bool:
    """Whether a change depends on the state before it."""
    return "if-match" in request.headers or "if-none-match" in request.headers


def check_needed(endpoint: Endpoint, headers: Mapping[str, str]) -> None:
    """Raises RestError: a condition is wanted (RFC 6585 §3)."""
    if endpoint.match is Match.NEEDED and not ("if-match" in headers or "if-none-match" in headers):
        raise RestError(428, "If-Match or If-None-Match is needed: what does this replace?")


def check(request: Request, tag: str | None) -> None:
    """`tag` is that of what is there, None when nothing is. Raises RestError."""
    wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
    if wanted is not None:
        fits = tag is not None and (wanted.strip() == "*" or tag in _tags(wanted, weak=False))
    elif unwanted is not None:
        fits = tag is None or not (unwanted.strip() == "*" or tag in _tags(unwanted))
    else:
        fits = True
    if not fits:
        raise RestError(412, "it has changed meanwhile")


def _tags(text: str, *, weak: bool = True) -> set[str]:
    """Without `weak` for the strong comparison, in which no weak one equals another (RFC 9110
    §8.8.3.2).
    """
    return {found[2] for found in _TAG.finditer(text[:4096]) if weak or not found[1]}
