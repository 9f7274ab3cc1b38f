"""Entities that replace and enclose put into a message (RFC 5703 §5, §6). Bytes in, bytes out."""

import hashlib
import re
from typing import Final

from message.crlf import to_crlf
from message.edits import base64_lines
from message.headers import build_field, first, header_block, iter_fields, without_blank_line

_MIME_FIELD: Final = re.compile(r"content-.*|mime-version", re.IGNORECASE)
_COPIED: Final = ("from", "to", "cc", "reply-to", "date", "message-id", "references", "in-reply-to")
_LONG_LINE: Final = re.compile(rb"[^\n]{900}")


def entity(text: str, mime: bool) -> bytes:
    """A MIME entity without a line end behind it; with `mime` the text is one already."""
    octets = to_crlf(text.encode("utf-8", "surrogateescape"))
    if mime:
        return (
            octets if octets.startswith(b"\r\n") or b"\r\n\r\n" in octets else octets + b"\r\n\r\n"
        )
    if octets.isascii() and not _LONG_LINE.search(octets):
        return b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + octets
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + base64_lines(octets)


def replacing(message: bytes, made: bytes, subject: str | None, sender: str | None) -> bytes:
    """The message with another body; what `:subject` and `:from` change is kept beside them."""
    block = without_blank_line(header_block(message))
    out: list[bytes] = []
    changed = {"subject": subject, "from": sender}
    for one in iter_fields(block):
        name = one.name.decode("ascii", "replace").lower()
        raw = _ended(block[one.start : one.end])
        if _MIME_FIELD.fullmatch(name):
            continue
        out.append(b"Original-" + raw if changed.get(name) is not None else raw)
    for name, value in (("Subject", subject), ("From", sender)):
        if value is not None:
            out.append(build_field(name, value))
    body = made if made.endswith(b"\r\n") else made + b"\r\n"
    return b"".join(out) + b"MIME-Version: 1.0\r\n" + body


def enclosing(message: bytes, text: str, subject: str | None, headers: tuple[str, ...]) -> bytes:
    """A message of the text with the other attached; fields of the other are copied."""
    block = without_blank_line(header_block(message))
    wanted = {*_COPIED, *(name.lower() for name in headers)}
    out = [
        _ended(block[one.start : one.end])
        for one in iter_fields(block)
        if (name := one.name.decode("ascii", "replace").lower()) in wanted
        and not _MIME_FIELD.fullmatch(name)
        and name != "subject"
    ]
    said = first(block, b"subject") or b""
    out.append(
        b"Subject: " + said + b"\r\n" if subject is None else build_field("Subject", subject)
    )
    boundary = b"=_" + hashlib.blake2b(message, digest_size=12).hexdigest().encode()
    out += (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="' + boundary + b'"\r\n',
        b"\r\n--" + boundary + b"\r\n" + entity(text, mime=False),
        b"\r\n--" + boundary + b"\r\nContent-Type: message/rfc822\r\n",
        b"Content-Disposition: attachment\r\n\r\n" + message,
        b"\r\n--" + boundary + b"--\r\n",
    )
    return b"".join(out)


def _ended(raw: bytes) -> bytes:
    return raw if raw.endswith(b"\n") else raw + b"\r\n"
