"""A message made of values: header fields, text, HTML, attachments, images inside (RFC 5322, RFC
2045 to 2049). Pure.

What is large is not held: a body may be a Stream, whose octets the caller puts where the pieces say
so, base64 encoded by message/transfer.py; sizes are known before. Text goes as it is where that is
7-bit with short lines, else quoted-printable or base64, whichever is shorter. Message-ID, Date and
whatever else depends on time and chance come from the caller.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from message.compose_fields import parametrised
from message.crlf import to_crlf
from message.edits import base64_lines, quoted_printable
from message.transfer import base64_size, encoded_lines, identity, is_odd

_IDENTITY: Final = ("7bit", "8bit", "binary")


@dataclass(frozen=True, slots=True)
class Stream:
    """Octets that come later: `key` tells the caller which, `size` how many. `encoding` is base64,
    or what Identity says of octets that stand as they are.
    """

    key: Any
    size: int
    encoding: str = "base64"


Source: TypeAlias = str | bytes | Stream
"""A str is text: its line ends become CRLF, its charset is UTF-8 or US-ASCII."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part with a body. `type` is a media type in lower case; `params` go into Content-Type;
    `fields` are further header fields, as they stand in the message.
    """

    type: str
    source: Source
    params: tuple[tuple[str, str], ...] = ()
    fields: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Multipart:
    """Parts in a row; `subtype` is mixed, alternative, related, ..."""

    subtype: str
    parts: "tuple[Node, ...]"
    fields: tuple[bytes, ...] = ()
    params: tuple[tuple[str, str], ...] = ()


Node: TypeAlias = Leaf | Multipart


@dataclass(frozen=True, slots=True)
class Attachment:
    """Of a simple message. With `cid` it belongs to the HTML, which names it `cid:...`."""

    source: bytes | Stream
    type: str = "application/octet-stream"
    name: str = ""
    cid: str = ""


@dataclass(frozen=True, slots=True)
class Composed:
    """`pieces` in order; `size` octets in all once every Stream is encoded."""

    pieces: tuple[bytes | Stream, ...]
    size: int

    @property
    def data(self) -> bytes:
        """The message, where nothing comes later."""
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))


@dataclass(slots=True)
class _Out:
    pieces: list[bytes | Stream] = field(default_factory=list)
    size: int = 0

    def add(self, piece: bytes | Stream) -> None:
        self.pieces.append(piece)
        if not isinstance(piece, Stream):
            self.size += len(piece)
        else:
            self.size += base64_size(piece.size) if piece.encoding == "base64" else piece.size


def compose(fields: Sequence[bytes], root: Node, seed: str) -> Composed:
    """`fields` are those of the message without MIME-Version and the content's, as the functions of
    message/compose_fields.py make them; boundaries come from `seed`, such as the Message-ID.
    """
    out = _Out()
    out.add(b"".join(fields) + b"MIME-Version: 1.0\r\n")
    _put(out, root, _Boundaries(root, seed))
    return Composed(tuple(_joined(out.pieces)), out.size)


def simple_tree(text: str | None, html: str | None, attachments: Sequence[Attachment]) -> Node:
    """The usual shape: mixed of (alternative of text and related of HTML and its images) and the
    attachments, without the layers that are not needed.
    """
    inside = [one for one in attachments if one.cid] if html is not None else []
    beside = [one for one in attachments if one not in inside]
    shown: list[Node] = []
    if text is not None or html is None:
        shown.append(Leaf("text/plain", text or ""))
    if html is not None:
        leaf = Leaf("text/html", html)
        images = tuple(_attached(one, "inline") for one in inside)
        shown.append(Multipart("related", (leaf, *images)) if images else leaf)
    body = shown[0] if len(shown) == 1 else Multipart("alternative", tuple(shown))
    if not beside:
        return body
    if text is None and html is None and len(beside) == 1:
        return _attached(beside[0], "attachment")
    return Multipart("mixed", (body, *(_attached(one, "attachment") for one in beside)))


def _attached(one: Attachment, disposition: str) -> Leaf:
    names = (("filename", one.name),) if one.name else ()
    fields = [parametrised("Content-Disposition", disposition, names)]
    if one.cid:
        fields.append(b"Content-ID: <%s>\r\n" % one.cid.encode("ascii", "replace"))
    return Leaf(one.type, one.source, fields=tuple(fields))


def _put(out: _Out, node: Node, boundaries: "_Boundaries") -> None:
    """Header of the content, blank line, body."""
    if isinstance(node, Leaf):
        _put_leaf(out, node)
        return
    boundary = boundaries.next()
    params = (*(one for one in node.params if one[0] != "boundary"), ("boundary", boundary))
    kind = parametrised("Content-Type", f"multipart/{node.subtype}", params)
    out.add(kind + _coded(_widest(node)) + b"".join(node.fields) + b"\r\n")
    line = b"--" + boundary.encode("ascii")
    for number, part in enumerate(node.parts):
        out.add((b"\r\n" if number else b"") + line + b"\r\n")
        _put(out, part, boundaries)
    out.add(b"\r\n" + line + b"--\r\n")


def _put_leaf(out: _Out, leaf: Leaf) -> None:
    encoding, charset, body = _encoded(leaf)
    params = tuple(one for one in leaf.params if one[0] != "charset" or not charset)
    if charset:
        params = (("charset", charset), *params)
    kind = parametrised("Content-Type", leaf.type, params)
    out.add(kind + _coded(encoding) + b"".join(leaf.fields) + b"\r\n")
    out.add(body)


def _coded(encoding: str) -> bytes:
    if encoding == "7bit":
        return b""
    return f"Content-Transfer-Encoding: {encoding}\r\n".encode("ascii")


def _encoded(leaf: Leaf) -> tuple[str, str, bytes | Stream]:
    """Transfer encoding, charset ("" to leave what was given), body."""
    source = leaf.source
    if isinstance(source, Stream):
        return source.encoding, "", source
    if isinstance(source, bytes):
        if leaf.type.startswith("message/"):
            return identity(source), "", source
        return "base64", "", encoded_lines(source)
    data = to_crlf(source.encode("utf-8", "replace"))
    if identity(data) == "7bit":
        return "7bit", "us-ascii", data
    rare = len(data.translate(None, bytes(range(128)))) * 6 <= len(data)
    if rare and not is_odd(data):
        return "quoted-printable", "utf-8", quoted_printable(data)
    return "base64", "utf-8", base64_lines(data) + b"\r\n"


def _widest(node: Node) -> str:
    """The encoding of a multipart (RFC 2045 §6.4): that of messages inside, for nothing else is
    beyond 7 bits.
    """
    if isinstance(node, Multipart):
        return max(map(_widest, node.parts), key=_IDENTITY.index, default="7bit")
    if isinstance(node.source, Stream) and node.source.encoding != "base64":
        return node.source.encoding
    if isinstance(node.source, bytes) and node.type.startswith("message/"):
        return identity(node.source)
    return "7bit"


class _Boundaries:
    """Lines that stand in no part: `=_` stands in nothing that is encoded, and what is not is
    looked through, or comes later, when nobody who made it can have known the seed.
    """

    def __init__(self, root: Node, seed: str) -> None:
        plain = list(_plain(root))
        number = 0
        while True:
            base = blake2b(f"{seed}{number}".encode(), digest_size=12).hexdigest()
            if not any(base.encode() in one for one in plain):
                break
            number += 1
        self._base, self._given = base, 0

    def next(self) -> str:
        self._given += 1
        return f"=_{self._base}_{self._given}"


def _plain(node: Node) -> Iterator[bytes]:
    if isinstance(node, Multipart):
        for part in node.parts:
            yield from _plain(part)
    elif isinstance(node.source, str):
        yield node.source.encode("utf-8", "replace")
    elif isinstance(node.source, bytes):
        yield node.source


def _joined(pieces: Sequence[bytes | Stream]) -> Iterator[bytes | Stream]:
    """With the octets between two streams in one."""
    held: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            held.append(piece)
            continue
        if held:
            yield b"".join(held)
            held = []
        yield piece
    if held:
        yield b"".join(held)
