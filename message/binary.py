"""Binary MIME parts (RFC 3030 §3) as base64, so that a message can be stored, read by IMAP and sent
on through DATA. Pure.
"""

from base64 import b64encode

from message.headers import iter_fields
from message.scan import Part, scan_crlf, walk

_LINE = 57
Edit = tuple[int, int, bytes]


def without_binary(data: bytes) -> bytes:
    """The message with every part of `Content-Transfer-Encoding: binary` in base64; what holds
    such parts says 8bit. All else stays as it is.
    """
    root = scan_crlf(data)
    edits = [edit for part in walk(root) for edit in _edits(data, part)]
    out: list[bytes] = []
    at = 0
    for start, end, octets in sorted(edits):
        out += (data[at:start], octets)
        at = end
    return b"".join((*out, data[at:]))


def _edits(data: bytes, part: Part) -> list[Edit]:
    if part.encoding != b"binary":
        return []
    holds = bool(part.children) or part.is_multipart or part.is_message
    edits = _declared(data, part, b"8bit" if holds else b"base64")
    if holds or not edits:
        return edits
    start, end = part.body_offset, part.body_offset + part.body_length
    last = b"\r\n" if end == len(data) else b""  # else the line end is the delimiter's
    return [*edits, (start, end, _base64(data[start:end]) + last)]


def _declared(data: bytes, part: Part, encoding: bytes) -> list[Edit]:
    """The edit of the part's own field, the first one of it."""
    start = part.header_offset
    block = data[start : start + part.header_length]
    for field in iter_fields(block):
        if field.name.lower() == b"content-transfer-encoding":
            line = field.name + b": " + encoding + b"\r\n"
            return [(start + field.start, start + field.end, line)]
    return []


def _base64(octets: bytes) -> bytes:
    lines = [b64encode(octets[at : at + _LINE]) for at in range(0, len(octets), _LINE)]
    return b"\r\n".join(lines)
