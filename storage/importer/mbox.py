"""mbox files (RFC 4155): mboxo, mboxrd, mboxcl and mboxcl2, with readers' Status fields.

A message begins at a `From ` line behind an empty line. Content-Length is believed where it ends
at the next such line; the body is then mboxcl2 if it holds a bare `From ` line. Elsewhere `>From `
loses one `>` (mboxrd; in mboxo `>>From ` can't be told apart). The fields Status, X-Status, X-UID,
X-Keywords, X-IMAP, X-IMAPbase and Content-Length belong to the format and are taken out.
"""

import calendar
import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from storage.importer.dovecot import MAX_UID
from storage.importer.source import SourceFolder, SourceMessage
from storage.values import Flags, System

Bytes = bytes | mmap.mmap

_FROM = re.compile(rb"From [^\r\n]*\r?\n")
_NEXT = re.compile(rb"\n\r?\nFrom [^\r\n]*\d[^\r\n]*\r?\n")
_DATE = re.compile(
    rb"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +(\d{1,2}) +(\d{1,2}):(\d\d)(?::(\d\d))?"
    rb"(?: +([A-Z][A-Za-z]{2,4}))?(?: +([+-]\d{4}))?(?: +(\d{4}))?(?: +([+-]\d{4}))?"
)
_MONTHS = b"JanFebMarAprMayJunJulAugSepOctNovDec"
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_BARE = re.compile(rb"^From ", re.MULTILINE)
_OWN_FIELDS = re.compile(
    rb"^(Status|X-Status|X-Keywords|X-UID|X-IMAP|X-IMAPbase|Content-Length)[ \t]*:"
    rb"((?:.*\n(?:[ \t].*\n)*))",
    re.MULTILINE | re.IGNORECASE,
)
_STATUS = {"R": System.SEEN, "A": System.ANSWERED, "F": System.FLAGGED, "T": System.DRAFT,
           "D": System.DELETED}  # fmt: skip
_MAX_HEADER = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Span:
    """Where one message stands in its file, without the `From ` line and the empty line behind."""

    start: int
    end: int
    date: float | None
    quoted: bool


@dataclass(frozen=True, slots=True)
class Header:
    """What the format's own fields say."""

    flags: Flags
    uid: int
    uidvalidity: int
    uidnext: int


def is_mbox(path: Path) -> bool:
    """True when the file begins as an mbox does; an empty file is an empty mbox. Blocks."""
    with path.open("rb") as file:
        return file.read(5) in (b"", b"From ")


def read_mbox(path: Path, name: str) -> SourceFolder:
    """The file as a mailbox called `name`. Blocks; each message's bytes are read when asked for."""
    if path.stat().st_size == 0:
        return SourceFolder(name)
    modified = path.stat().st_mtime
    messages: list[SourceMessage] = []
    validity = following = last = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for span in spans(data):
            header = parse_header(header_of(data, span))
            validity, following = header.uidvalidity or validity, header.uidnext or following
            last = header.uid if header.uid > last else MAX_UID
            messages.append(
                SourceMessage(
                    read=partial(_read, path, span),
                    size=span.end - span.start,
                    flags=header.flags,
                    internaldate=modified if span.date is None else span.date,
                    uid=header.uid,
                )
            )
    if not validity or last == MAX_UID:
        return SourceFolder(name, without_uids(messages))
    return SourceFolder(name, messages, validity, max(following, last + 1))


def without_uids(messages: Sequence[SourceMessage]) -> list[SourceMessage]:
    """The same messages, to be numbered by the target."""
    return [SourceMessage(one.read, one.size, one.flags, one.internaldate) for one in messages]


def spans(data: Bytes) -> Iterator[Span]:
    """The messages of an mbox file in order."""
    position, length = 0, len(data)
    while position < length:
        line = _FROM.match(data, position)
        if line is None:
            return
        start = line.end()
        end, following, quoted = _end(data, start)
        yield Span(start, end, parse_from_date(line[0]), quoted)
        position = following


