"""Tag lists (RFC 6376 §3.2): the values of DKIM-Signature, ARC-Seal, ARC-Message-Signature, and of
key records. Linear time; the length is the caller's to bound.
"""

import binascii
import re
from enum import Enum

_WSP = b" \t\r\n"
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_FOLDS = re.compile(rb"[ \t\r\n]+")


class Status(Enum):
    """What became of a signature, in the names of RFC 8601 §2.7.1.

    NEUTRAL: the field is not understood; POLICY: not accepted here, whatever its octets say;
    PERMERROR: no key that could verify it, or an algorithm that none may use any longer.
    """

    NONE = "none"
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    POLICY = "policy"
    NEUTRAL = "neutral"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class DkimFault(Exception):
    """A signature or a key that can't be used; `reason` is plain ASCII, and quotes nothing."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class TagError(ValueError):
    """Not a tag list; the message says what is wrong with it."""


def parse_tags(value: bytes) -> dict[bytes, bytes]:
    """Names (case kept) to values without the white space around them. Raises TagError."""
    found: dict[bytes, bytes] = {}
    parts = value.split(b";")
    if not parts[-1].strip(_WSP):
        parts.pop()
    for part in parts:
        name, equals, text = part.partition(b"=")
        name = name.strip(_WSP)
        if not equals or not _NAME.fullmatch(name):
            raise TagError("not a tag list")
        if name in found:
            raise TagError(f"{name.decode()}= is given twice")
        found[name] = text.strip(_WSP)
    return found


def without_folds(value: bytes) -> bytes:
    """The value without any white space."""
    return _FOLDS.sub(b"", value)


def decode_base64(value: bytes) -> bytes:
    """The octets of a base64string (white space anywhere). Raises TagError."""
    value = without_folds(value)
    if not value or len(value) % 4:
        raise TagError("not base64")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error:
        raise TagError("not base64") from None


def colon_list(value: bytes) -> list[bytes]:
    """The words of a list parted by colons, white space around each removed."""
    return [word.strip(_WSP) for word in value.split(b":")]
