"""What is attached to a message: its parts that are no text to be read in place, files that stand
uuencoded in such text, and what is attached to messages that are attached in base64 or as files.
Pure; nothing else is decoded before it is asked for.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from message.crlf import to_crlf
from message.decoding import decode
from message.scan import Part, scan_crlf, walk
from message.uuencode import MARK, uu_files

# Octets as they were sent.
_START: Final = 4096
_DEEPEST: Final = 3
_READ: Final = (b"plain", b"html", b"enriched", b"x-amp-html")
_UUENCODED: Final = frozenset({b"x-uuencode", b"uuencode", b"x-uue", b"uue"})


class Attached:
    """Something attached: its name, how it begins, and all of it when that is asked for."""

    def __init__(self, name: str, data: bytes, part: Part | None = None) -> None:
        self.name, self._data, self._part = name.replace("/", "_"), data, part

    @cached_property
    def start(self) -> bytes:
        part = self._part
        if part is None or part.encoding in _UUENCODED:
            return self.content[:_START]
        begin, length = part.body_offset, min(part.body_length, _START)
        return decode(self._data[begin : begin + length], part.encoding.decode("ascii", "replace"))

    @cached_property
    def content(self) -> bytes:
        part = self._part
        return self._data if part is None else _decoded(self._data, part)


def attached(data: bytes, depth: int = 0) -> Iterator[Attached]:
    """What is attached, in order. `data` has CRLF line ends; in messages that had to be decoded it
    is looked for to a depth of 3.
    """
    for part in walk(scan_crlf(data)):
        if part.children or part.is_multipart:
            continue
        if _is_attachment(part):
            one = Attached(part.filename or part.content_type.replace("/", "-"), data, part)
            yield one
            if depth < _DEEPEST and _is_message(part, one.name):
                yield from attached(to_crlf(one.content), depth + 1)
        elif part.subtype == b"plain":
            text = _decoded(data, part)
            if MARK in text:
                yield from (Attached(name, content) for name, content in uu_files(text))


def _is_message(part: Part, name: str) -> bool:
    """It is one that was not read as such, since it is encoded or called otherwise."""
    declared = part.fields.get(b"type", b"").strip().lower()
    return declared.startswith((b"message/rfc822", b"message/global")) or name.lower().endswith(
        ".eml"
    )


def _is_attachment(part: Part) -> bool:
    """It is no text to be read in place."""
    return part.type != b"text" or part.subtype not in _READ or bool(part.filename)


def _decoded(data: bytes, part: Part) -> bytes:
    body = data[part.body_offset : part.body_offset + part.body_length]
    if part.encoding in _UUENCODED:
        return next((content for _, content in uu_files(body)), b"")
    return decode(body, part.encoding.decode("ascii", "replace"))
