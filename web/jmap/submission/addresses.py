"""EmailAddress objects (RFC 8621 §4.1.2.3) in objects that clients send. Pure."""

import re
from collections.abc import Sequence
from typing import Any, Final

from message.address import AddressError, parse_mailbox
from storage.identities import MAX_ADDRESSES, MAX_NAME, Named
from web.jmap.errors import invalid_properties

_CONTROL: Final = re.compile("[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")


def is_line(value: Any, most: int) -> bool:
    """A text on one line of so many characters at most."""
    return isinstance(value, str) and len(value) <= most and not _CONTROL.search(value)


def named_list(value: Any, name: str) -> tuple[Named, ...] | None:
    """An array of EmailAddress, or null, of the property. Raises SetError."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_ADDRESSES:
        text = f"an array of at most {MAX_ADDRESSES} addresses, or null, is needed"
        raise invalid_properties(text, name)
    return tuple(_named(one, name) for one in value)


def shown(addresses: Sequence[Named] | None) -> list[dict[str, str | None]] | None:
    """As clients get them."""
    if addresses is None:
        return None
    return [{"name": one.name, "email": one.email} for one in addresses]


def _named(value: Any, name: str) -> Named:
    if not isinstance(value, dict) or not value.keys() <= {"name", "email"}:
        raise invalid_properties("an object of name and email is needed", name)
    label, email = value.get("name"), value.get("email")
    if label is not None and not is_line(label, MAX_NAME):
        raise invalid_properties("the name is no text on one line", name)
    try:
        parse_mailbox(email if isinstance(email, str) else "")
    except AddressError as error:
        raise invalid_properties(str(error), name) from None
    return Named(str(email), label)