def message_bytes(data: Bytes, span: Span) -> bytes:
    """One message as it was before it went into the file; its line ends as they stand there."""
    text = data[span.start : span.end]
    header = header_of(data, span)
    body = text[len(header) :]
    return _OWN_FIELDS.sub(b"", header) + (_QUOTED.sub(rb"\1", body) if span.quoted else body)


def header_of(data: Bytes, span: Span) -> bytes:
    """The header block with its empty line."""
    if data[span.start : span.start + 1] in (b"\n", b"\r"):
        return b""
    bound = min(span.end, span.start + _MAX_HEADER)
    ends = [
        at + len(mark)
        for mark in (b"\n\n", b"\n\r\n")
        if (at := data.find(mark, span.start, bound)) >= 0
    ]
    return data[span.start : min(ends, default=bound)]


def parse_header(header: bytes) -> Header:
    """Flags from Status, X-Status and X-Keywords; UIDs from X-UID, X-IMAP and X-IMAPbase."""
    system, keywords, uid, base = System(0), list[str](), 0, list[str]()
    for found in _OWN_FIELDS.finditer(header):
        field, value = found[1].lower(), found[2].decode("ascii", "replace").split()
        if field in (b"status", b"x-status"):
            for letter in "".join(value):
                system |= _STATUS.get(letter, System(0))
        elif field == b"x-keywords":
            keywords += value
        elif field == b"x-uid" and value:
            uid = _uid(value[0])
        elif field in (b"x-imap", b"x-imapbase"):
            base = value
    validity, last = (_uid(base[0]), _uid(base[1])) if len(base) >= 2 else (0, 0)
    words = frozenset(word for word in keywords if word.isascii() and word.isprintable())
    return Header(Flags(system, words), uid, validity, last + 1 if validity else 0)


def parse_from_date(line: bytes) -> float | None:
    """Seconds since 1970 of a `From ` line; UTC where it names no zone (as Dovecot reads it)."""
    found = _DATE.search(line)
    if found is None or not found[8]:
        return None
    month, zone = _MONTHS.index(found[1]) // 3 + 1, found[7] or found[9]
    parts = (int(found[8]), month, int(found[2]), int(found[3]), int(found[4]), int(found[5] or 0))
    if parts[2] > 31 or parts[3] > 23 or parts[4] > 59:
        return None
    offset = 0
    if zone:
        offset = (int(zone[1:3]) * 60 + int(zone[3:5])) * (-60 if zone[:1] == b"-" else 60)
    return float(calendar.timegm((*parts, 0, 0, 0)) - offset)


def _end(data: Bytes, start: int) -> tuple[int, int, bool]:
    """Where the message that begins at `start` ends, where the next begins, and whether `>From `
    in it is quoting."""
    counted = _counted_end(data, start)
    if counted is not None:
        end, following = counted
        return end, following, _BARE.search(data[start:end]) is None
    found = _NEXT.search(data, start - 1)
    if found is None:
        end = len(data)
        tail = data[max(start, end - 3) : end]
        end -= 2 if tail == b"\n\r\n" else 1 if tail.endswith(b"\n\n") else 0
        return end, len(data), True
    return found.start() + 1, data.find(b"From ", found.start()), True


def _counted_end(data: Bytes, start: int) -> tuple[int, int] | None:
    """By Content-Length, if what follows is the end or the next `From ` line."""
    header = header_of(data, Span(start, len(data), None, False))
    for found in _OWN_FIELDS.finditer(header):
        if found[1].lower() == b"content-length" and (text := found[2].strip()).isdigit():
            end = start + len(header) + int(text[:12])
            following = end
            while following < min(len(data), end + 4) and data[following] in b"\r\n":
                following += 1
            if following == len(data) or (
                end < following and data[following : following + 5] == b"From "
            ):
                return end, following
    return None


def _uid(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
    return number if number < MAX_UID else 0


def _read(path: Path, span: Span) -> bytes:
    with path.open("rb") as file:
        file.seek(span.start)
        text = file.read(span.end - span.start)
    return message_bytes(text, Span(0, len(text), None, span.quoted))
