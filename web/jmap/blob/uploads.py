"""Uploads (RFC 8620 §6.1): octets of any kind, kept for a day unless something refers to them.

Bounded while they come, in octets and in time, and streamed to the disk. The answer is the same
whether the server has the content already.
"""

from collections.abc import AsyncIterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from config.clock import Clock
from filters.blob_scanning import BlobScanner
from storage.blob_values import Blob, BlobTooLarge, Bound, Kind, Reference
from storage.blobs import Blobs
from storage.errors import OverQuota
from storage.values import AccountId
from web.answering import json_of
from web.jmap.context import Context, mail_in
from web.jmap.errors import RequestError
from web.jmap.limits import Limits
from web.jmap.octets import Budget
from web.paced_body import paced
from web.problem import ProblemResponse

KEPT: Final = 24 * 3600.0
"""Seconds that an upload stays without anything that refers to it."""
BOUND: Final = Bound(octets=250 * 1024 * 1024, blobs=2_000, oldest_go=True)
_TYPE: Final = "application/octet-stream"


class Uploads:
    """Of all accounts."""

    def __init__(self, blobs: Blobs, scanner: BlobScanner, limits: Limits, clock: Clock) -> None:
        self._blobs, self._scanner = blobs, scanner
        self._limits, self._clock = limits, clock

    async def answer(self, request: Request, context: Context, account_id: str) -> Response:
        """Raises RequestError, BadBody, StoreError, ClientDisconnect."""
        account = mail_in(context, account_id, Budget("the answer", 0))
        if account is None:
            return ProblemResponse(404)
        if account.read_only:
            return ProblemResponse(403, "This login may not change anything")
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._limits.upload:
            raise self._too_large()
        try:
            blob = await self.put(account.holder, paced(request.stream()))
        except BlobTooLarge:
            raise self._too_large() from None
        except OverQuota:
            return ProblemResponse(413, "There is no room for it")
        kind = request.headers.get("content-type", "").strip()
        return json_of(
            {
                "accountId": account_id,
                "blobId": blob.hash,
                "type": kind or _TYPE,
                "size": blob.size,
            },
            201,
        )

    async def put(self, account: AccountId, pieces: AsyncIterable[bytes]) -> Blob:
        """Keeps octets for KEPT seconds. Raises BlobTooLarge, OverQuota, StoreError."""
        reference = Reference(Kind.UPLOAD, expires=self._clock.now() + KEPT)
        most = self._limits.upload
        blob = await self._blobs.put(account, pieces, reference, most=most, bound=BOUND)
        self._scanner.begin(blob)
        return blob

    def _too_large(self) -> RequestError:
        text = f"an upload has at most {self._limits.upload} octets"
        return RequestError("limit", text, limit="maxSizeUpload", status=413)
