"""blobIds of mail (RFC 8620 §6): a message's is `B` and its number; a part's adds its own."""

import re
from typing import Final

from storage.values import BlobId

_BLOB: Final = re.compile(r"B([0-9a-f]{1,16})(?:-(\d{1,5}(?:_\d{1,5}){0,99}))?")


def message_blob(blob: BlobId) -> str:
    """The whole message."""
    return f"B{blob:x}"


def mail_blob(blob_id: str) -> tuple[BlobId, tuple[int, ...]] | None:
    """The message, and the numbers of the part in it, () for all of it; None for another blobId."""
    found = _BLOB.fullmatch(blob_id)
    if found is None or int(found[1], 16) >= 1 << 63:
        return None
    numbers = tuple(map(int, found[2].split("_"))) if found[2] else ()
    return BlobId(int(found[1], 16)), numbers
