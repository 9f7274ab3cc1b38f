"""The preview of a message: the first words of its text, at most 200 characters (RFC 8970 §4).

Made once, at delivery, from the first text that is no attachment; of alternatives the plain one is
taken, else markup is taken out of the HTML. Quoted lines are left out unless there is nothing else.
Work is bounded whatever the message holds: a few parts, of each its first octets.
"""

import re
from typing import Final

from message.decoding import decode
from message.entities import unescape
from message.scan import Part
from message.words import decode_text

MAX_CHARACTERS: Final = 200
_FIRST: Final = 400
_PLAIN: Final = 8 * 1024
_HTML: Final = 32 * 1024
_PARTS: Final = 20
_HIDDEN: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|head|title)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
_INLINE: Final = re.compile(r"</?(?:a|b|i|u|em|span|strong|font|small|sub|sup|wbr)\b[^<>]*>", re.I)
_TAG: Final = re.compile(r"<[^>]*>?")
_QUOTED: Final = re.compile(r"^>.*(?:\n|\Z)", re.MULTILINE)
# Controls, and what newsletters pad their previews with: joiners, soft hyphens, marks of direction.
_NOISE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
)


def preview(data: bytes, root: Part) -> str:
    """The preview of a scanned message in its CRLF form; "" when it has no text."""
    return _Search(data).of(root)


class _Search:
    """One look for text through the parts."""

    __slots__ = ("_data", "_left")

    def __init__(self, data: bytes) -> None:
        self._data, self._left = data, _PARTS

    def of(self, part: Part) -> str:
        """The text of the part, or of the first below it that has some."""
        if part.is_multipart:
            children = part.children[:_PARTS]
            if part.subtype == b"alternative":
                children = sorted(children, key=lambda child: child.subtype != b"plain")
            return next((text for text in map(self.of, children) if text), "")
        if part.type != b"text" or self._left <= 0 or _is_attachment(part):
            return ""
        self._left -= 1
        html = part.subtype == b"html"
        length = min(part.body_length, _HTML if html else _PLAIN)
        octets = self._data[part.body_offset : part.body_offset + length]
        octets = decode(octets, part.encoding.decode("ascii", "replace"))
        text = decode_text(octets, part.charset)
        return _of_html(text) if html else _of_plain(text)


def _is_attachment(part: Part) -> bool:
    disposition = part.disposition if b"disposition" in part.fields else None
    return disposition is not None and disposition[0] == b"attachment"


def _of_plain(text: str) -> str:
    if ">" in text:
        return _line(_QUOTED.sub("", text)) or _line(text)
    return _line(text)


def _of_html(text: str) -> str:
    text = _INLINE.sub("", _HIDDEN.sub(" ", text))
    return _line(unescape(_TAG.sub(" ", text)))


def _line(text: str) -> str:
    """One line without noise, of at most MAX_CHARACTERS."""
    for length in (_FIRST, 16 * 1024):  # the first is enough for most, and this runs at delivery
        words = " ".join(_NOISE.sub("", text[:length]).split())
        if len(words) > MAX_CHARACTERS or len(text) <= length:
            break
    return words[:MAX_CHARACTERS].rstrip()
