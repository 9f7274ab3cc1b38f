"""The value of `auth.sms`, where verification codes go: `outbox`, or `webhook:URL`. Pure.

A webhook has https, or http to an address of this machine alone; a user and a password in its URL
are sent as Basic authorization (RFC 7617). Errors never show the value.
"""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

OUTBOX = "outbox"
ALLOWED = '"outbox" or "webhook:URL", the URL with https, or http to an address such as 127.0.0.1'


@dataclass(frozen=True, slots=True)
class Webhook:
    """`path` with its query; `user` is "" without authorization. `port` None is that of https."""

    tls: bool
    host: str
    port: int | None
    path: str = field(repr=False)
    user: str = ""
    password: str = field(default="", repr=False)


def parse_sms(text: str) -> Webhook | None:
    """None for the outbox. Raises ValueError whose text says what is allowed."""
    if text == OUTBOX:
        return None
    if text.startswith("smpp:"):
        raise ValueError(f"SMPP is not in this version; {ALLOWED}")
    try:
        parts = urlsplit(text.removeprefix("webhook:"))
        port = parts.port
    except ValueError:
        raise ValueError(ALLOWED) from None
    tls, host = parts.scheme == "https", parts.hostname or ""
    fits = text.startswith("webhook:") and text.isascii() and text.isprintable()
    if not fits or " " in text or not host or port == 0 or parts.fragment:
        raise ValueError(ALLOWED)
    if not tls and (parts.scheme != "http" or not _is_own(host)):
        raise ValueError(ALLOWED)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Webhook(tls, host, port if tls else port or 80, path, user, password)


def _is_own(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
