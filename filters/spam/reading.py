"""A message read once for every spam check: header, decoded texts, links, attachments, structure.

Pure. `read` never raises, takes linear time on any bytes, and holds no more than the bounds below,
whatever the message is; what they leave out is told by `Facts.truncated`. Says what is there and
judges nothing. Octets are those of the CRLF form.
"""

import re
from binascii import a2b_qp
from dataclasses import dataclass
from typing import Final

from filters.spam.markup import Link, Markup, read_markup
from message.crlf import to_crlf
from message.decoding import decode
from message.headers import first, unfold
from message.magic import kind_of
from message.scan import Part, scan_crlf, walk
from message.words import decode_text, decode_words

MAX_TEXT: Final = 256 * 1024  # characters, of plain text and of HTML each
MAX_PARTS: Final = 500
MAX_LINKS: Final = 500
MAX_ATTACHMENTS: Final = 200
MAX_TARGET: Final = 2048
MAX_SUBJECT: Final = 4096
MAX_NAME: Final = 512
MAX_HEADER: Final = 256 * 1024
_START: Final = 4096  # encoded octets of an attachment whose first bytes tell its kind

_BARE_LINK: Final = re.compile(r"(?<![\w.@])(?:https?://|ftp://|www\.)[^\s<>\"'`{|}\\^]+", re.I)
_LINK_END: Final = ".,;:!?)]*_"
_BREAKS: Final = str.maketrans("\r\n\0", "   ")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is no text to be read in place.

    `name` is as the sender wrote it, decoded, or ""; `type` the declared `image/png`; `kind` what
    its first octets show it to be (message/magic.py), `size` its octets decoded (those of base64
    by its length); `start` are those first octets, 3 KiB at most.
    """

    name: str
    type: str
    kind: str
    size: int
    start: bytes = b""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the structure is.

    `type` is that of the message; `texts` and `htmls` count text parts shown in place; `charsets`
    and `encodings` are those declared, lower case, each once, in order; `hidden` counts characters
    of HTML that no reader sees. `truncated`: a bound left something unread.
    """

    type: str
    parts: int
    texts: int
    htmls: int
    charsets: tuple[str, ...]
    encodings: tuple[str, ...]
    tags: int
    hidden: int
    truncated: bool

    @property
    def html_only(self) -> bool:
        """HTML without a plain text beside it."""
        return self.htmls > 0 and self.texts == 0


@dataclass(frozen=True, slots=True)
class Reading:
    """`header` is the raw header block with its blank line; `plain` the text of plain parts, `html`
    what a reader sees of HTML parts, `hidden` what is hidden there, `markup` their source. `links`
    come in the order of the parts.
    """

    header: bytes
    subject: str
    plain: str
    html: str
    hidden: str
    markup: str
    links: tuple[Link, ...]
    attachments: tuple[Attachment, ...]
    facts: Facts


def read(data: bytes, root: Part | None = None) -> Reading:
    """Read a message; `root` is what `scan_crlf` says of it, for a caller that holds the CRLF form
    and has scanned it already.
    """
    if root is None:
        data = to_crlf(data)
        root = scan_crlf(data)
    return _Reader(data).read(root)


class _Reader:
    """Gathers one message part by part."""

    __slots__ = (
        "_attachments",
        "_charsets",
        "_data",
        "_encodings",
        "_htmls",
        "_links",
        "_markup",
        "_parts",
        "_plain",
        "_room",
        "_texts",
        "_truncated",
    )

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._plain: list[str] = []
        self._markup: list[str] = []
        self._links: list[Link] = []
        self._attachments: list[Attachment] = []
        self._charsets: dict[str, None] = {}
        self._encodings: dict[str, None] = {}
        self._room = {False: MAX_TEXT, True: MAX_TEXT}
        self._parts = self._texts = self._htmls = 0
        self._truncated = False

    def read(self, root: Part) -> Reading:
        for part in walk(root):
            self._parts += 1
            if self._parts > MAX_PARTS:
                self._truncated = True
            elif not part.children and not part.is_multipart:
                self._leaf(part, part is root)
        header = self._data[: min(root.header_length, MAX_HEADER)]
        source = "\n".join(self._markup)
        markup = read_markup(source) if source else Markup("", "", (), 0)
        links = (*self._links, *markup.links)
        if len(links) > MAX_LINKS:
            links, self._truncated = links[:MAX_LINKS], True
        return Reading(
            header,
            header_text(header, b"subject")[:MAX_SUBJECT],
            "\n".join(self._plain),
            markup.text,
            markup.hidden,
            source,
            links,
            tuple(self._attachments),
            self._facts(root, markup),
        )

    def _facts(self, root: Part, markup: Markup) -> Facts:
        return Facts(
            root.content_type,
            self._parts,
            self._texts,
            self._htmls,
            tuple(self._charsets),
            tuple(self._encodings),
            markup.tags,
            len(markup.hidden),
            self._truncated,
        )

    def _leaf(self, part: Part, alone: bool) -> None:
        disposition = part.disposition if b"disposition" in part.fields else None
        attached = disposition is not None and disposition[0] == b"attachment"
        self._encodings[part.encoding.decode("ascii", "replace")] = None
        is_text = part.type == b"text" and part.subtype in _READ
        if attached or not is_text:
            self._attach(part)
        if is_text:
            html = part.subtype != b"plain"
            if not attached or alone:
                self._texts += not html
                self._htmls += html
            self._text(part, html)

    def _attach(self, part: Part) -> None:
        if len(self._attachments) >= MAX_ATTACHMENTS:
            self._truncated = True
            return
        named = b"disposition" in part.fields or part.params
        name = ((part.filename if named else None) or "")[:MAX_NAME].translate(_BREAKS)
        begin, length = part.body_offset, part.body_length
        start = _decoded(self._data[begin : begin + min(length, _START)], part.encoding)
        size = length
        if part.encoding == b"base64":
            size = (length - 2 * self._data.count(b"\r\n", begin, begin + length)) * 3 // 4
        self._attachments.append(
            Attachment(name, part.content_type, kind_of(start), size, start[:3072])
        )

    def _text(self, part: Part, html: bool) -> None:
        room = self._room[html]
        length = part.body_length
        # Four octets make a character at most, and an encoding trebles them at most.
        if length > room * 12:
            length, self._truncated = room * 12, True
        charset = part.charset
        if charset:
            self._charsets[charset.lower()[:64]] = None
        octets = _decoded(self._data[part.body_offset : part.body_offset + length], part.encoding)
        text = decode_text(octets[: room * 4], charset)
        if len(text) > room or len(octets) > room * 4:
            text, self._truncated = text[:room], True
        self._room[html] = room - len(text)
        if html:
            self._markup.append(text)
            return
        self._plain.append(text)
        for found in _BARE_LINK.finditer(text):
            if len(self._links) > MAX_LINKS:
                break
            target = found[0][:MAX_TARGET].rstrip(_LINK_END)
            self._links.append(Link(target, target, "plain"))


_READ: Final = frozenset({b"plain", b"html", b"xhtml", b"enriched", b"richtext", b"x-amp-html"})


def header_text(header: bytes, name: bytes) -> str:
    """The first field of that name as text on one line, or ""."""
    value = first(header, name)
    return "" if value is None else decode_words(unfold(value)).translate(_BREAKS)


def _decoded(octets: bytes, encoding: bytes) -> bytes:
    if encoding == b"quoted-printable":
        return a2b_qp(octets)
    return decode(octets, "base64") if encoding == b"base64" else octets
