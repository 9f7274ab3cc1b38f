"""One request: who asks, for what, and its body within bounds."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from web.dav.conditions import Conditions
from web.dav.errors import DavError
from web.dav.paths import Path
from web.dav.resources import User
from web.json_body import read_body

MAX_BODY: Final = 256 * 1024
"""Octets of XML, but of a REPORT."""
MAX_REPORT: Final = 16 * 1024 * 1024
"""One that names every card of the largest book."""


@dataclass(frozen=True, slots=True)
class Asking:
    """`path` is what the URL names."""

    request: Request
    user: User
    path: Path
    conditions: Conditions

    def header(self, name: str) -> str | None:
        return self.request.headers.get(name)

    async def body(self, limit: int = MAX_BODY) -> bytes:
        """Raises DavError, BadBody, starlette.requests.ClientDisconnect."""
        coding = (self.header("content-encoding") or "identity").strip().lower()
        if coding != "identity":
            raise DavError(415, detail=f"not in {coding}")
        return await read_body(self.request, limit)
