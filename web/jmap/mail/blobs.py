"""blobIds of mail (RFC 8620 §6): a message's is `B` and its number; a part's adds its own, in a
message inside another one behind that of the other.
"""

import re
from typing import Final

from storage.values import BlobId

_BLOB: Final = re.compile(r"B([0-9a-f]{1,16})")
_PART: Final = re.compile(r"\d{1,5}(?:_\d{1,5}){0,99}")
MAX_NESTED: Final = 20


def message_blob(blob: BlobId) -> str:
    """The whole message."""
    return f"B{blob:x}"


def mail_blob(blob_id: str) -> BlobId | None:
    """The message of its blobId, None for another blobId."""
    found = _BLOB.fullmatch(blob_id)
    if found is None or int(found[1], 16) >= 1 << 63:
        return None
    return BlobId(int(found[1], 16))


def split_blob(blob_id: str) -> tuple[str, tuple[str, ...]] | None:
    """What holds the part, and the number of the part in it, in the message that this is, ...; ()
    for all of it. None for what is no blobId.
    """
    whole, *parts = blob_id.split("-")
    if len(parts) > MAX_NESTED or not all(_PART.fullmatch(one) for one in parts):
        return None
    return whole, tuple(one.replace("_", ".") for one in parts)
