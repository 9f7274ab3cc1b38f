"""The PROXY header, versions 1 and 2, that a load balancer puts before a connection. Pure.

The specification is HAProxy's `proxy-protocol.txt`, no RFC. Invariants: a header is taken whole or
refused; bytes behind it are never looked at; TLVs are skipped, whatever they say.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
MAX_LINE = 107
MAX_BLOCK = 4096
MAX_HEADER = 16 + MAX_BLOCK

_PORT = rb"(0|[1-9][0-9]{0,4})"
_LINE = re.compile(
    rb"PROXY (?:(TCP4|TCP6) ([0-9a-fA-F:.]{2,45}) ([0-9a-fA-F:.]{2,45}) "
    + _PORT
    + b" "
    + _PORT
    + rb"|UNKNOWN(?: [\x20-\x7e]*)?)\r\n"
)
_INET, _INET6, _UNIX = 0x11, 0x21, 0x31
_ADDRESSES = {0x00: 0, _INET: 12, _INET6: 36, _UNIX: 216}


class NotProxied(ValueError):
    """What came is no PROXY header."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """`length` in octets; `source` is who connected to the proxy, None where it speaks for itself:
    LOCAL (its own health check), UNKNOWN and addresses that are no IP addresses.
    """

    length: int
    source: tuple[str, int] | None


def parse_header(data: bytes) -> ProxyHeader | None:
    """None while more is needed. Raises NotProxied."""
    if data[: len(SIGNATURE)] == SIGNATURE[: len(data)]:
        return _block(data) if len(data) >= 16 else None
    if data[:6] != b"PROXY "[: len(data)]:
        raise NotProxied("no PROXY header")
    end = data.find(b"\n", 0, MAX_LINE)
    if end < 0:
        if len(data) >= MAX_LINE:
            raise NotProxied("the line is too long")
        return None
    return _line(data[: end + 1])


def _line(line: bytes) -> ProxyHeader:
    found = _LINE.fullmatch(line)
    if found is None:
        raise NotProxied("not a line of PROXY")
    if found[1] is None:
        return ProxyHeader(len(line), None)
    kind = IPv4Address if found[1] == b"TCP4" else IPv6Address
    try:
        source, _ = kind(found[2].decode()), kind(found[3].decode())
    except ValueError:
        raise NotProxied("an address is not valid") from None
    if max(int(found[4]), int(found[5])) > 65_535:
        raise NotProxied("a port is not valid")
    return ProxyHeader(len(line), (_text(source), int(found[4])))


def _block(data: bytes) -> ProxyHeader | None:
    version, command, family = data[12] >> 4, data[12] & 15, data[13]
    length = int.from_bytes(data[14:16])
    if version != 2 or command > 1:
        raise NotProxied("neither LOCAL nor PROXY of version 2")
    if length > MAX_BLOCK:
        raise NotProxied("the header is too long")
    if command == 1 and length < _ADDRESSES.get(family, MAX_HEADER):
        raise NotProxied("the addresses are missing, or of no stream")
    if len(data) < 16 + length:
        return None
    return ProxyHeader(16 + length, _source(data, family) if command else None)


def _source(data: bytes, family: int) -> tuple[str, int] | None:
    if family == _INET:
        return _text(IPv4Address(data[16:20])), int.from_bytes(data[24:26])
    if family == _INET6:
        return _text(IPv6Address(data[16:32])), int.from_bytes(data[48:50])
    return None


def _text(address: IPv4Address | IPv6Address) -> str:
    """::ffff:192.0.2.1 is 192.0.2.1, as everywhere else."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
