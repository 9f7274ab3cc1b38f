"""The text that a search looks at: decoded headers and decoded text parts, in casemap's form.

The text of attachments stands apart, and with it the file names. HTML counts without its tags. Pure
and linear; nothing raises on any bytes. Works on the CRLF form.
"""

from base64 import b64decode
from binascii import Error
from dataclasses import dataclass
from quopri import decodestring
from typing import Final

from message.casemap import casemap
from message.headers import all_values, iter_fields, unfold
from message.html_text import html_text
from message.scan import Part, scan_crlf
from message.words import decode_text, decode_words

# More text than this of one part, or of one message, is not looked at.
MOST: Final = 16 * 1024 * 1024
_BREAKS: Final = str.maketrans("\r\n\0", "   ")
_NUL: Final = str.maketrans("\0", " ")
_NOT_BASE64: Final = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)


@dataclass(frozen=True, slots=True)
class SearchText:
    """UTF-8. `header` has a line `NAME: value` for each field; parts are kept apart by NUL, which
    no search string has.
    """

    header: bytes
    body: bytes
    attached: bytes

    def contains(self, needle: bytes, whole: bool) -> bool:
        """BODY, or with `whole` TEXT, of a needle in casemap's form."""
        return needle in self.body or needle in self.attached or (whole and needle in self.header)


def search_text(data: bytes) -> SearchText:
    """The text of a message in its CRLF form."""
    root = scan_crlf(data)
    reader = _Reader(data)
    reader.walk(root)
    header = reader.header_of(root)
    return SearchText(_form([header]), _form(reader.body), _form(reader.attached))


def body_text(data: bytes) -> str:
    """The text that a reader sees first, as it is, of a message in its CRLF form: that of its text
    parts, without attachments.
    """
    reader = _Reader(data)
    reader.walk(scan_crlf(data))
    return "\n".join(reader.body)


def octets(text: str) -> bytes:
    """A search string, or a text, in the form that is compared."""
    return casemap(text).encode("utf-8", "replace")


def field_text(value: bytes) -> str:
    """A raw header value as text, on one line."""
    return decode_words(unfold(value)).translate(_BREAKS)


def field_contains(block: bytes, name: bytes, needle: bytes) -> bool:
    """Whether a field of that name holds a needle in casemap's form; an empty one asks for its
    presence.
    """
    plain = needle.split() == [needle] and b"=?" not in block and block.isascii()
    if plain and needle not in block.upper():
        return False  # cheap, and enough for most messages: folding moves nothing within a word
    return any(needle in octets(field_text(value)) for value in all_values(block, name))


def _form(pieces: list[str]) -> bytes:
    return b"\0".join([octets(piece) for piece in pieces])


class _Reader:
    """Gathers texts, most of one message at a time."""

    __slots__ = ("_data", "_room", "attached", "body")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._room = MOST
        self.body: list[str] = []
        self.attached: list[str] = []

    def walk(self, root: Part) -> None:
        pending = [(root, False)]
        while pending and self._room > 0:
            part, inside = pending.pop()
            apart = inside or (part is not root and _is_attachment(part))
            if part is not root:
                self._names(part)
            if part.is_message:
                for child in part.children:
                    self._add(self.header_of(child), True)
            elif part.type == b"text" and not part.children:
                self._add(self._text(part), apart)
            below = apart or part.is_message
            pending += [(child, below) for child in reversed(part.children)]

    def header_of(self, part: Part) -> str:
        start = part.header_offset
        block = self._data[start : start + min(part.header_length, MOST)]
        return "\n".join(
            [
                f"{field.name.decode('ascii', 'replace')}: {field_text(field.value)}"
                for field in iter_fields(block)
            ]
        )

    def _names(self, part: Part) -> None:
        """What an attachment is called."""
        if b"disposition" in part.fields or part.params:
            name = part.filename
            if name:
                self._add(name.translate(_BREAKS), True)
        description = part.fields.get(b"description")
        if description:
            self._add(field_text(description), True)

    def _add(self, text: str, apart: bool) -> None:
        text = text[: self._room]
        self._room -= len(text)
        (self.attached if apart else self.body).append(text)

    def _text(self, part: Part) -> str:
        start = part.body_offset
        body = self._data[start : start + min(part.body_length, MOST)]
        text = decode_text(_decoded(body, part.encoding), part.charset)
        if part.subtype == b"html" or part.subtype == b"xhtml":
            return html_text(text).translate(_NUL)
        return text.translate(_NUL) if "\0" in text else text


def _is_attachment(part: Part) -> bool:
    disposition = part.disposition
    return disposition is not None and disposition[0].lower() == b"attachment"


def _decoded(body: bytes, encoding: bytes) -> bytes:
    """The octets behind the transfer encoding; broken base64 gives what can be read of it."""
    if encoding == b"quoted-printable":
        return decodestring(body)
    if encoding != b"base64":
        return body
    try:
        return b64decode(body)
    except Error:
        usable = body.translate(None, _NOT_BASE64)
        usable = usable[: len(usable) - (len(usable) % 4 == 1)]
        return b64decode(usable + b"=" * (-len(usable) % 4))
