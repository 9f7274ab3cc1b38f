"""Maildir++ names: folders as `.A.B` in modified UTF-7, base names and flag letters. Pure.

A `.` inside a level is written `&AC4-`, a leading or other unsafe byte by modified UTF-7 (RFC 3501
§5.1.3), so that every mailbox name has exactly one folder.
"""

import binascii
import re
from dataclasses import dataclass

from storage.values import BlobId, System

SEPARATOR = "/"
MAX_FOLDER = 240
_BASE = re.compile(r"(\d+)\.V(\d+)\.([^,:/]+),S=(\d+),U=(\d+)")
_LETTERS = (
    (System.DRAFT, "D"),
    (System.FLAGGED, "F"),
    (System.ANSWERED, "R"),
    (System.SEEN, "S"),
    (System.DELETED, "T"),
)


def encode_utf7(text: str, also: str = "") -> str:
    """Modified UTF-7; characters of `also` are encoded like non-ASCII ones."""
    out: list[str] = []
    pending: list[str] = []

    def flush() -> None:
        if pending:
            raw = "".join(pending).encode("utf-16-be", "surrogatepass")
            coded = binascii.b2a_base64(raw, newline=False).rstrip(b"=").replace(b"/", b",")
            out.append(f"&{coded.decode()}-")
            pending.clear()

    for character in text:
        if " " <= character <= "~" and character not in also:
            flush()
            out.append("&-" if character == "&" else character)
        else:
            pending.append(character)
    flush()
    return "".join(out)


def decode_utf7(text: str) -> str:
    """The reverse of encode_utf7. Raises ValueError on anything that it would not write."""
    out: list[str] = []
    position = 0
    while (start := text.find("&", position)) >= 0:
        out.append(text[position:start])
        end = text.find("-", start)
        if end < 0:
            raise ValueError("unfinished shift")
        coded = text[start + 1 : end]
        out.append(_decode_shift(coded) if coded else "&")
        position = end + 1
    out.append(text[position:])
    return "".join(out)


def folder_path(name: str) -> str:
    """The folder of a mailbox: "" for INBOX, `.Sent`, `.Work.2026` for Work/2026."""
    if name == "INBOX":
        return ""
    return "".join("." + encode_utf7(level, "./") for level in name.split(SEPARATOR))


def mailbox_name(path: str) -> str:
    """The mailbox of a folder; foreign spellings that are not modified UTF-7 are kept as they are.

    Raises ValueError when `path` is no folder name at all.
    """
    if path == "":
        return "INBOX"
    if not path.startswith(".") or path in (".", ".."):
        raise ValueError("not a Maildir++ folder")
    return SEPARATOR.join(_decode_level(level) for level in path[1:].split("."))


@dataclass(frozen=True, slots=True)
class BaseName:
    """`<seconds>.V<blob id>.<host>,S=<size>,U=<uid>`, final until the message is moved."""

    seconds: int
    blob: BlobId
    host: str
    size: int
    uid: int

    def __str__(self) -> str:
        return f"{self.seconds}.V{self.blob}.{self.host},S={self.size},U={self.uid}"


def parse_base(name: str) -> BaseName | None:
    """A file name of ours, with or without its flags; None for a foreign one."""
    found = _BASE.fullmatch(name.partition(":2,")[0])
    if found is None:
        return None
    return BaseName(int(found[1]), BlobId(int(found[2])), found[3], int(found[4]), int(found[5]))


def flag_letters(system: System, keyword_letters: str = "") -> str:
    """What stands behind `:2,`: system letters, then keyword letters, each part in ASCII order."""
    letters = "".join(letter for flag, letter in _LETTERS if system & flag)
    return letters + "".join(sorted(keyword_letters))


def parse_letters(name: str) -> tuple[System, str]:
    """System flags and the keyword letters (a-z) of a file name."""
    letters = name.rpartition(":2,")[2] if ":2," in name else ""
    system = System(0)
    for flag, letter in _LETTERS:
        if letter in letters:
            system |= flag
    return system, "".join(sorted({letter for letter in letters if "a" <= letter <= "z"}))


def _decode_level(level: str) -> str:
    try:
        return decode_utf7(level)
    except ValueError:
        return level


def _decode_shift(coded: str) -> str:
    padded = coded.replace(",", "/") + "=" * (-len(coded) % 4)
    try:
        text = binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("broken shift") from error
    if encode_utf7(text, text) != f"&{coded}-":
        raise ValueError("not the one spelling")
    return text
