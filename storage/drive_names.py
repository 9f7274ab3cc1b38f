"""Ids of attachments in the drive, which are their blobIds of JMAP, and what names may hold."""

import re
import unicodedata
from typing import Final

from storage.drive_values import MAX_FOLDER, MAX_NAME, BadDriveValue, ItemId
from storage.values import BlobId

_PART: Final = re.compile(r"B([0-9a-f]{1,16})-(\d{1,5}(?:_\d{1,5}){0,99})")
_CONTROLS: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
NAMELESS: Final = "file"


def part_id(message: BlobId, part: str) -> ItemId:
    """`part` is the part's number as IMAP counts, "1.2"."""
    return ItemId(f"B{message:x}-{part.replace('.', '_')}")


def part_of(item: ItemId) -> tuple[BlobId, str] | None:
    """The message and the number of the part; None for the id of a file."""
    found = _PART.fullmatch(item)
    if found is None or int(found[1], 16) >= 1 << 63:
        return None
    return BlobId(int(found[1], 16)), found[2].replace("_", ".")


def tidy_name(name: str) -> str:
    """A name as it is kept: no path, on one line, of MAX_NAME octets at most; what nobody could
    read, such as a change of the direction of writing, is left out.
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(" " if one in "\t\r\n" else one for one in last if _is_plain(one))
    kept = unicodedata.normalize("NFC", " ".join(kept.split())).strip(". ")
    if not kept:
        return NAMELESS
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending.encode()) > 20:
        stem, dot, ending = kept, "", ""
    room = MAX_NAME - len((dot + ending).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + ending


def checked_folder(folder: str) -> str:
    """A path of names with "/" between, "" for the top. Raises BadDriveValue."""
    if not folder:
        return ""
    names = folder.strip("/").split("/")
    if len(folder) > MAX_FOLDER or any(not one or one != tidy_name(one) for one in names):
        raise BadDriveValue("A folder is a path of plain names, 1000 characters at most")
    return "/".join(names)


def _is_plain(char: str) -> bool:
    return char in "\t\r\n" or unicodedata.category(char) not in _CONTROLS
