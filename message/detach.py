"""Large attachments taken out of a message, and what tells of their links put in their place. Pure.

What is signed or encrypted as a whole stays as it is, and so does what is inside an attached
message.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from message.edits import Edit, apply_edits, quoted_printable
from message.scan import Part, scan_crlf

_SEALED: Final = frozenset({b"signed", b"encrypted"})
_CRYPTO: Final = (b"pkcs7-", b"x-pkcs7-", b"pgp-")
_UNITS: Final = ("KB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Detachable:
    """An attachment of `length` encoded octets at `offset`, `size` decoded as far as its encoding
    says.
    """

    name: str
    encoding: str
    offset: int
    length: int
    size: int
    part: Part


@dataclass(frozen=True, slots=True)
class Linked:
    """What stands in its place: name, size in octets, where it is to be had."""

    name: str
    size: int
    url: str


def detachable(data: bytes, least: int) -> list[Detachable]:
    """Attachments of so many octets or more, of a message in its CRLF form, in order."""
    root = scan_crlf(data)
    return [one for part in _outside(root) if (one := _of(part, least)) is not None]


def _outside(root: Part) -> Iterator[Part]:
    """Leaves whose octets nothing vouches for."""
    pending = [root] if root.is_multipart else []
    while pending:
        part = pending.pop()
        if part.is_multipart and part.subtype not in _SEALED:
            pending += reversed(part.children)
        elif not part.is_multipart and not part.is_message:
            yield part


def _of(part: Part, least: int) -> Detachable | None:
    said, name = part.disposition, part.filename
    kind = said[0] if said else b""
    if kind != b"attachment" and (name is None or kind == b"inline"):
        return None
    if part.subtype.startswith(_CRYPTO):
        return None
    encoding = part.encoding.decode("ascii", "replace")
    size = part.body_length * 57 // 78 if encoding == "base64" else part.body_length
    if size < least:
        return None
    return Detachable(name or "", encoding, part.body_offset, part.body_length, size, part)


def detached(
    data: bytes, gone: Sequence[Detachable], linked: Sequence[Linked], until: str
) -> bytes:
    """The message without these parts; a text with the links, as plain text and as HTML, stands
    where the first was. `until` is the day on which the links end, for people.
    """
    edits: list[Edit] = []
    for number, one in enumerate(gone):
        start, end = one.part.header_offset, one.offset + one.length
        if number == 0:
            edits.append((start, end, _block(linked, until)))
        else:
            edits.append((data.rindex(b"\r\n--", 0, start), end, b""))
    return apply_edits(data, edits)


def _block(linked: Sequence[Linked], until: str) -> bytes:
    boundary = f"=_{secrets.token_hex(16)}"
    parts = "".join(
        f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\nContent-Disposition: inline\r\n\r\n"
        f"{quoted_printable(text.encode()).decode()}\r\n"
        for kind, text in (("plain", _plain(linked, until)), ("html", _html(linked, until)))
    )
    head = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    return f"{head}{parts}--{boundary}--".encode()


def _plain(linked: Sequence[Linked], until: str) -> str:
    listed = "".join(f"{one.name} ({shown_size(one.size)})\r\n{one.url}\r\n\r\n" for one in linked)
    return f"Files that go with this message:\r\n\r\n{listed}The links are good until {until}.\r\n"


def _html(linked: Sequence[Linked], until: str) -> str:
    listed = "".join(
        f'<li><a href="{escape(one.url)}">{escape(one.name)}</a> ({shown_size(one.size)})</li>\r\n'
        for one in linked
    )
    return (
        "<!doctype html>\r\n<html><body>\r\n<hr>\r\n<p>Files that go with this message:</p>\r\n"
        f"<ul>\r\n{listed}</ul>\r\n<p>The links are good until {escape(until)}.</p>\r\n"
        "</body></html>\r\n"
    )


def shown_size(octets: int) -> str:
    """For people: "2.5 MB", of 1,000,000 octets each."""
    size = float(octets)
    if size < 1000:
        return f"{octets} bytes"
    unit = -1
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}"
