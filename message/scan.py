"""MIME structure by byte offsets: one pass, no decoding, nothing copied but header blocks.

Offsets are those of the CRLF form (message/crlf.py). `scan` never raises and takes linear time,
since every boundary line is looked up once, however deep the nesting. What the bounds leave unread
is a leaf: a multipart without parts counts as text/plain, an unread message as octet-stream.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from message.crlf import Buffer, to_crlf
from message.headers import unfold
from message.params import (
    MESSAGE,
    TEXT_PLAIN,
    Params,
    decode_params,
    get_param,
    parse_content_type,
    parse_disposition,
)

MAX_DEPTH = 100
MAX_PARTS = 10_000
MAX_HEADER = 256 * 1024
MAX_BOUNDARY = 256

_MIME_FIELD = re.compile(
    rb"\nContent-(type|transfer-encoding|disposition|id|description|language|location|md5)"
    rb"[ \t]*:([^\n]*+(?:\n[ \t][^\n]*+)*+)",
    re.IGNORECASE,
)
_ENCODING = re.compile(rb"[\s\"]*([^\s;\"()]+)")
_ENCODED = (b"base64", b"quoted-printable", b"x-uuencode")
_MESSAGES = (b"rfc822", b"global")
_TRAILERS = (b"-", b" ", b"\t")


@dataclass(slots=True, eq=False)
class Part:
    """One MIME entity; `header_*` covers its header block with the blank line, `body_*` its body.

    Values are raw bytes as sent; `type`, `subtype`, `encoding` and parameter names are lower case.
    `lines` (line ends in the body) is counted for text and message parts. `fields` holds the raw
    Content-* values by lower-case name without the prefix. A message part has one child: the
    message inside. Filled in while scanning, read-only afterwards.
    """

    header_offset: int
    header_length: int
    body_offset: int
    body_length: int
    lines: int
    type: bytes
    subtype: bytes
    params: Params
    encoding: bytes
    fields: dict[bytes, bytes]
    children: list["Part"] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        """It has parts; a multipart in which none were found is a leaf of type text/plain."""
        return self.type == b"multipart"

    @property
    def is_message(self) -> bool:
        """It holds a message, its only child."""
        return self.type == b"message" and self.subtype in _MESSAGES

    @property
    def content_type(self) -> str:
        """`text/plain`."""
        return f"{self.type.decode('ascii', 'replace')}/{self.subtype.decode('ascii', 'replace')}"

    @property
    def charset(self) -> str:
        """The declared charset, or ""."""
        return (get_param(self.params, b"charset") or b"").decode("ascii", "replace").strip()

    @property
    def disposition(self) -> tuple[bytes, Params] | None:
        """`(b"attachment", parameters)`, or None."""
        value = self.fields.get(b"disposition")
        return None if value is None else parse_disposition(value)

    @property
    def filename(self) -> str | None:
        """The decoded file name of the disposition, else the `name` of the type."""
        disposition = self.disposition
        if disposition is not None and (name := decode_params(disposition[1]).get("filename")):
            return name
        return decode_params(self.params).get("name") or None

    def text_field(self, name: bytes) -> bytes | None:
        """The unfolded value of `id`, `description`, `language`, `location` or `md5`."""
        value = self.fields.get(name)
        return None if value is None else unfold(value)


def scan(data: Buffer) -> Part:
    """The tree of a message (CRLF, or LF read as CRLF); its root spans all of the CRLF form."""
    return scan_crlf(to_crlf(data))


def scan_crlf(data: bytes) -> Part:
    """`scan` for a caller that holds the CRLF form."""
    return _Scanner(data).run()


def walk(part: Part) -> Iterator[Part]:
    """The part and everything below it, depth first."""
    pending = [part]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(current.children))


class _Scanner:
    """`stack` holds the open parts from the root down, each the parent of the next. `active` maps
    boundaries to the stack index of their multipart; `shadowed` says what an index hides."""

    __slots__ = ("active", "blank", "count", "data", "end", "shadowed", "stack")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.end = len(data)
        self.stack: list[Part] = []
        self.active: dict[bytes, int] = {}
        self.shadowed: dict[int, tuple[bytes, int | None]] = {}
        self.blank = -2  # position of the first CRLFCRLF at or after the last one asked for
        self.count = 0

    def run(self) -> Part:
        position = self._open(0, plain=TEXT_PLAIN)
        while self.active and self.count < MAX_PARTS:
            found = self._next_delimiter(position, self.end)
            if found is None:
                break
            start, index, closing, after = found
            self._close_above(index, start - 2)
            if closing:
                self._forget(index)
                position = after - 2
                continue
            digest = self.stack[index].subtype == b"digest"  # RFC 2046 §5.1.5
            position = self._open(after, plain=MESSAGE if digest else TEXT_PLAIN)
        root = self.stack[0]
        self._close_above(-1, self.end)
        return root

    def _next_delimiter(self, position: int, end: int) -> tuple[int, int, bool, int] | None:
        """(line start, stack index, closing, end of line) of the next line that is a boundary."""
        data, active = self.data, self.active
        find = data.find
        position = find(b"\r\n--", position, end)
        while position >= 0:
            start = position + 4
            stop = find(b"\r\n", start, start + MAX_BOUNDARY + 16)
            if stop < 0:
                stop = self.end
                if stop - start > MAX_BOUNDARY + 16:
                    position = find(b"\r\n--", start, end)
                    continue
            token = data[start:stop]
            if token in active:
                return position + 2, active[token], False, min(stop + 2, self.end)
            if token[-1:] in _TRAILERS:
                token = token.rstrip(b" \t")
                if token in active:
                    return position + 2, active[token], False, min(stop + 2, self.end)
                if token[-2:] == b"--" and token[:-2] in active:
                    return position + 2, active[token[:-2]], True, min(stop + 2, self.end)
            position = find(b"\r\n--", stop, end)
        return None

    def _open(self, start: int, plain: tuple[bytes, bytes, Params]) -> int:
        """Open the part whose header begins at `start`; where to look for boundaries next."""
        body = self._header_end(start)
        part = self._describe(start, body, plain)
        if self._is_closed(part):
            body -= 2
            part.header_length, part.body_offset = body - start, body
        self.count += 1
        if self.stack:
            self.stack[-1].children.append(part)
        self.stack.append(part)
        inside = len(self.stack) < MAX_DEPTH and self.count < MAX_PARTS
        if part.type == b"multipart":
            boundary = (get_param(part.params, b"boundary") or b"")[:MAX_BOUNDARY].rstrip(b" \t")
            if inside and boundary:
                self.shadowed[len(self.stack) - 1] = boundary, self.active.get(boundary)
                self.active[boundary] = len(self.stack) - 1
        elif part.is_message and inside and part.encoding not in _ENCODED:
            return self._open(body, plain=TEXT_PLAIN)
        return max(body - 2, 0)

    def _header_end(self, start: int) -> int:
        """The end of the header block with its blank line: where the body starts."""
        data = self.data
        if data[start : start + 2] == b"\r\n":
            return start + 2
        if self.blank != -1 and self.blank < start:
            self.blank = data.find(b"\r\n\r\n", start)
        end = self.end if self.blank < 0 else self.blank + 4
        if self.active:
            limit = self.end if self.blank < 0 else self.blank + 2
            cut = self._next_delimiter(max(start - 2, 0), limit)
            if cut is not None:
                # No blank line before the next boundary, and its CRLF belongs to the boundary.
                end = max(cut[0] - 2, start)
        return end

    def _is_closed(self, part: Part) -> bool:
        """Whether what looks like the blank line belongs to the boundary behind it, which ends the
        part; a boundary of the part's own begins it.
        """
        data, body = self.data, part.body_offset
        if part.header_length < 2 or not self.active or not data.startswith(b"\r\n--", body - 2):
            return False
        found = self._next_delimiter(body - 2, body + 2)
        if found is None or found[0] != body:
            return False
        own = get_param(part.params, b"boundary") if part.type == b"multipart" else None
        return own is None or not data.startswith(own.rstrip(b" \t"), body + 2)

    def _describe(self, start: int, body: int, plain: tuple[bytes, bytes, Params]) -> Part:
        block = b"\n" + self.data[start : min(body, start + MAX_HEADER)]
        fields: dict[bytes, bytes] = {}
        for name, value in _MIME_FIELD.findall(block):
            fields.setdefault(name.lower(), value)
        kind = fields.get(b"type")
        main, sub, params = (kind is not None and parse_content_type(kind)) or plain
        encoding = b"7bit"
        if b"transfer-encoding" in fields:
            match = _ENCODING.match(fields[b"transfer-encoding"])
            if match is not None:
                encoding = match[1].lower()
        return Part(start, body - start, body, 0, 0, main, sub, params, encoding, fields)

    def _close_above(self, index: int, end: int) -> None:
        """End every open part above the stack index at `end`."""
        stack = self.stack
        while len(stack) - 1 > index:
            self._forget(len(stack) - 1)
            part = stack.pop()
            part.body_length = max(end - part.body_offset, 0)
            if not part.children:
                _demote(part)
            if part.type == b"text" or part.type == b"message":
                stop = part.body_offset + part.body_length
                part.lines = self.data.count(b"\n", part.body_offset, stop)

    def _forget(self, index: int) -> None:
        """The boundary of that open multipart ends nothing any more."""
        hidden = self.shadowed.pop(index, None)
        if hidden is None:
            return
        boundary, before = hidden
        if before is None:
            self.active.pop(boundary, None)
        else:
            self.active[boundary] = before


def _demote(part: Part) -> None:
    if part.type == b"multipart":
        part.type, part.subtype, part.params = b"text", b"plain", ()
    elif part.is_message:
        part.type, part.subtype, part.params = b"application", b"octet-stream", ()
