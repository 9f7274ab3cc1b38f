"""Message disposition notifications, "read receipts": multipart/report of RFC 8098. Pure.

A notification has the null sender (§3), so that nothing answers it. Fields beyond those of the
standard are kept as they are; what is no notification is None.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from message.address_list import mailboxes
from message.compose import Composed, Leaf, Multipart, compose
from message.crlf import to_crlf
from message.decoding import decode
from message.headers import Field, build_field, first, header_block, iter_fields, unfold
from message.scan import Part, scan_crlf, walk
from message.words import decode_text, decode_words

ACTIONS: Final = ("manual-action", "automatic-action")
SENDINGS: Final = ("mdn-sent-manually", "mdn-sent-automatically")
TYPES: Final = ("deleted", "dispatched", "displayed", "processed")
MAX_FIELDS: Final = 64 * 1024
_KNOWN: Final = frozenset(
    (b"reporting-ua", b"mdn-gateway", b"original-recipient", b"final-recipient",
     b"original-message-id", b"disposition", b"failure", b"error", b"warning")
)  # fmt: skip
_DISPOSITION: Final = re.compile(
    r"\s*([a-z-]+)\s*/\s*([a-z-]+)\s*;\s*([a-z-]+)\s*(?:/.*)?", re.IGNORECASE | re.DOTALL
)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_BREAK: Final = re.compile(r"[\r\n\0]+")


@dataclass(frozen=True, slots=True)
class Notification:
    """Recipients as in the fields, "rfc822; a@b"; `message_id` with angle brackets. "" for what is
    not there; `errors` are texts of Error fields, `extensions` names and values of others.
    """

    action: str
    sending: str
    type: str
    final_recipient: str = ""
    original_recipient: str = ""
    message_id: str = ""
    reporting_ua: str = ""
    gateway: str = ""
    errors: tuple[str, ...] = ()
    extensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A notification that came: its subject and its text for people; `original`: it has the message
    with it.
    """

    notification: Notification
    subject: str
    text: str
    original: bool


def is_extension(name: str) -> bool:
    """Whether a field of that name may be added (§3.3)."""
    return _NAME.fullmatch(name) is not None and name.lower().encode() not in _KNOWN


def build_mdn(
    fields: Sequence[bytes], text: str, notification: Notification, original: bytes, seed: str
) -> Composed:
    """`fields` are those of the header; `original` is the message, or its header alone."""
    whole = header_block(original) != original
    third = Leaf("message/rfc822" if whole else "text/rfc822-headers", original)
    if not whole:
        third = Leaf("text/rfc822-headers", original.decode("utf-8", "replace"))
    told = Leaf("message/disposition-notification", _fields(notification))
    parts = (Leaf("text/plain", text), told, third)
    params = (("report-type", "disposition-notification"),)
    return compose(fields, Multipart("report", parts, params=params), seed)


def _fields(told: Notification) -> bytes:
    named = [
        ("Reporting-UA", told.reporting_ua),
        ("MDN-Gateway", told.gateway),
        ("Original-Recipient", told.original_recipient),
        ("Final-Recipient", told.final_recipient),
        ("Original-Message-ID", told.message_id),
        ("Disposition", f"{told.action}/{told.sending}; {told.type}"),
        *(("Error", one) for one in told.errors),
        *told.extensions,
    ]
    return b"".join(build_field(name, _BREAK.sub(" ", value)) for name, value in named if value)


def parse_mdn(data: bytes) -> Parsed | None:
    """What a message notifies of."""
    data = to_crlf(data)
    root = scan_crlf(data)
    found = next((part for part in walk(root) if _is_notification(part)), None)
    if found is None:
        return None
    notification = _notification(list(iter_fields(_octets(data, found)[:MAX_FIELDS])))
    if notification is None:
        return None
    texts = (part for part in walk(root) if (part.type, part.subtype) == (b"text", b"plain"))
    plain = next(texts, None)
    text = "" if plain is None else decode_text(_octets(data, plain), plain.charset)
    subject = decode_words(first(header_block(data), b"subject") or b"")
    original = any(part.is_message and part is not found for part in walk(root))
    return Parsed(notification, subject, text.replace("\r\n", "\n"), original)


def _is_notification(part: Part) -> bool:
    return (part.type, part.subtype) == (b"message", b"disposition-notification")


def _octets(data: bytes, part: Part) -> bytes:
    found = data[part.body_offset : part.body_offset + part.body_length]
    return decode(found, part.encoding.decode("ascii", "replace"))


def _notification(fields: Sequence[Field]) -> Notification | None:
    values: dict[bytes, list[str]] = {}
    others: list[tuple[str, str]] = []
    for one in fields:
        text = decode_words(unfold(one.value))
        if (name := one.name.lower()) in _KNOWN:
            values.setdefault(name, []).append(text)
        else:
            others.append((decode_text(one.name, ""), text))

    def value(name: bytes) -> str:
        return values.get(name, [""])[0]

    match = _DISPOSITION.fullmatch(value(b"disposition"))
    if match is None:
        return None
    action, sending, kind = (one.lower() for one in match.groups())
    if action not in ACTIONS or sending not in SENDINGS or kind not in TYPES:
        return None
    return Notification(
        action,
        sending,
        kind,
        value(b"final-recipient"),
        value(b"original-recipient"),
        value(b"original-message-id"),
        value(b"reporting-ua"),
        value(b"mdn-gateway"),
        tuple(values.get(b"error", ())),
        tuple(others),
    )


def wanted_by(header: bytes) -> str:
    """Who asked for a notification (Disposition-Notification-To, §2.1); "" for nobody, and where
    more than one address stands there, which an agent had to ask its user about.
    """
    value = first(header, b"disposition-notification-to")
    found = [] if value is None else [one.text for one in mailboxes(value) if one.domain]
    return found[0] if len(found) == 1 else ""
