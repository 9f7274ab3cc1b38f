"""A message of 7 bits out of one of 8 (RFC 6152 §3): leaves in quoted-printable or base64,
whichever is shorter, headers by message/downgrade.py, preambles with "?". Pure.

Not converted, since no reader could undo it: parts of types that must not be encoded (RFC 2046
§5.2), encodings other than those of RFC 2045, boundaries beyond ASCII.
"""

import re
from typing import Final

from message.crlf import to_crlf
from message.downgrade import downgrade
from message.edits import Edit, apply_edits, base64_lines, quoted_printable
from message.headers import first, header_block, iter_fields, without_blank_line
from message.params import get_param
from message.scan import Part, scan_crlf, walk

_OUTSIDE_ASCII: Final = re.compile(rb"[\x80-\xff]+")
_EACH: Final = re.compile(rb"[\x80-\xff]")
_ASCII: Final = bytes(range(128))
_IDENTITY: Final = (b"7bit", b"8bit", b"binary")
_NOT_ENCODED: Final = (b"partial", b"external-body")


def seven_bit(data: bytes) -> bytes | None:
    """The message in ASCII, its header too; None where that can't be said without loss."""
    data = _with_mime(to_crlf(data))
    root = scan_crlf(data)
    if not all((get_param(part.params, b"boundary") or b"").isascii() for part in walk(root)):
        return None
    data = downgrade(data, root)
    made = _bodies(data, scan_crlf(data))
    return made if made.isascii() else None


def _with_mime(data: bytes) -> bytes:
    """RFC 1428 §3: text of which nothing is known has a charset of which nothing is known."""
    header = without_blank_line(header_block(data))
    fields = b""
    if first(header, b"mime-version") is None:
        fields += b"MIME-Version: 1.0\r\n"
    if first(header, b"content-type") is None and not data[len(header) :].isascii():
        fields += b"Content-Type: text/plain; charset=unknown-8bit\r\n"
    return header + fields + data[len(header) :] if header.endswith(b"\r\n") else data


def _bodies(data: bytes, root: Part) -> bytes:
    return apply_edits(data, (edit for part in walk(root) for edit in _edits(data, part)))


def _edits(data: bytes, part: Part) -> list[Edit]:
    end = part.body_offset + part.body_length
    if part.children:
        return _holder(data, part, end)
    body = data[part.body_offset : end]
    if body.isascii():
        return _labelled(data, part, b"7bit") if part.encoding == b"8bit" else []
    encoding, made = _encoded(part, body)
    if made is None:
        return []
    last = b"\r\n" if end == len(data) and not made.endswith(b"\r\n") else b""
    body_edit = (part.body_offset, end, made + last)
    return [*(_labelled(data, part, encoding) if encoding else ()), body_edit]


def _holder(data: bytes, part: Part, end: int) -> list[Edit]:
    """A multipart or a message: what it says of its encoding, and what stands between its parts."""
    edits = _labelled(data, part, b"7bit") if part.encoding in (b"8bit", b"binary") else []
    final = part.children[-1]
    gaps = (
        (part.body_offset, part.children[0].header_offset),
        (final.body_offset + final.body_length, end),
    )
    return edits + [
        (start, stop, _EACH.sub(b"?", data[start:stop]))
        for start, stop in gaps
        if not data[start:stop].isascii()
    ]


def _encoded(part: Part, body: bytes) -> tuple[bytes, bytes | None]:
    """The encoding to declare, b"" for the one that is declared, and the body in it."""
    if part.encoding == b"quoted-printable":
        return b"", _EACH.sub(lambda found: b"=%02X" % found[0][0], body)
    if part.encoding == b"base64":
        return b"", _OUTSIDE_ASCII.sub(b"", body)
    if part.encoding not in _IDENTITY or _is_holder(part):
        return b"", None
    if part.type == b"text" and len(body.translate(None, _ASCII)) * 6 <= len(body):
        return b"quoted-printable", quoted_printable(body)
    return b"base64", base64_lines(body)


def _is_holder(part: Part) -> bool:
    """Whether its type allows no encoding, also where nothing was found in it (RFC 2046 §5)."""
    if part.type == b"message":
        return part.is_message or part.subtype in _NOT_ENCODED
    declared = part.fields.get(b"type", b"").strip().lower()
    return declared.startswith((b"multipart/", b"message/"))


def _labelled(data: bytes, part: Part, encoding: bytes) -> list[Edit]:
    """The part's own field, at the end of its header where it has none; further ones go."""
    start = part.header_offset
    block = data[start : start + part.header_length]
    line = b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    found = [
        (start + field.start, start + field.end)
        for field in iter_fields(block)
        if field.name.lower() == b"content-transfer-encoding"
    ]
    if not found:
        at = start + len(without_blank_line(block))
        return [(at, at, line)]
    return [(*found[0], line), *((*span, b"") for span in found[1:])]
