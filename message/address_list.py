"""Address lists of header fields (RFC 5322 §3.4, obsolete forms of §4.4 included), tolerantly.

Whatever is broken costs at most its own entry: the rest of the list is still found. Values stay raw
bytes (IMAP shows them so); `display` and `text` decode them. Linear time; nothing raises.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from message.headers import unfold
from message.words import decode_text, decode_words

MAX_VALUE = 128 * 1024
MAX_ENTRIES = 5000

_QUOTED = rb"\"((?:[^\"\\]++|\\.)*+)\""
_ATOM = rb"[^<>@\s\"(),:;\\\[\]]++"
_SIMPLE = re.compile(
    rb"\s*+(?:" + _QUOTED + rb"\s*+|([^\"<>()@,:;\\\[\]]*+))"
    rb"<(" + _ATOM + rb")@(" + _ATOM + rb")>\s*+([,;]|\Z)",
    re.DOTALL,
)
_BARE = re.compile(rb"\s*+(" + _ATOM + rb")@(" + _ATOM + rb")\s*+([,;]|\Z)")
_TOKEN = re.compile(
    rb"(\s++)|" + _QUOTED + rb"|(\[[^\[\]\s]*+\])|([^\s\"(),:;<>@\[\]\\]++)|(\\.|.)", re.DOTALL
)
_PARENS = re.compile(rb"\\.|[()]", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_DOT_ATOM = re.compile(r"[^\s\"(),:;<>@\[\]\\.]+(?:\.[^\s\"(),:;<>@\[\]\\.]+)*")


class Address(NamedTuple):
    """One entry, raw and unquoted. `domain` None marks a group: its start (`local` is the group's
    name) or its end (`local` None too). What a broken address lacks of the two is b"".
    """

    name: bytes | None
    route: bytes | None
    local: bytes | None
    domain: bytes | None

    @property
    def display(self) -> str:
        """The decoded display name, or ""."""
        return decode_words(self.name) if self.name else ""

    @property
    def text(self) -> str:
        """`local@domain`, the local part quoted where needed; "" for a group's marks."""
        if self.domain is None or self.local is None:
            return ""
        local = decode_text(self.local, "")
        if not _DOT_ATOM.fullmatch(local):
            local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{local}@{decode_text(self.domain, '')}"


def parse_address_list(value: bytes) -> list[Address]:
    """The entries of an address list, groups between their marks, as ENVELOPE wants them."""
    value = unfold(value)[:MAX_VALUE]
    out: list[Address] = []
    position, grouped = 0, False
    while position < len(value) and len(out) < MAX_ENTRIES:
        match = _SIMPLE.match(value, position)
        if match is not None:
            quoted, phrase, local, domain, stop = match.groups()
            name = _unescape(quoted) if quoted is not None else phrase.strip()
            out.append(Address(name or None, None, local, domain))
            position = match.end()
        elif (match := _BARE.match(value, position)) is not None:
            local, domain, stop = match.groups()
            out.append(Address(None, None, local, domain))
            position = match.end()
        else:
            entry = _Entry(value, position)
            stop = entry.read()
            position = entry.position
            out.extend(entry.result(stop))
        if stop == b":":
            grouped = True
        elif stop == b";" and grouped:
            out.append(Address(None, None, None, None))
            grouped = False
    if grouped:
        out.append(Address(None, None, None, None))
    return out


def mailboxes(value: bytes) -> list[Address]:
    """The entries without the marks of groups."""
    return [address for address in parse_address_list(value) if address.domain is not None]


@dataclass(slots=True)
class _Entry:
    """Reads one entry token by token: a word is (text, kind), kind one of `w` text, ` `, `@`."""

    value: bytes
    position: int
    words: list[tuple[bytes, str]] = field(default_factory=list)
    angle: list[tuple[bytes, str]] | None = None
    comment: bytes | None = None
    route: bytes | None = None

    def read(self) -> bytes:
        """Take tokens up to the end of the entry; returns what ended it: `,`, `;`, `:` or b""."""
        into = self.words
        while (match := _TOKEN.match(self.value, self.position)) is not None:
            self.position = match.end()
            space, quoted, literal, atom, special = match.groups()
            if space is not None:
                into.append((b" ", " "))
            elif quoted is not None:
                into.append((_unescape(quoted), "w"))
            elif special is None:
                into.append((literal or atom, "w"))
            elif special == b"(":
                self._skip_comment()
            elif special == b"<" and self.angle is None:
                into = self.angle = []
                self._take_route()
            elif special == b">" and into is self.angle:
                into = []  # what follows the angle is noise
            elif special == b"@":
                into.append((special, "@"))
            elif special in (b",", b";") or (special == b":" and self.angle is None):
                return special
            elif special not in (b'"', b"<", b">"):
                into.append((special[-1:], "w"))
        return b""

    def result(self, stop: bytes) -> list[Address]:
        """The entry as read; nothing for an empty one."""
        if stop == b":":
            name = _join(self.words)
            return [Address(None, None, name, None)] if name else []
        if self.angle is not None:
            local, domain, _ = _split(self.angle)
            return [Address(_join(self.words) or self.comment, self.route, local, domain)]
        if not any(kind == "w" for _, kind in self.words):
            return []
        local, domain, before = _split(self.words)
        return [Address(before or self.comment, None, local, domain)]

    def _skip_comment(self) -> None:
        depth, start, end = 1, self.position, len(self.value)
        for match in _PARENS.finditer(self.value, start):
            depth += {b"(": 1, b")": -1}.get(match[0], 0)
            if depth == 0:
                end = match.start()
                break
        self.position = min(end + 1, len(self.value))
        self.comment = _unescape(self.value[start:end].strip()) or self.comment

    def _take_route(self) -> None:
        """`<@a,@b:user@c>` (RFC 5322 §4.4): the route ends at the colon."""
        if self.value[self.position : self.position + 1] != b"@":
            return
        colon = self.value.find(b":", self.position)
        close = self.value.find(b">", self.position)
        if colon >= 0 and (close < 0 or colon < close):
            self.route = self.value[self.position : colon]
            self.position = colon + 1


def _split(words: list[tuple[bytes, str]]) -> tuple[bytes, bytes, bytes | None]:
    """(local part, domain, text before them) at the last @."""
    at = max((index for index, word in enumerate(words) if word[1] == "@"), default=-1)
    if at < 0:
        return _join(words), b"", None
    start = at
    while start and words[start - 1][1] == " ":
        start -= 1
    while start and words[start - 1][1] != " ":
        start -= 1
    local = b"".join(text for text, kind in words[start:at] if kind != " ")
    domain = b"".join(text for text, kind in words[at + 1 :] if kind != " ")
    return local, domain, _join(words[:start]) or None


def _join(words: list[tuple[bytes, str]]) -> bytes:
    return b"".join(text for text, _ in words).strip()


def _unescape(text: bytes) -> bytes:
    return _ESCAPE.sub(rb"\1", text) if b"\\" in text else text
