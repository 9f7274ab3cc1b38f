"""Envelope addresses: the Mailbox of RFC 5321 §4.1.2 with RFC 6531 §3.3.

Header addresses live in address_list.py. The null path `<>` and `<Postmaster>` are no mailboxes:
the SMTP grammar takes them. Lengths are octets of UTF-8.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

MAX_LOCAL = 64
MAX_DOMAIN = 255
MAX_PATH = 256

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\ud7ff\ue000-\U0010ffff]+"
_DOT_STRING = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~\u0080-\ud7ff\ue000-\U0010ffff]|\\[ -~])*+)"@')
_PLAIN = re.compile(
    r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+)*)"
    r"@((?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)*+"
    r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?)"
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?")
_GENERAL_LITERAL = re.compile(r"\[([A-Za-z0-9\-]*[A-Za-z0-9]):([!-Z^-~]+)\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class AddressError(ValueError):
    """The text is no Mailbox; its message says why in a few plain words, fit for a reply."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`local` unquoted, case kept; `domain` lower-case A-labels, or an address literal in []."""

    local: str
    domain: str

    @property
    def is_ascii(self) -> bool:
        """False when only a peer with SMTPUTF8 can take it."""
        return self.local.isascii()

    def key(self) -> str:
        """For look-ups: `local@domain`, unquoted, case-folded, and composed (RFC 5198 §3): the same
        letters come as other code points from some systems.
        """
        if self.local.isascii():
            return f"{self.local.lower()}@{self.domain}"
        return f"{unicodedata.normalize('NFC', self.local.casefold())}@{self.domain}"

    def split(self, separator: str = "+") -> tuple["Mailbox", str]:
        """The mailbox without its sub-address, and the sub-address, "" if there is none."""
        local, found, tag = self.local.partition(separator)
        if not found or not local:
            return self, ""
        return Mailbox(local, self.domain), tag

    def __str__(self) -> str:
        """As it is sent, the local part quoted where needed."""
        if _DOT_STRING.fullmatch(self.local):
            return f"{self.local}@{self.domain}"
        local = self.local.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{local}"@{self.domain}'


def parse_mailbox(text: str) -> Mailbox:
    """Parse `local@domain` (no angle brackets); raises AddressError."""
    match = _PLAIN.fullmatch(text) if len(text) <= MAX_PATH - 2 else None
    if match is not None and len(match[1]) <= MAX_LOCAL and "--" not in match[2]:
        return Mailbox(match[1], match[2].lower())
    if len(text) > MAX_PATH or len(_octets(text)) > MAX_PATH - 2:
        raise AddressError("address is longer than 254 octets")
    if _CONTROL.search(text):
        raise AddressError("control character in address")
    local, domain = _split(text)
    if len(_octets(local)) > MAX_LOCAL:
        raise AddressError("local part is longer than 64 octets")
    return Mailbox(local, normalise_domain(domain))


@lru_cache(maxsize=4096)
def normalise_domain(text: str) -> str:
    """Lower-case A-labels of a domain (no dot at its end), or a checked address literal.

    Raises AddressError.
    """
    if text.startswith("["):
        return _literal(text)
    if len(_octets(text)) > MAX_DOMAIN:
        raise AddressError("domain is longer than 255 octets")
    lower = text.lower()
    if not lower.isascii() or "xn--" in lower:
        try:
            lower = idna.encode(text, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise AddressError("domain is not a valid internationalized name") from error
    if len(lower) > MAX_DOMAIN or not all(_LABEL.fullmatch(part) for part in lower.split(".")):
        raise AddressError("domain is not a valid host name")
    return lower


def _split(text: str) -> tuple[str, str]:
    if text.startswith('"'):
        match = _QUOTED.match(text)
        if match is None:
            raise AddressError("quoted local part is not valid")
        return re.sub(r"\\(.)", r"\1", match[1]), text[match.end() :]
    local, at, domain = text.partition("@")
    if not at:
        raise AddressError("address has no @")
    if not _DOT_STRING.fullmatch(local):
        raise AddressError("local part is not valid")
    return local, domain


def _literal(text: str) -> str:
    """`[192.0.2.1]`, `[IPv6:2001:db8::1]` or another tag's literal (RFC 5321 §4.1.3)."""
    inside = text[1:-1]
    try:
        if not text.endswith("]"):
            raise AddressError("address literal is not valid")
        if inside[:5].lower() == "ipv6:":
            return f"[IPv6:{IPv6Address(inside[5:]).compressed}]"
        if _GENERAL_LITERAL.fullmatch(text):
            return text
        return f"[{IPv4Address(inside)}]"
    except AddressValueError as error:
        raise AddressError("address literal is not valid") from error


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
