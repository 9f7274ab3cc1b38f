"""The value of `auth.sms`, where verification codes go: `outbox`, `webhook:URL`, or an SMS centre
as `smpp://` or `smpps://`. Pure.

A webhook has https, or http to an address of this machine alone; a user and a password in its URL
are sent as Basic authorization (RFC 7617). SMPP without TLS is what many providers have, behind a
VPN or a list of addresses: the operator chooses it. Errors never show the value.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

OUTBOX = "outbox"
ALLOWED = (
    '"outbox"; "webhook:URL", the URL with https, or http to an address such as 127.0.0.1; '
    'or "smpps://ID:PASSWORD@HOST"'
)
_PORTS: Final = {"smpp": 2775, "smpps": 3550}
_ALPHABETS: Final[dict[str, Literal["gsm", "latin1", "ucs2"]]] = {
    "gsm": "gsm",
    "latin1": "latin1",
    "ucs2": "ucs2",
}
_LONGEST: Final = {"ID": 15, "PASSWORD": 8, "system_type": 12, "source": 20}
_PARAMETERS: Final = {"source", "ton", "npi", "system_type", "alphabet", "window"}


@dataclass(frozen=True, slots=True)
class Webhook:
    """`path` with its query; `user` is "" without authorization. `port` None is that of https."""

    tls: bool
    host: str
    port: int | None
    path: str = field(repr=False)
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Smpp:
    """An SMS centre. `source` is who texts are from, with its type of number and numbering plan;
    `alphabet` what data_coding 0 or 3 means there; `window` how many wait for their answer.
    """

    tls: bool
    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    source: str = ""
    source_ton: int = 0
    source_npi: int = 0
    alphabet: Literal["gsm", "latin1", "ucs2"] = "gsm"
    window: int = 10


def parse_sms(text: str) -> Webhook | Smpp | None:
    """None for the outbox. Raises ValueError whose text says what is allowed."""
    if text == OUTBOX:
        return None
    try:
        parts = urlsplit(text.removeprefix("webhook:"))
        port = parts.port
    except ValueError:
        raise ValueError(ALLOWED) from None
    plain = text.isascii() and text.isprintable() and " " not in text
    if not plain or not parts.hostname or port == 0 or parts.fragment:
        raise ValueError(ALLOWED)
    if parts.scheme in _PORTS and not text.startswith("webhook:"):
        return _smpp(parts, port)
    tls, host = parts.scheme == "https", parts.hostname
    if not text.startswith("webhook:"):
        raise ValueError(ALLOWED)
    if not tls and (parts.scheme != "http" or not _is_own(host)):
        raise ValueError(ALLOWED)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Webhook(tls, host, port if tls else port or 80, path, user, password)


def _smpp(parts: SplitResult, port: int | None) -> Smpp:
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(given.keys() - _PARAMETERS)
    if unknown or parts.path not in ("", "/"):
        raise ValueError(f"smpp: takes the parameters {', '.join(sorted(_PARAMETERS))} alone")
    source = given.get("source", "")
    texts = {
        "ID": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "system_type": given.get("system_type", ""),
        "source": source.removeprefix("+"),
    }
    for name, value in texts.items():
        if len(value) > _LONGEST[name] or not value.isascii() or not value.isprintable():
            raise ValueError(f"smpp: {name} has at most {_LONGEST[name]} letters of ASCII")
    if not texts["ID"]:
        raise ValueError("smpp: ID is missing, as in smpps://ID:PASSWORD@HOST")
    ton, npi = _kind_of(source)
    alphabet = _ALPHABETS.get(given.get("alphabet", "gsm"))
    if alphabet is None:
        raise ValueError("smpp: alphabet is gsm, latin1 or ucs2")
    return Smpp(
        parts.scheme == "smpps",
        parts.hostname or "",
        port or _PORTS[parts.scheme],
        texts["ID"],
        texts["PASSWORD"],
        texts["system_type"],
        texts["source"],
        _number(given, "ton", ton, 0, 6),
        _number(given, "npi", npi, 0, 18),
        alphabet,
        _number(given, "window", 10, 1, 100),
    )


def _kind_of(source: str) -> tuple[int, int]:
    """Type of number and numbering plan (SMPP 3.4 §5.2.5, §5.2.6) as providers expect them: a name,
    an international number with its plus, or a short code.
    """
    if not source:
        return 0, 0
    if source.startswith("+"):
        return 1, 1
    return (3, 0) if re.fullmatch(r"[0-9]{1,8}", source) else (1, 1) if source.isdigit() else (5, 0)


def _number(given: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    text = given.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,3}", text) or not least <= int(text) <= most:
        raise ValueError(f"smpp: {name} is a number from {least} to {most}")
    return int(text)


def _is_own(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
