"""Answers: documents of XML, whole or in pieces, and errors with their precondition."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from web.dav.errors import DavError
from web.dav.multistatus import MULTISTATUS
from web.dav.xml_write import MEDIA_TYPE, closing, document, error_document, opening
from web.problem import ProblemResponse

NO_STORE: Final = {"Cache-Control": "no-store"}
_XML: Final = f"{MEDIA_TYPE}; charset=utf-8"
_PIECE: Final = 64 * 1024
_AT_ONCE: Final = 100


def xml(name: str, content: str, status: int = 200) -> Response:
    """One document."""
    return Response(document(name, content), status, NO_STORE, _XML)


def multistatus(content: str, headers: Mapping[str, str] | None = None) -> Response:
    """A short one."""
    fields = {**NO_STORE, **(headers or {})}
    return Response(document(MULTISTATUS, content), 207, fields, _XML)


def streamed(parts: AsyncIterator[str], headers: Mapping[str, str] | None = None) -> Response:
    """A multistatus of any length, sent while it is made."""
    fields = {**NO_STORE, **(headers or {})}
    return StreamingResponse(_pieces(parts), 207, fields, _XML)


async def _pieces(parts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """Joined to pieces worth sending; others get their turn in between."""
    held, length, count = [opening(MULTISTATUS)], 0, 0
    async for part in parts:
        held.append(part)
        length, count = length + len(part), count + 1
        if length >= _PIECE:
            yield "".join(held).encode()
            held, length = [], 0
        if count % _AT_ONCE == 0:
            await asyncio.sleep(0)
    held.append(closing(MULTISTATUS))
    yield "".join(held).encode()


def refusal(error: DavError) -> Response:
    """As DAV:error where a precondition failed, else as a problem."""
    headers = {"Connection": "close"} if error.status == 413 else {}
    if error.condition:
        data = error_document(error.condition, error.inside)
        return Response(data, error.status, NO_STORE | headers, _XML)
    return ProblemResponse(error.status, error.detail, headers=headers)


def minimal(request: Request) -> bool:
    """Whether the client wants only what is there (RFC 8144 §2, and Brief of older clients)."""
    words = {word.strip().lower() for word in request.headers.get("prefer", "").split(",")}
    return "return=minimal" in words or request.headers.get("brief", "").strip().lower() == "t"


def preferred(request: Request) -> dict[str, str]:
    """The headers that say so."""
    applied = {"Preference-Applied": "return=minimal"} if minimal(request) else {}
    return {"Vary": "Prefer, Brief", **applied}
