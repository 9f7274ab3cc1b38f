"""A message as somebody reads it: who, when, about what, its text and HTML, its attachments. Pure.

Bounded: of a text MOST characters, PARTS attachments, ADDRESSES a field. Nothing raises. HTML is as
it was sent: whoever shows it has to clean it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from message.address_list import mailboxes
from message.date import parse_date
from message.decoding import decode, decoder
from message.headers import all_values, first, header_block, unfold
from message.scan import MAX_HEADER, Part, scan_crlf
from message.shown import bodies
from message.words import decode_text, decode_words

MOST: Final = 1024 * 1024
PARTS: Final = 500
ADDRESSES: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Writer:
    """One address of a field."""

    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Attached:
    """One attachment: `part` is its number as IMAP counts, `size` octets once it is decoded."""

    part: str
    name: str
    type: str
    size: int
    cid: str


@dataclass(frozen=True, slots=True)
class Readable:
    """`text` and `html` are None where the message has none; `cut`: not all of them is there."""

    subject: str
    author: tuple[Writer, ...]
    to: tuple[Writer, ...]
    cc: tuple[Writer, ...]
    bcc: tuple[Writer, ...]
    reply_to: tuple[Writer, ...]
    date: datetime | None
    message_id: str
    text: str | None
    html: str | None
    attachments: tuple[Attached, ...]
    cut: bool = False


@dataclass(slots=True)
class _Node:
    """A part with its number; what message/shown.py asks of one."""

    part: Part
    number: str
    children: list["_Node"]

    @property
    def type(self) -> bytes:
        return self.part.type

    @property
    def subtype(self) -> bytes:
        return self.part.subtype

    @property
    def is_multipart(self) -> bool:
        return self.part.is_multipart

    @property
    def is_named(self) -> bool:
        return bool(self.part.filename)

    @property
    def disposition(self) -> bytes | None:
        found = self.part.disposition
        return found[0] if found else None


def readable(data: bytes) -> Readable:
    """Of a message in its CRLF form."""
    header = header_block(data[:MAX_HEADER])
    root = scan_crlf(data)
    found = bodies(_numbered(root, "") if root.is_multipart else _Node(root, "1", []))
    text, text_cut = _text(data, found.text, b"plain")
    html, html_cut = _text(data, found.html, b"html")
    shown = [one for one in (*found.text, *found.html) if one.part.type != b"text"]
    files = {one.number: one for one in (*shown, *found.attachments)}
    people = [_writers(header, name) for name in (b"from", b"to", b"cc", b"bcc", b"reply-to")]
    author, to, cc, bcc, reply_to = people
    return Readable(
        _line(first(header, b"subject")),
        author,
        to,
        cc,
        bcc,
        reply_to,
        _date(first(header, b"date")),
        _line(first(header, b"message-id")).strip("<>"),
        text,
        html,
        tuple(_attached(data, one) for one in [*files.values()][:PARTS]),
        text_cut or html_cut or len(files) > PARTS,
    )


def _numbered(part: Part, number: str) -> _Node:
    prefix = f"{number}." if number else ""
    children = enumerate(part.children, 1) if part.is_multipart else ()
    return _Node(part, number, [_numbered(one, f"{prefix}{place}") for place, one in children])


def _text(data: bytes, nodes: Sequence[_Node], subtype: bytes) -> tuple[str | None, bool]:
    """The parts of one kind, one behind the other; whether something was cut."""
    texts: list[str] = []
    size, cut = 0, False
    for node in nodes:
        part = node.part
        if part.type != b"text" or part.subtype != subtype:
            continue
        octets = _decoded(data, part, text=True)
        text = decode_text(octets[: 4 * MOST], part.charset).replace("\r\n", "\n")
        texts.append(text[: MOST - size])
        cut = cut or len(text) > MOST - size or len(octets) > 4 * MOST
        size += len(texts[-1])
    return ("\n".join(texts) if texts else None), cut


def _decoded(data: bytes, part: Part, *, text: bool = False) -> bytes:
    body = data[part.body_offset : part.body_offset + part.body_length]
    return decode(body, part.encoding.decode("ascii", "replace"), text)


def _attached(data: bytes, node: _Node) -> Attached:
    part = node.part
    cid = part.text_field(b"id")
    known = decoder(part.encoding.decode("ascii", "replace")) is not None
    size = len(_decoded(data, part)) if known else part.body_length
    name = part.filename or ""
    cid_text = "" if cid is None else cid.decode("utf-8", "replace").strip("<> ")
    return Attached(node.number, name, part.content_type, size, cid_text)


def _writers(header: bytes, name: bytes) -> tuple[Writer, ...]:
    found = [one for value in all_values(header, name) for one in mailboxes(value)]
    return tuple(Writer(one.text, one.display) for one in found[:ADDRESSES])


def _date(value: bytes | None) -> datetime | None:
    found = None if value is None else parse_date(value)
    if found is None:
        return None
    try:
        return _EPOCH + timedelta(seconds=found.timestamp)
    except OverflowError:
        return None


def _line(value: bytes | None) -> str:
    return "" if value is None else decode_words(unfold(value)).strip()
