"""Names in DNS messages and as text, and the name servers of the system.

A name is kept as the octets of RFC 1035 §3.1: labels with their lengths, uncompressed, the root
last, ASCII letters in lower case. So names that DNS takes for equal are equal.
"""

import re
from ipaddress import ip_address

import dns.resolver
import idna

ROOT = b"\0"
MAX_NAME = 255
MAX_LABEL = 63
# As many labels as a name may have: no more pointers than that lead to any of them.
MAX_POINTERS = 127

_POINTER = 0xC0
# what a master file would take for something else (RFC 1035 §5.1), and what can't be printed
_SPECIAL = re.compile(rb'[^!-~]|["().;\\@$]')


def parse_name(text: str) -> bytes:
    """A name as text means it: a backslash is an octet, letters beyond ASCII make A-labels.

    Raises ValueError for what DNS can't hold.
    """
    plain = text.removesuffix(".")
    if not plain:
        return ROOT
    octets = plain.encode() if plain.isascii() else b".".join(map(_a_label, plain.split(".")))
    labels = octets.lower().split(b".")
    sizes = [len(label) for label in labels]
    if min(sizes) < 1 or max(sizes) > MAX_LABEL or sum(sizes) + len(sizes) >= MAX_NAME:
        raise ValueError("no name of DNS")
    return b"".join([bytes((len(label),)) + label for label in labels]) + ROOT


def _a_label(label: str) -> bytes:
    return label.encode() if label.isascii() else idna.encode(label, uts46=True)


def read_name(wire: bytes, at: int, end: int) -> tuple[bytes, int]:
    """The name at an offset of a message and where it ends; nothing from `end` on is looked at.

    A pointer leads to before all that was read of the name. Raises ValueError and IndexError.
    """
    labels: list[bytes] = []
    after, lowest, left, jumps = -1, at, MAX_NAME, MAX_POINTERS
    while length := wire[at]:
        if length <= MAX_LABEL:
            following = at + length + 1
            left -= length + 1
            if following >= end or left < 1:
                raise ValueError("a name that is too long")
            labels.append(wire[at:following])
            at = following
        elif length >= _POINTER:
            if at + 2 > end:
                raise ValueError("a pointer that is cut off")
            after = at + 2 if after < 0 else after
            at = (length & 0x3F) << 8 | wire[at + 1]
            jumps -= 1
            if at >= lowest or jumps < 0:
                raise ValueError("a pointer that leads nowhere")
            lowest = at
        else:
            raise ValueError("a label of a type that nobody uses")
    return b"".join(labels).lower() + ROOT, at + 1 if after < 0 else after


def name_text(name: bytes) -> str:
    """Without a final dot, "" for the root; octets that are no plain characters are escaped as in
    master files.
    """
    labels, at = [], 0
    while length := name[at]:
        labels.append(name[at + 1 : at + 1 + length])
        at += length + 1
    text = b".".join(labels)
    if not _SPECIAL.search(text.replace(b".", b"")) and text.count(b".") == len(labels) - 1:
        return text.decode("ascii")
    return ".".join(_escaped(label) for label in labels)


def _escaped(label: bytes) -> str:
    def escape(found: re.Match[bytes]) -> bytes:
        octet = found[0][0]
        return b"\\" + found[0] if 0x20 < octet < 0x7F else b"\\%03d" % octet

    return _SPECIAL.sub(escape, label).decode("ascii")


def numeric(host: str) -> str:
    return "127.0.0.1" if host.lower() == "localhost" else host


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def system_servers() -> list[tuple[str, int]]:
    try:
        found = dns.resolver.Resolver(configure=True).nameservers
    except dns.resolver.NoResolverConfiguration:
        found = []
    return [(str(one), 53) for one in found]


def literal_addresses(host: str) -> list[str]:
    """An address written out, or localhost, which never leaves the machine (RFC 6761 §6.3)."""
    if host.rstrip(".").lower() == "localhost":
        return ["127.0.0.1", "::1"]
    try:
        return [str(ip_address(host))]
    except ValueError:
        return []
