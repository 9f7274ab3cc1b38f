"""The body of an Email: its parts and what is told of them (RFC 8621 §4.1.4). Pure.

A part's id is its number as IMAP counts, "1.2". Sizes are octets after the transfer encoding is
undone. Bounded by what message/scan.py bounds; nothing raises.
"""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from message.decoding import decode, decoder
from message.headers import Field, header_block, iter_fields
from message.scan import MAX_HEADER, Part
from message.words import decode_text
from web.jmap.mail.header_forms import by_name, header_property, raw

PART_PROPERTIES: Final = (
    "partId",
    "blobId",
    "size",
    "headers",
    "name",
    "type",
    "charset",
    "disposition",
    "cid",
    "language",
    "location",
    "subParts",
)
DEFAULT_PART: Final = tuple(one for one in PART_PROPERTIES if one not in ("headers", "subParts"))


@dataclass(slots=True)
class Node:
    """A part with its number, "" for the multipart that is the message's body."""

    part: Part
    number: str
    children: list["Node"] = field(default_factory=list)
    size: int | None = None
    """Octets with the transfer encoding undone, once they were counted."""

    @property
    def type(self) -> bytes:
        """Lower case, as the subtype."""
        return self.part.type

    @property
    def subtype(self) -> bytes:
        """Lower case."""
        return self.part.subtype

    @property
    def is_named(self) -> bool:
        """Whether it has a file name."""
        return bool(self.part.filename)

    @property
    def is_multipart(self) -> bool:
        """A multipart has no id, since it has no octets of its own to be had."""
        return self.part.is_multipart

    @property
    def disposition(self) -> bytes | None:
        """Lower case; None without one."""
        found = self.part.disposition
        return found[0] if found else None


def tree(root: Part) -> Node:
    """The parts with their numbers (RFC 9051 §6.4.5.1); what is inside a message/rfc822 belongs to
    that message.
    """
    return _numbered(root, "") if root.is_multipart else Node(root, "1")


def _numbered(part: Part, number: str) -> Node:
    node = Node(part, number)
    if part.is_multipart:
        prefix = f"{number}." if number else ""
        node.children = [
            _numbered(child, f"{prefix}{place}") for place, child in enumerate(part.children, 1)
        ]
    return node


def walk(node: Node) -> Iterator[Node]:
    """The part and all below it, in order."""
    yield node
    for child in node.children:
        yield from walk(child)


def part_object(data: bytes, node: Node, blob: str, properties: Sequence[str]) -> dict[str, Any]:
    """An EmailBodyPart with these properties; `blob` is the message's blobId."""
    fields: list[Field] | None = None
    named: dict[bytes, list[bytes]] = {}
    found: dict[str, Any] = {}
    for name in properties:
        if name == "headers" or name.startswith("header:"):
            if fields is None:
                fields = _header(data, node.part)
                named = by_name(fields)
            found[name] = (
                header_list(fields) if name == "headers" else header_property(name).of(named)
            )
        elif name == "subParts":
            found[name] = (
                [part_object(data, child, blob, properties) for child in node.children]
                if node.is_multipart
                else None
            )
        else:
            found[name] = _value(data, node, blob, name)
    return found


def header_list(fields: Sequence[Field]) -> list[dict[str, str]]:
    """EmailHeader objects, in order."""
    return [{"name": decode_text(one.name, ""), "value": raw(one.value)} for one in fields]


def fields_of(data: bytes) -> list[Field]:
    """The fields of the header that `data` begins with, as many as MAX_HEADER octets hold."""
    return list(iter_fields(header_block(data[:MAX_HEADER])))


def _header(data: bytes, part: Part) -> list[Field]:
    return fields_of(data[part.header_offset : part.header_offset + part.header_length])


def _value(data: bytes, node: Node, blob: str, name: str) -> Any:
    part = node.part
    match name:
        case "partId":
            return None if node.is_multipart else node.number
        case "blobId":
            return None if node.is_multipart else part_blob(blob, node.number)
        case "size":
            if node.size is None:
                node.size = 0 if node.is_multipart else len(octets(data, part))
            return node.size
        case "name":
            return part.filename
        case "type":
            return part.content_type
        case "charset":
            return (part.charset or "us-ascii") if part.type == b"text" else part.charset or None
        case "disposition":
            return None if node.disposition is None else decode_text(node.disposition, "")
        case "cid":
            return _text_of(part, b"id", strip=" <>")
        case "language":
            value = _text_of(part, b"language")
            return [one.strip() for one in value.split(",") if one.strip()] if value else None
        case "location":
            return _text_of(part, b"location")
    raise KeyError(name)


def _text_of(part: Part, name: bytes, strip: str = " ") -> str | None:
    value = part.text_field(name)
    return (decode_text(value, "").strip(strip) or None) if value else None


def part_blob(blob: str, number: str) -> str:
    """The blobId of a part; ids have no dots (RFC 8620 §1.2)."""
    return f"{blob}-{number.replace('.', '_')}"


def octets(data: bytes, part: Part) -> bytes:
    """The part's octets with the transfer encoding undone."""
    found = data[part.body_offset : part.body_offset + part.body_length]
    return decode(found, part.encoding.decode("ascii", "replace"))


def _is_known(part: Part) -> bool:
    """Whether charset and transfer encoding are ones that can be undone."""
    try:
        codecs.lookup(part.charset or "us-ascii")
    except (LookupError, ValueError):
        return False
    return decoder(part.encoding.decode("ascii", "replace")) is not None


def body_value(data: bytes, node: Node, limit: int) -> dict[str, Any]:
    """An EmailBodyValue; `limit` in octets of UTF-8, 0 for none."""
    part = node.part
    found = octets(data, part)
    value = decode_text(found, part.charset).replace("\r\n", "\n")
    problem = "\ufffd" in value or not _is_known(part)
    encoded = value.encode("utf-8", "replace")
    truncated = 0 < limit < len(encoded)
    if truncated:
        value = encoded[:limit].decode("utf-8", "ignore")
        if part.subtype == b"html" and value.rfind("<") > value.rfind(">"):
            value = value[: value.rfind("<")]
    return {"value": value, "isEncodingProblem": problem, "isTruncated": truncated}
