"""What the name in HELO or EHLO tells of a stranger, as symbols (RFC 5321 §4.1.3, §4.1.4). Pure.

A wrong name alone proves nothing: many honest hosts have one. RFC 5321 §4.1.4 forbids to refuse
mail because the name does not match the address, so that no symbol says so.
"""

import re
from collections.abc import Callable
from ipaddress import IPv6Address

from net.networks import Address, parse_address

OURS = "HELO_OURS"
SYNTAX = "HELO_SYNTAX"
UNQUALIFIED = "HELO_UNQUALIFIED"
LITERAL = "HELO_LITERAL"
FOREIGN_LITERAL = "HELO_FOREIGN_LITERAL"
BARE_ADDRESS = "HELO_BARE_ADDRESS"
SYMBOLS = (OURS, SYNTAX, UNQUALIFIED, LITERAL, FOREIGN_LITERAL, BARE_ADDRESS)

# Underscores stand in the names of many Windows hosts.
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_LOCAL_ONLY = ("localhost", "localdomain", "local", "lan", "internal", "home", "invalid")


def judge_helo(
    name: str,
    peer: str,
    is_our_name: Callable[[str], bool],
    is_our_address: Callable[[str], bool],
) -> str:
    """The symbol that fits, "" for an ordinary name. `is_our_name` gets lower case A-labels."""
    if name.startswith("["):
        return _literal(name, peer, is_our_address)
    bare = parse_address(name)
    if bare is not None:
        return OURS if is_our_address(str(bare)) else BARE_ADDRESS
    if not _NAME.fullmatch(name) or len(name) > 255:
        return SYNTAX
    plain = name.removesuffix(".").lower()
    if is_our_name(plain):
        return OURS
    if "." not in plain or plain.rpartition(".")[2] in _LOCAL_ONLY:
        return UNQUALIFIED
    return ""


def _literal(name: str, peer: str, is_our_address: Callable[[str], bool]) -> str:
    address = parse_literal(name)
    if address is None:
        return SYNTAX
    if address == parse_address(peer):
        return LITERAL
    return OURS if is_our_address(str(address)) else FOREIGN_LITERAL


def parse_literal(text: str) -> Address | None:
    """The address of `[192.0.2.1]` or `[IPv6:2001:db8::1]`; None for all else."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    inner = text[1:-1]
    tagged = inner[:5].lower() == "ipv6:"
    address = parse_address(inner[5:] if tagged else inner)
    if address is None or (":" in (inner[5:] if tagged else inner)) is not tagged:
        return None
    return address if tagged or not isinstance(address, IPv6Address) else None
