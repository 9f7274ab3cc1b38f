"""Downloads of messages, their parts and uploads (RFC 8620 §6.2, RFC 8621 §4.1)."""

from typing import Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from storage.blob_values import NoSuchBlob, Scan
from web.jmap.blob.reading import BlobHeldBack, BlobReader
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
        self, context: Context, account_id: str, blob_id: str, name: str, media_type: str
    ) -> Response:
        """404 for what is not there, whatever the reason; 503 while it is being scanned, 403 for
        what has a virus.
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
        headers = {
            "Cache-Control": "private, immutable, max-age=31536000",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Content-Type": _media_type(media_type),
            "X-Content-Type-Options": "nosniff",
        }
        if found.data is not None:
            return Response(found.data, headers=headers)
        headers["Content-Length"] = str(found.size)
        return StreamingResponse(self._blobs.pieces(found), headers=headers)


def _media_type(asked: str) -> str:
    """What the client wants to be told (§6.2), where it is a media type at all."""
    kind, slash, sub = asked.partition("/")
    plain = all(sign.isalnum() or sign in "!#$&-^_.+" for sign in kind + sub)
    return asked if slash and kind and sub and plain and asked.isascii() else _TYPE
