"""Words of a text in casemap's form, and how a search string falls into words.

A word is a run of octets between separators, so that a string without separators lies within one
word wherever it occurs: the terms that hold it name exactly the messages that hold it. Pure.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

# Separators become spaces: ASCII that is neither letter nor digit; of the others, what
# decomposition leaves of Latin-1's signs, general punctuation and that of CJK.
_TABLE: Final = bytes(octet if octet >= 128 or chr(octet).isalnum() else 32 for octet in range(256))
_SIGNS: Final = re.compile(rb"\xc2[\x80-\xbf]|\xe2[\x80\x81][\x80-\xbf]|\xe3\x80[\x80-\xbf]")
LONGEST: Final = 4096
"""Octets of a word; a text with a longer one is looked at itself."""


class Place(Enum):
    """Where in a term a piece of a search string stands."""

    INSIDE = 0
    START = 1
    END = 2
    WHOLE = 3

    def pattern(self, piece: bytes) -> bytes:
        """What to look for among terms that stand between newlines."""
        before = b"\n" if self in (Place.START, Place.WHOLE) else b""
        after = b"\n" if self in (Place.END, Place.WHOLE) else b""
        return before + piece + after


def words(text: bytes) -> list[bytes]:
    """The words in order."""
    if not text.isascii():
        text = _SIGNS.sub(b" ", text)
    return text.translate(_TABLE).split()


@dataclass(frozen=True, slots=True)
class Needle:
    """A search string as what must stand in terms of one message. `exact`: terms settle it."""

    text: bytes
    pieces: tuple[tuple[bytes, Place], ...]

    @property
    def exact(self) -> bool:
        return self.pieces == ((self.text, Place.INSIDE),)

    @classmethod
    def of(cls, text: bytes) -> "Needle":
        found = words(text)
        last = len(found) - 1
        # The first word goes on to the left unless a separator stands before it; so the last one.
        open_left = bool(found) and text.startswith(found[0])
        open_right = bool(found) and text.endswith(found[last])
        pieces = [
            (word, _place(at == 0 and open_left, at == last and open_right))
            for at, word in enumerate(found)
        ]
        return cls(text, tuple(pieces))


def _place(open_left: bool, open_right: bool) -> Place:
    if open_left:
        return Place.INSIDE if open_right else Place.END
    return Place.START if open_right else Place.WHOLE
