"""Header fields in their parsed forms (RFC 8621 §4.1.2). Pure: whatever a field holds, nothing
raises.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final

from message.address_list import parse_address_list
from message.date import parse_date
from message.headers import Field, unfold
from message.words import decode_text, decode_words
from web.jmap.errors import MethodError, invalid_arguments

_ADDRESSES: Final = frozenset(
    ("from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-sender",
     "resent-reply-to", "resent-to", "resent-cc", "resent-bcc")
)  # fmt: skip
_IDS: Final = frozenset(("message-id", "in-reply-to", "references", "resent-message-id"))
_DATES: Final = frozenset(("date", "resent-date"))
_LISTS: Final = frozenset(
    ("list-help", "list-unsubscribe", "list-subscribe", "list-post", "list-owner", "list-archive")
)
_TEXTS: Final = frozenset(("subject", "comments", "keywords"))
_TRACE: Final = frozenset(("return-path", "received"))
_KNOWN: Final = _ADDRESSES | _IDS | _DATES | _LISTS | _TEXTS | _TRACE
"""The fields of RFC 5322 and RFC 2369: each has the forms that make sense of it alone."""
_NAME: Final = re.compile(r"[!-9;-~]+")
_ID: Final = re.compile(rb"<([^<>\s]+)>")
_URL: Final = re.compile(rb"<([^<>]*)>")
_COMMENT: Final = re.compile(rb"\([^()]*\)")


@dataclass(frozen=True, slots=True)
class HeaderProperty:
    """A property `header:NAME:FORM:all`; `key` is what it was called."""

    key: str
    name: str
    form: str
    every: bool

    def of(self, named: Mapping[bytes, Sequence[bytes]]) -> Any:
        """Of the last field of that name, null without one; or of all of them in order."""
        values = named.get(self.name.encode(), ())
        parse = _FORMS[self.form][0]
        if self.every:
            return [parse(value) for value in values]
        return parse(values[-1]) if values else None


def by_name(fields: Sequence[Field]) -> dict[bytes, list[bytes]]:
    """The values of fields by their names in lower case, in order."""
    found: dict[bytes, list[bytes]] = {}
    for one in fields:
        found.setdefault(one.name.lower(), []).append(one.value)
    return found


@lru_cache(512)
def header_property(key: str) -> HeaderProperty:
    """The property that a name beginning with "header:" stands for. Raises MethodError."""
    parts = key.split(":")[1:]
    every = len(parts) > 1 and parts[-1] == "all"
    if every:
        parts.pop()
    if not 1 <= len(parts) <= 2 or not _NAME.fullmatch(parts[0]):
        raise invalid_arguments(f"properties: {key[:100]} names no header field")
    name, form = parts[0].lower(), parts[1] if len(parts) == 2 else "asRaw"
    if form not in _FORMS:
        raise invalid_arguments(f"properties: {form[:100]} is no form of a header field")
    allowed = _FORMS[form][1]
    if allowed is not None and name in _KNOWN and name not in allowed:
        raise _not_of(form, name)
    return HeaderProperty(key, name, form, every)


def _not_of(form: str, name: str) -> MethodError:
    return invalid_arguments(f"properties: {form} makes no sense for {name[:100]}")


def raw(value: bytes) -> str:
    """asRaw: as it stands behind the colon, folds included, NUL left out (§4.1.2.1)."""
    return value.replace(b"\0", b"").decode("utf-8", "replace")


def text(value: bytes) -> str:
    """asText: unfolded, decoded, in NFC. Octets that are no UTF-8 are read as mail has them."""
    return unicodedata.normalize("NFC", decode_words(unfold(value.replace(b"\0", b""))))


def addresses(value: bytes) -> list[dict[str, str | None]]:
    """asAddresses: groups dissolved."""
    return [one for group in grouped(value) for one in group["addresses"]]


def grouped(value: bytes) -> list[dict[str, Any]]:
    """asGroupedAddresses; what stands in no group is one without a name."""
    groups: list[dict[str, Any]] = []
    inside = False
    for one in parse_address_list(value):
        if one.domain is None:
            inside = one.local is not None
            if one.local is not None:
                groups.append({"name": decode_words(one.local), "addresses": []})
            continue
        if not inside and (not groups or groups[-1]["name"] is not None):
            groups.append({"name": None, "addresses": []})
        name = unicodedata.normalize("NFC", one.display) or None
        groups[-1]["addresses"].append({"name": name, "email": one.text})
    return groups


def message_ids(value: bytes) -> list[str] | None:
    """asMessageIds: without angle brackets; null where there is none."""
    found = [decode_text(one, "") for one in _ID.findall(_COMMENT.sub(b" ", unfold(value)))]
    return found or None


def date(value: bytes) -> str | None:
    """asDate: with the zone as sent; null where it is no date."""
    found = parse_date(unfold(value))
    if found is None:
        return None
    zone = timezone(timedelta(minutes=found.zone)) if abs(found.zone) < 24 * 60 else UTC
    try:
        when = datetime.fromtimestamp(found.timestamp, zone)
    except (OverflowError, ValueError, OSError):
        return None
    return when.isoformat().replace("+00:00", "Z")


def urls(value: bytes) -> list[str] | None:
    """asURLs: without angle brackets; null where there is none."""
    value = _COMMENT.sub(b"", unfold(value))
    found = ["".join(decode_text(one, "").split()) for one in _URL.findall(value)]
    return found or None


_FORMS: Final[dict[str, tuple[Callable[[bytes], Any], frozenset[str] | None]]] = {
    "asRaw": (raw, None),
    "asText": (text, _TEXTS),
    "asAddresses": (addresses, _ADDRESSES),
    "asGroupedAddresses": (grouped, _ADDRESSES),
    "asMessageIds": (message_ids, _IDS),
    "asDate": (date, _DATES),
    "asURLs": (urls, _LISTS),
}
