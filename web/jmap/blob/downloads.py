"""Downloads of messages, their parts and uploads (RFC 8620 §6.2, RFC 8621 §4.1)."""

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from storage.blob_values import NoSuchBlob, Scan
from web.drive.ranges import Span, Unsatisfiable, if_range, is_unchanged, spans_of
from web.jmap.blob.reading import BlobHeldBack, BlobReader, Found
from web.jmap.context import Context, mail_in
from web.jmap.octets import Budget
from web.problem import ProblemResponse

_TYPE: Final = "application/octet-stream"
_SOON: Final = 5.0


class Downloads:
    """Octets of what the login may read."""

    def __init__(self, blobs: BlobReader) -> None:
        self._blobs = blobs

    async def answer(
        self, request: Request, context: Context, account_id: str, blob_id: str, name: str
    ) -> Response:
        """404 for what is not there, whatever the reason; 503 while it is being scanned, 403 for
        what has a virus. What an id stands for never changes, so that it is its ETag; of several
        ranges all octets are sent (RFC 9110 §14.2).
        """
        account = mail_in(context, account_id, Budget("the answer", 0))
        if account is None:
            return ProblemResponse(404)
        try:
            found = await self._blobs.find(account, blob_id)
        except NoSuchBlob:
            return ProblemResponse(404)
        except BlobHeldBack as held:
            if held.scan is Scan.INFECTED:
                return ProblemResponse(403, str(held))
            return ProblemResponse(503, str(held), wait=_SOON)
        etag = f'"{blob_id}"'
        headers = {"Cache-Control": "private, immutable, max-age=31536000", "ETag": etag}
        if is_unchanged(request.headers.get("if-none-match"), None, etag, 0):
            return Response(status_code=304, headers=headers)
        try:
            span = _span(request, found.size, etag)
        except Unsatisfiable:
            size = {"Content-Range": f"bytes */{found.size}"}
            return ProblemResponse(416, f"It has {found.size} octets", headers=size)
        headers |= {
            "Accept-Ranges": "bytes",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Content-Type": _media_type(request.query_params.get("type", "")),
            "X-Content-Type-Options": "nosniff",
        }
        return self._sent(found, span, headers)

    def _sent(self, found: Found, span: Span | None, headers: dict[str, str]) -> Response:
        status, part = 200, span or Span(0, found.size)
        if span is not None:
            status = 206
            headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{found.size}"
        headers["Content-Length"] = str(part.length)
        return StreamingResponse(self._blobs.pieces(found, part.start, part.end), status, headers)


def _span(request: Request, size: int, etag: str) -> Span | None:
    """The one range that is asked for, None for all of it. Raises Unsatisfiable."""
    asked = request.headers.get
    if request.method != "GET" or not if_range(asked("if-range"), etag, -1):
        return None
    spans = spans_of(asked("range"), size)
    return spans[0] if len(spans) == 1 else None


def _media_type(asked: str) -> str:
    """What the client wants to be told (§6.2), where it is a media type at all."""
    kind, slash, sub = asked.partition("/")
    plain = all(sign.isalnum() or sign in "!#$&-^_.+" for sign in kind + sub)
    return asked if slash and kind and sub and plain and asked.isascii() else _TYPE
