"""The message that the properties of a new Email describe (RFC 8621 §4.6). Pure.

Message-ID and Date are the caller's where the client gives none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from message.compose import Composed, Node, Source, compose
from message.compose_fields import date, message_ids
from web.jmap.errors import SetError, invalid_properties
from web.jmap.mail.header_values import is_header, named_fields, refuse_content_fields
from web.jmap.mail.new_body import Octets, new_body

_METADATA: Final = frozenset(("mailboxIds", "keywords", "receivedAt"))
_BODY: Final = frozenset(("bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments"))
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a message gets that has none: `message_id` without angle brackets; `when` is aware."""

    message_id: str
    when: datetime


def refuse_unknown(made: Mapping[str, Any]) -> None:
    """Raises SetError for properties that a client cannot give."""
    unknown = [
        one for one in made if one not in _METADATA and one not in _BODY and not is_header(one)
    ]
    if unknown:
        raise invalid_properties("cannot be given", *sorted(unknown))


def blobs_of(made: Mapping[str, Any]) -> dict[str, str]:
    """blobIds that the body refers to, with the media type of their part. Raises SetError."""
    found: dict[str, str] = {}

    def note(blob_id: str, kind: str) -> Source:
        if kind.startswith("message/") or blob_id not in found:
            found[blob_id] = kind
        return b""

    new_body(made, note)
    return found


def new_message(made: Mapping[str, Any], octets: Octets, stamp: Stamp) -> Composed:
    """The message in pieces. Raises SetError."""
    fields = named_fields(made)
    refuse_content_fields(fields)
    root = new_body(made, octets)
    lines = [one for held in fields.values() for one in held]
    own = _field_names(root)
    if twice := own & fields.keys():
        raise SetError(
            "invalidProperties",
            f"{min(twice)} is given for the Email and for its bodyStructure",
            ("bodyStructure",),
        )
    given = fields.keys() | own
    if "date" not in given:
        lines.append(date("Date", stamp.when))
    if "message-id" not in given:
        lines.append(message_ids("Message-ID", [stamp.message_id]))
    lines = [one for one in lines if not one.lower().startswith(b"mime-version:")]
    return compose(lines, root, stamp.message_id)


def _field_names(root: Node) -> set[str]:
    """Of the header of the body's first part, which is that of the message."""
    return {one.partition(b":")[0].decode("ascii").lower() for one in root.fields}
