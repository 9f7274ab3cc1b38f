"""The parts table: BODY[1.2.MIME] to one range of the file, without parsing it.

A table is rows of ROW bytes, breadth first, so that the children of a row stand together. Row 0 is
the message. A message/rfc822 row has one child, the message inside it, which has no number of its
own. Ranges are those of the CRLF form.
"""

import struct
from enum import StrEnum
from typing import NamedTuple

from message.scan import Part

# kind, encoding, count of children, first child, header offset, length, body offset, length
_ROW = struct.Struct("<BBHIIIII")
_LEAF, _MULTIPART, _MESSAGE, _TEXT = range(4)
_ENCODINGS = ("unknown", "7bit", "8bit", "binary", "base64", "quoted-printable")
_CODES = {name.encode(): code for code, name in enumerate(_ENCODINGS)}

Row = tuple[int, int, int, int, int, int, int, int]


class Specifier(StrEnum):
    """What of a part is meant; HEADER.FIELDS and HEADER.FIELDS.NOT have the range of HEADER."""

    ALL = ""
    HEADER = "HEADER"
    TEXT = "TEXT"
    MIME = "MIME"


class BinaryPart(NamedTuple):
    """The range of a part and how it is encoded; multiparts and messages are never encoded."""

    offset: int
    length: int
    encoding: str
    text: bool


def pack_parts(root: Part) -> bytes:
    """The table of a scanned message; 24 bytes a part."""
    order = [root]
    rows = []
    for part in order:
        if part.is_multipart:
            kind = _MULTIPART
        else:
            kind = _MESSAGE if part.is_message else _TEXT if part.type == b"text" else _LEAF
        rows.append(
            _ROW.pack(
                kind,
                _CODES.get(part.encoding, 0),
                len(part.children),
                len(order),
                part.header_offset,
                part.header_length,
                part.body_offset,
                part.body_length,
            )
        )
        order.extend(part.children)
    return b"".join(rows)


def locate(
    parts: bytes, numbers: tuple[int, ...], specifier: Specifier = Specifier.ALL
) -> tuple[int, int] | None:
    """(offset, length) in the CRLF form, or None when there is no such part (RFC 9051 §6.4.5.1).

    `()` with ALL is the whole message. HEADER and TEXT of a number exist for message/rfc822 only;
    `1` of a message without parts is its body, and `1.MIME` then its header.
    """
    if not numbers:
        return _of_message(_row(parts, 0), specifier)
    node = _find(parts, numbers)
    if node is None:
        return None
    if specifier is Specifier.ALL:
        return node[6], node[7]
    if specifier is Specifier.MIME:
        return node[4], node[5]
    if node[0] != _MESSAGE:
        return None
    return _of_message(_row(parts, node[3]), specifier)


def binary_part(parts: bytes, numbers: tuple[int, ...]) -> BinaryPart | None:
    """The part that BINARY means; `()` is the whole message as it is. None: no such part."""
    if not numbers:
        offset, length = _of_message(_row(parts, 0), Specifier.ALL) or (0, 0)
        return BinaryPart(offset, length, "binary", False)
    node = _find(parts, numbers)
    if node is None:
        return None
    composite = node[0] in (_MULTIPART, _MESSAGE)
    encoding = "binary" if composite else _ENCODINGS[node[1]]
    return BinaryPart(node[6], node[7], encoding, node[0] == _TEXT)


def _of_message(row: Row, specifier: Specifier) -> tuple[int, int] | None:
    if specifier is Specifier.HEADER:
        return row[4], row[5]
    if specifier is Specifier.TEXT:
        return row[6], row[7]
    if specifier is Specifier.ALL:
        return row[4], row[6] + row[7] - row[4]
    return None


def _find(parts: bytes, numbers: tuple[int, ...]) -> Row | None:
    node = _row(parts, 0)
    in_message = True  # a message without parts is its own part 1
    for number in numbers:
        if not in_message and node[0] == _MESSAGE:
            node, in_message = _row(parts, node[3]), True
        if node[0] == _MULTIPART:
            if not 1 <= number <= node[2]:
                return None
            node = _row(parts, node[3] + number - 1)
        elif number != 1 or not in_message:
            return None
        in_message = False
    return node


def _row(parts: bytes, index: int) -> Row:
    return _ROW.unpack_from(parts, index * _ROW.size)


class Leaf(NamedTuple):
    """A part that holds no others, by its numbers; its header and body stand one behind the
    other.
    """

    numbers: tuple[int, ...]
    header_offset: int
    body_offset: int
    length: int
    encoding: str

    @property
    def number(self) -> str:
        """As IMAP writes it: 1.2."""
        return ".".join(map(str, self.numbers))


def leaves(parts: bytes) -> list[Leaf]:
    """What BODY[n] of the message gives without another multipart or message in it, in order;
    what is inside a message/rfc822 belongs to that message, which is one leaf.
    """
    found: list[Leaf] = []
    pending: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while pending:
        index, numbers = pending.pop()
        node = _row(parts, index)
        if node[0] == _MULTIPART:
            children = range(node[2])
            pending += [(node[3] + one, (*numbers, one + 1)) for one in reversed(children)]
            continue
        composite = node[0] == _MESSAGE
        encoding = "binary" if composite else _ENCODINGS[node[1]]
        found.append(Leaf(numbers or (1,), node[4], node[6], node[7], encoding))
    return found
