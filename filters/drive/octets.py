"""Contents of the drive read piece by piece: a blob's file, or a range of a message's."""

from collections.abc import AsyncGenerator
from typing import Final

from message.decoding import decoder
from message.part_octets import Encoded, raw_range
from storage.attachments import Attachments, Holder
from storage.blob_values import BlobHash
from storage.blobs import Blobs
from storage.values import AccountId

PIECE: Final = 256 * 1024


class BlobOctets:
    """Of an upload."""

    def __init__(self, blobs: Blobs, name: BlobHash, size: int) -> None:
        self._blobs, self._name, self.size = blobs, name, size

    def pieces(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        return self._blobs.pieces(self._name, start, end)


class PartOctets:
    """Of an attachment, its transfer encoding undone; `encoded` counts from the beginning of the
    message.
    """

    def __init__(
        self, attachments: Attachments, account: AccountId, holder: Holder, encoded: Encoded
    ) -> None:
        self._attachments, self._account = attachments, account
        self._holder, self._encoded, self.size = holder, encoded, encoded.size

    async def pieces(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        raw = raw_range(self._encoded, start, end)
        undo = decoder(self._encoded.encoding)
        assert undo is not None
        skip, left = raw.skip, end - start
        async for piece in self.raw(raw.start, raw.length):
            found = undo.feed(piece)
            if skip:
                cut = min(skip, len(found))
                skip, found = skip - cut, found[cut:]
            if found := found[:left]:
                left -= len(found)
                yield found
            if not left:
                return
        if found := undo.finish()[skip:][:left]:
            yield found

    async def raw(self, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Octets of the body as they stand in the message. Raises MessageMissing."""
        offset, end = self._encoded.offset + start, self._encoded.offset + start + length
        while offset < end:
            size = min(PIECE, end - offset)
            piece = await self._attachments.read(self._account, self._holder, offset, size)
            if not piece:
                return
            yield piece
            offset += len(piece)
