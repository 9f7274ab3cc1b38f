"""mailto URIs of notify (RFC 6068, RFC 5436 §2.2): recipients, fields that may be set, a body."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from message.address import AddressError, parse_mailbox

MAX_FIELDS: Final = 10
MAX_URI: Final = 4000
_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,60}")
_ESCAPES: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What the server sets itself, or what must not be forged.
_REFUSED: Final = re.compile(
    r"from|sender|date|message-id|received|return-path|auto-submitted|reply-to|mime-version"
    r"|bcc|dkim-signature|authentication-results|arc-.*|content-.*|resent-.*|list-.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mailto:
    """`headers` in their order, without To, Cc and Bcc, whose addresses are in `to`."""

    to: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


def read_mailto(uri: str, recipients: int) -> Mailto:
    """Raises ValueError, whose message says what is wrong."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "mailto":
        raise ValueError(f'the method "{scheme[:40]}" is unknown: mailto')
    if len(uri) > MAX_URI or _ESCAPES.search(rest):
        raise ValueError("the URI is not valid")
    path, _, query = rest.partition("?")
    to = [unquote(one) for one in path.split(",") if one]
    headers: list[tuple[str, str]] = []
    body = ""
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        name, value = unquote(name), unquote(value)
        if name.lower() in ("to", "cc", "bcc"):
            to += [one.strip() for one in value.split(",") if one.strip()]
        elif name.lower() == "body":
            body = value
        elif _NAME.fullmatch(name) and not _REFUSED.fullmatch(name):
            headers.append((name, value))
    if len(headers) > MAX_FIELDS:
        raise ValueError(f"the URI has more than {MAX_FIELDS} fields")
    return Mailto(_addresses(to, recipients), tuple(headers), body)


def _addresses(texts: list[str], recipients: int) -> tuple[str, ...]:
    try:
        found = tuple(dict.fromkeys(str(parse_mailbox(text)) for text in texts))
    except AddressError as error:
        raise ValueError(f"the URI has a bad address: {error}") from error
    if not found:
        raise ValueError("the URI names nobody")
    if len(found) > recipients:
        raise ValueError(f"the URI names more than {recipients} addresses")
    return found
