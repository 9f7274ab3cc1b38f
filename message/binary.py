"""Binary MIME parts (RFC 3030 §3) as base64, so that a message can be stored, read by IMAP and sent
on through DATA. Pure.
"""

from message.edits import Edit, apply_edits, base64_lines
from message.headers import iter_fields
from message.scan import Part, scan_crlf, walk


def without_binary(data: bytes) -> bytes:
    """The message with every part of `Content-Transfer-Encoding: binary` in base64; what holds
    such parts says 8bit. All else stays as it is.
    """
    root = scan_crlf(data)
    return apply_edits(data, (edit for part in walk(root) for edit in _edits(data, part)))


def _edits(data: bytes, part: Part) -> list[Edit]:
    if part.encoding != b"binary":
        return []
    holds = bool(part.children) or part.is_multipart or part.is_message
    edits = _declared(data, part, b"8bit" if holds else b"base64")
    if holds or not edits:
        return edits
    start, end = part.body_offset, part.body_offset + part.body_length
    last = b"\r\n" if end == len(data) else b""  # else the line end is the delimiter's
    return [*edits, (start, end, base64_lines(data[start:end]) + last)]


def _declared(data: bytes, part: Part, encoding: bytes) -> list[Edit]:
    """The edit of the part's own field, the first one of it."""
    start = part.header_offset
    block = data[start : start + part.header_length]
    for field in iter_fields(block):
        if field.name.lower() == b"content-transfer-encoding":
            line = field.name + b": " + encoding + b"\r\n"
            return [(start + field.start, start + field.end, line)]
    return []
