"""MDN objects as values, both ways (RFC 9007 §2). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from message.mdn import ACTIONS, SENDINGS, TYPES, Notification, Parsed, is_extension
from web.jmap.errors import invalid_properties

MDN: Final = "urn:ietf:params:jmap:mdn"
Object = dict[str, Any]
_GIVEN: Final = frozenset(
    ("forEmailId", "subject", "textBody", "includeOriginalMessage", "reportingUA", "disposition",
     "finalRecipient", "extensionFields")
)  # fmt: skip
_MAX_TEXT: Final = 256 * 1024
_MAX_FIELDS: Final = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants to notify of; None for what it leaves to the server."""

    email_id: str
    subject: str | None
    text: str | None
    whole: bool
    reporting_ua: str | None
    final_recipient: str | None
    notification: Notification


def asked(made: Mapping[str, Any]) -> Asked:
    """Of an object of MDN/send. Raises SetError."""
    if unknown := sorted(made.keys() - _GIVEN):
        raise invalid_properties("cannot be set", *unknown)
    email_id = _text(made, "forEmailId")
    if email_id is None:
        raise invalid_properties("an Id is needed", "forEmailId")
    whole = made.get("includeOriginalMessage", False)
    if not isinstance(whole, bool):
        raise invalid_properties("true or false is needed", "includeOriginalMessage")
    recipient, agent = _text(made, "finalRecipient"), _text(made, "reportingUA")
    kind = _disposition(made.get("disposition"))
    extensions = _extensions(made.get("extensionFields"))
    notification = Notification(*kind, extensions=extensions)
    return Asked(
        email_id,
        _text(made, "subject"),
        _text(made, "textBody"),
        whole,
        agent,
        recipient,
        notification,
    )


def shown(parsed: Parsed, email_id: str | None) -> Object:
    """What came, as an object of MDN/parse."""
    told = parsed.notification
    return {
        "forEmailId": email_id,
        "subject": parsed.subject,
        "textBody": parsed.text,
        "includeOriginalMessage": parsed.original,
        "reportingUA": told.reporting_ua or None,
        "disposition": {
            "actionMode": told.action,
            "sendingMode": told.sending,
            "type": told.type,
        },
        "mdnGateway": told.gateway or None,
        "originalRecipient": told.original_recipient or None,
        "finalRecipient": told.final_recipient or None,
        "originalMessageId": told.message_id or None,
        "error": list(told.errors) or None,
        "extensionFields": dict(told.extensions) or None,
    }


def _disposition(value: Any) -> tuple[str, str, str]:
    if not isinstance(value, dict) or value.keys() != {"actionMode", "sendingMode", "type"}:
        raise invalid_properties("actionMode, sendingMode and type are needed", "disposition")
    for name, known in (("actionMode", ACTIONS), ("sendingMode", SENDINGS), ("type", TYPES)):
        if value[name] not in known:
            raise invalid_properties(f"{name} is one of {', '.join(known)}", "disposition")
    return value["actionMode"], value["sendingMode"], value["type"]


def _extensions(value: Any) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict) or len(value) > _MAX_FIELDS:
        raise invalid_properties("an object of texts is needed", "extensionFields")
    for name, text in value.items():
        if not is_extension(name) or not isinstance(text, str) or len(text) > 1_000:
            raise invalid_properties(f"{name[:100]} cannot be a field", "extensionFields")
    return tuple(value.items())


def _text(made: Mapping[str, Any], name: str) -> str | None:
    value = made.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > _MAX_TEXT):
        raise invalid_properties("a string is needed", name)
    return value
