"""The smarthost of `outbound.smarthost`: `smtp://user:password@host:port?verify=yes`. Pure.

smtp uses STARTTLS when the host offers it and needs it when there is a login (this machine's own
addresses excepted); smtps speaks TLS from the start. The certificate is verified for smtps, and for
smtp with `?verify=yes`, which then needs STARTTLS; `?verify=no` turns it off. Errors never show the
value.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

ALLOWED = '"smtp://user:password@host:port" or "smtps://...", with ?verify=yes or ?verify=no'
_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Smarthost:
    """Where all mail for the outside goes. `user` is "" without login."""

    host: str
    port: int
    implicit_tls: bool
    verify: bool
    user: str = ""
    password: str = field(default="", repr=False)


def parse_smarthost(text: str) -> Smarthost:
    """Raises ValueError whose text says what is allowed."""
    try:
        parts = urlsplit(text)
        port = parts.port
        query = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    except ValueError:
        raise ValueError(ALLOWED) from None
    verify = query.pop("verify", ["yes" if parts.scheme == "smtps" else "no"])
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise ValueError(ALLOWED)
    if query or verify not in (["yes"], ["no"]) or parts.path not in ("", "/") or parts.fragment:
        raise ValueError(ALLOWED)
    return Smarthost(
        parts.hostname,
        port or _PORTS[parts.scheme],
        parts.scheme == "smtps",
        verify == ["yes"],
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
