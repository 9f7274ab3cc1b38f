"""What IMAP FETCH needs of a message, rendered to ready bytes once, at delivery.

The result serves ASCII sessions, for which an internationalised message is its surrogate
(message/downgrade.py); sessions in UTF-8 render again where `eight_bit` says that it makes a
difference. A change of any rendered byte needs a higher RENDERER_VERSION: stored data is
then rendered again when read.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b

from message.crlf import Buffer, to_crlf
from message.date import parse_date
from message.downgrade import downgrade, is_international
from message.envelope import Values, header_values, render_envelope
from message.headers import CACHED_NAMES, Field, iter_fields, unfold
from message.kept_fields import all_fields, pack_fields
from message.nstring import octets_string
from message.preview import preview
from message.scan import MAX_HEADER, Part, scan_crlf, walk
from message.section import pack_parts
from message.sort_fields import SortFields, sort_fields
from message.structure import render_structure
from message.subject import Subject, split_subject

RENDERER_VERSION = 8
MAX_FIELDS = 32 * 1024
MAX_REFERENCES = 100
MAX_MESSAGE_ID = 998

_MESSAGE_ID = re.compile(rb"<[^<>\s]++>")


@dataclass(frozen=True, slots=True)
class Rendered:
    """Ready bytes and values of one message; lengths and counts are those of the CRLF form.

    `kept` holds the header fields that clients ask for (message/headers.py `cached`,
    message/kept_fields.py); with `fields_complete` False it is empty and the file must be read.
    `eight_bit`: some header has 8-bit bytes, or a parameter says them in ASCII. `surrogate_size` is
    the surrogate's, 0 when there is none; `kept` and the structure are the surrogate's then,
    everything else the message's. `parts` is the table of message/section.py. `message_id` and
    `references` keep their <>; `date` is that of the Date field in Unix seconds, `date_zone` its
    minutes east. `sort` holds what SORT compares of addresses; `is_reply` belongs to the subject.
    `digest` is BLAKE2b-128 of the CRLF form. `preview` is an IMAP string in UTF-8.
    """

    envelope: bytes
    bodystructure: bytes
    body: bytes
    kept: bytes
    fields_complete: bool
    eight_bit: bool
    surrogate_size: int
    size: int
    header_length: int
    lines: int
    parts: bytes
    message_id: bytes
    references: tuple[bytes, ...]
    subject_base: str
    is_reply: bool
    sort: SortFields
    date: int | None
    date_zone: int
    digest: bytes
    preview: bytes

    @property
    def fields(self) -> bytes:
        """The raw lines of the kept header fields."""
        return all_fields(self.kept)


def render(data: Buffer, digest: bytes | None = None, utf8: bool = False) -> Rendered:
    """Render a message; any bytes give a result. `digest` spares hashing what was hashed before."""
    data = to_crlf(data)
    root = scan_crlf(data)
    fields = list(iter_fields(data[: min(root.header_length, MAX_HEADER)]))
    values = header_values(fields)
    shown, tree, lines = data, root, fields
    eight_bit = _has_eight_bit(data, root)
    if eight_bit and not utf8 and is_international(data, root):
        shown = downgrade(data, root)
        tree = scan_crlf(shown)
        lines = list(iter_fields(shown[: min(tree.header_length, MAX_HEADER)]))
    bodystructure, body = render_structure(shown, tree, utf8)
    kept = _kept_fields(shown, tree, lines)
    date = parse_date(values[b"date"][0]) if b"date" in values else None
    subject = _subject(values)
    return Rendered(
        envelope=render_envelope(values, utf8),
        bodystructure=bodystructure,
        body=body,
        kept=kept or b"",
        fields_complete=kept is not None,
        eight_bit=eight_bit or b"*\" \"utf-8''" in bodystructure,
        surrogate_size=0 if shown is data else len(shown),
        size=len(data),
        header_length=root.header_length,
        lines=_lines(data, root),
        parts=pack_parts(root),
        message_id=_message_id(values),
        references=_references(values),
        subject_base=subject.base,
        is_reply=subject.is_reply,
        sort=sort_fields(values),
        date=None if date is None else date.timestamp,
        date_zone=0 if date is None else date.zone,
        digest=content_digest(data) if digest is None else digest,
        preview=octets_string(preview(data, root).encode("utf-8", "replace")),
    )


def surrogate(data: bytes) -> tuple[bytes, bytes]:
    """The surrogate of a message in its CRLF form, and its table of parts."""
    shown = downgrade(data, scan_crlf(data))
    return shown, pack_parts(scan_crlf(shown))


def _subject(values: Values) -> Subject:
    found = values.get(b"subject")
    return split_subject(unfold(found[0])) if found else Subject("", False)


def _lines(data: bytes, root: Part) -> int:
    """Line ends; those of a text were counted by the scan."""
    if root.type != b"text":
        return data.count(b"\n")
    return data.count(b"\n", 0, root.body_offset) + root.lines


def content_digest(data: bytes) -> bytes:
    """BLAKE2b-128 of a message in its CRLF form: 16 octets."""
    return blake2b(data, digest_size=16).digest()


def _kept_fields(data: bytes, root: Part, fields: list[Field]) -> bytes | None:
    if root.header_length > MAX_HEADER:
        return None
    found = [(field.name.lower(), data[field.start : field.end]) for field in fields]
    kept = [pair for pair in found if pair[0] in CACHED_NAMES]
    if kept and not kept[-1][1].endswith(b"\n"):
        name, line = kept[-1]
        kept[-1] = name, line.removesuffix(b"\r") + b"\r\n"
    if sum(len(line) for _, line in kept) > MAX_FIELDS:
        return None
    return pack_fields(kept)


def _has_eight_bit(data: bytes, root: Part) -> bool:
    if data.isascii():
        return False
    return any(
        not data[part.header_offset : part.header_offset + part.header_length].isascii()
        for part in walk(root)
    )


def _message_id(values: Values) -> bytes:
    if b"message-id" not in values:
        return b""
    value = unfold(values[b"message-id"][0])
    match = _MESSAGE_ID.search(value)
    return (value if match is None else match[0])[:MAX_MESSAGE_ID]


def _references(values: Values) -> tuple[bytes, ...]:
    """The message ids of References, of too many the first and the last; without any, the first
    of In-Reply-To (RFC 5256 §3).
    """
    found = _ids(values, b"references") or _ids(values, b"in-reply-to")[:1]
    if len(found) > MAX_REFERENCES:
        found = found[:1] + found[1 - MAX_REFERENCES :]
    return tuple(found)


def _ids(values: Values, name: bytes) -> list[bytes]:
    if name not in values:
        return []
    found = _MESSAGE_ID.findall(unfold(values[name][0]))
    return [item for item in found if len(item) <= MAX_MESSAGE_ID]
