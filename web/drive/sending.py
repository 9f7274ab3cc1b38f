"""A file as an HTTP response: whole, in ranges, or not at all where the client has it (RFC 9110
§8.8, §13, §14). Read piece by piece as the client takes it.

Invariants: what a client does with it is bounded: a sandbox without scripts, no guessing of types,
saved unless it is of a short list; caches ask each time, so that what is revoked is gone.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from email.utils import formatdate
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from filters.drive.service import Octets, Opened
from web.drive.disposition import content_disposition
from web.drive.ranges import (
    MAX_RANGES,
    Span,
    Unsatisfiable,
    if_range,
    is_changed,
    is_unchanged,
    spans_of,
)
from web.problem import ProblemResponse

_PIECE: Final = 256 * 1024
_SAFE: Final = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-site",
}


class FileResponse(Response):
    """`release` is called once, when all was sent or the client went away."""

    def __init__(
        self,
        octets: Octets,
        parts: Sequence[tuple[bytes, Span]],
        tail: bytes,
        status: int,
        headers: Mapping[str, str],
        release: Callable[[], None],
    ) -> None:
        super().__init__(status_code=status, headers=dict(headers))
        self._octets, self._parts, self._tail = octets, parts, tail
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_gone(receive))
        try:
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            if scope["method"] != "HEAD":
                await self._body(send, gone)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            self._release()

    async def _body(self, send: Send, gone: "asyncio.Task[None]") -> None:
        """Nothing is read for a client that went away."""
        for head, span in self._parts:
            await self._send(send, head)
            async with aclosing(self._octets.pieces(span.start, span.end)) as pieces:
                async for piece in pieces:
                    await self._send(send, piece)
                    if gone.done():
                        return
        await self._send(send, self._tail)

    async def _send(self, send: Send, piece: bytes) -> None:
        for at in range(0, len(piece), _PIECE):
            body = piece[at : at + _PIECE]
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    """Returns when the client is."""
    while (await receive())["type"] != "http.disconnect":
        pass


def response_of(request: Request, opened: Opened, release: Callable[[], None]) -> Response:
    """200, 206, 304, 412 or 416; `release` is called in any case."""
    etag, at = f'"{opened.content}"', opened.changed
    asked = request.headers.get
    headers = {
        **_SAFE,
        "ETag": etag,
        "Last-Modified": formatdate(int(max(at, 0)), usegmt=True),
        "Accept-Ranges": "none" if opened.whole_only else "bytes",
    }
    if is_changed(asked("if-match"), asked("if-unmodified-since"), etag, at):
        release()
        return ProblemResponse(412, "This is another version of the file")
    if is_unchanged(asked("if-none-match"), asked("if-modified-since"), etag, at):
        release()
        return Response(status_code=304, headers=headers)
    size = opened.octets.size
    headers["Content-Disposition"] = content_disposition(opened.disposition, opened.name)
    kind = _shown_type(opened.type)
    try:
        spans = _spans(request, opened, etag)
    except Unsatisfiable:
        release()
        text = f"The file has {size} octets; at most {MAX_RANGES} ranges that do not overlap"
        return ProblemResponse(416, text, headers={"Content-Range": f"bytes */{size}"})
    if len(spans) > 1:
        return _several(opened.octets, spans, kind, headers, release)
    headers["Content-Type"] = kind
    span = spans[0] if spans else Span(0, size)
    if spans:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    headers["Content-Length"] = str(span.length)
    parts = [(b"", span)]
    return FileResponse(opened.octets, parts, b"", 206 if spans else 200, headers, release)


def _spans(request: Request, opened: Opened, etag: str) -> tuple[Span, ...]:
    """Raises Unsatisfiable."""
    if request.method != "GET" or opened.whole_only:  # §14.2: GET alone has ranges
        return ()
    if not if_range(request.headers.get("if-range"), etag, opened.changed):
        return ()
    return spans_of(request.headers.get("range"), opened.octets.size)


def _several(
    octets: Octets,
    spans: Sequence[Span],
    kind: str,
    headers: dict[str, str],
    release: Callable[[], None],
) -> Response:
    """multipart/byteranges (§14.6)."""
    boundary, size = secrets.token_hex(16), octets.size
    parts = []
    for span in spans:
        place = f"bytes {span.start}-{span.end - 1}/{size}"
        head = f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {place}\r\n\r\n"
        parts.append((head.encode(), span))
    tail = f"\r\n--{boundary}--\r\n".encode()
    length = sum(len(head) + span.length for head, span in parts) + len(tail)
    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    headers["Content-Length"] = str(length)
    return FileResponse(octets, parts, tail, 206, headers, release)


def _shown_type(kind: str) -> str:
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
