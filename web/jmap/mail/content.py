"""The properties of an Email that come from its octets (RFC 8621 §4.1.2 to §4.1.4). Pure, so that
another process can do it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from message.crlf import to_crlf
from message.preview import preview
from message.scan import scan_crlf
from message.shown import bodies
from web.jmap.mail.body import (
    Node,
    body_value,
    fields_of,
    header_list,
    octets,
    part_object,
    tree,
    walk,
)
from web.jmap.mail.header_forms import by_name, header_property
from web.jmap.octets import octets_of

CONVENIENCE: Final = {
    "messageId": "header:Message-ID:asMessageIds",
    "inReplyTo": "header:In-Reply-To:asMessageIds",
    "references": "header:References:asMessageIds",
    "sender": "header:Sender:asAddresses",
    "from": "header:From:asAddresses",
    "to": "header:To:asAddresses",
    "cc": "header:Cc:asAddresses",
    "bcc": "header:Bcc:asAddresses",
    "replyTo": "header:Reply-To:asAddresses",
    "subject": "header:Subject:asText",
    "sentAt": "header:Date:asDate",
}
BODY: Final = frozenset(
    (
        "bodyStructure",
        "bodyValues",
        "textBody",
        "htmlBody",
        "attachments",
        "hasAttachment",
        "preview",
    )
)
MAX_VALUE: Final = 5 * 1024 * 1024
"""Octets of one body value: a longer one is truncated."""


@dataclass(frozen=True, slots=True)
class BodyOptions:
    """Arguments of Email/get about bodies (§4.2)."""

    properties: tuple[str, ...]
    text_values: bool = False
    html_values: bool = False
    all_values: bool = False
    max_value: int = 0


def needs_body(properties: Sequence[str] | frozenset[str]) -> bool:
    """Whether more than the header is read for them."""
    return not BODY.isdisjoint(properties)


def is_content(name: str) -> bool:
    """Whether a property comes from the octets."""
    return name in CONVENIENCE or name in BODY or name == "headers" or name.startswith("header:")


def counted_content(
    data: bytes, blob: str, properties: frozenset[str], options: BodyOptions
) -> tuple[dict[str, Any], int]:
    """As email_content, and how many octets of JSON it is; line ends may be bare LF."""
    found = email_content(to_crlf(data), blob, properties, options)
    return found, octets_of(found)


def email_content(
    data: bytes, blob: str, properties: frozenset[str], options: BodyOptions
) -> dict[str, Any]:
    """`data` is the message, or its header where no body is needed; `blob` its blobId."""
    fields = fields_of(data)
    named = by_name(fields)
    found: dict[str, Any] = {}
    for name in properties:
        if name == "headers":
            found[name] = header_list(fields)
        elif name in CONVENIENCE or name.startswith("header:"):
            found[name] = header_property(CONVENIENCE.get(name, name)).of(named)
    if needs_body(properties):
        found |= _of_body(data, blob, properties, options)
    return found


def _of_body(
    data: bytes, blob: str, properties: frozenset[str], options: BodyOptions
) -> dict[str, Any]:
    root = scan_crlf(data)
    top = tree(root)
    shown = bodies(top)

    def objects(nodes: Sequence[Node]) -> list[dict[str, Any]]:
        return [part_object(data, node, blob, options.properties) for node in nodes]

    found: dict[str, Any] = {}
    if "bodyStructure" in properties:
        whole = (*options.properties, "subParts")
        found["bodyStructure"] = part_object(data, top, blob, tuple(dict.fromkeys(whole)))
    if "textBody" in properties:
        found["textBody"] = objects(shown.text)
    if "htmlBody" in properties:
        found["htmlBody"] = objects(shown.html)
    if "attachments" in properties:
        found["attachments"] = objects(shown.attachments)
    if "hasAttachment" in properties:
        found["hasAttachment"] = shown.has_attachment
    if "preview" in properties:
        found["preview"] = preview(data, root)
    if "bodyValues" in properties:
        nodes = list(walk(top)) if options.all_values else []
        nodes += shown.text if options.text_values else []
        nodes += shown.html if options.html_values else []
        wanted = {node.number: node for node in nodes if node.part.type == b"text"}
        limit = min(options.max_value or MAX_VALUE, MAX_VALUE)
        found["bodyValues"] = {
            number: body_value(data, node, limit) for number, node in wanted.items()
        }
    return found


def part_octets(data: bytes, number: str) -> bytes | None:
    """The octets of the part of that number, its transfer encoding undone."""
    data = to_crlf(data)
    for node in walk(tree(scan_crlf(data))):
        if node.number == number and not node.is_multipart:
            return octets(data, node.part)
    return None
