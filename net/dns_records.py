"""The types of records that are asked for, and what their data says (RFC 1035 §3.3).

Data comes from anyone's name servers: `decode` is given a whole message, for the pointers in names,
and where the data lies in it. It raises ValueError and IndexError for what is malformed.
"""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from net.dns_names import name_text, read_name

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class MailExchanger:
    """One MX record; `host` lower case without a final dot, "" for the null MX (RFC 7505)."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One SRV record (RFC 2782); `target` lower case without a final dot, "" for no service."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class TlsaRecord:
    """One TLSA record, its fields as RFC 6698 §2.1 names them; whether it is usable, they say."""

    usage: int
    selector: int
    matching: int
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[T_co]):
    """A type of record. `code` is its number; of each type there is one Kind, equal to itself."""

    name: str
    code: int
    decode: Callable[[bytes, int, int], T_co]


def whole_name(wire: bytes, start: int, end: int) -> bytes:
    """A name that is all there is from `start` to `end`."""
    name, after = read_name(wire, start, end)
    if after != end:
        raise ValueError("octets behind a name")
    return name


def _name(wire: bytes, start: int, end: int) -> str:
    return name_text(whole_name(wire, start, end))


def _ipv4(wire: bytes, start: int, end: int) -> str:
    return socket.inet_ntop(socket.AF_INET, wire[start:end])


def _ipv6(wire: bytes, start: int, end: int) -> str:
    return socket.inet_ntop(socket.AF_INET6, wire[start:end])


def _mail_exchanger(wire: bytes, start: int, end: int) -> MailExchanger:
    if end - start < 3:
        raise ValueError("an MX record that is cut off")
    return MailExchanger(wire[start] << 8 | wire[start + 1], _name(wire, start + 2, end))


def _service(wire: bytes, start: int, end: int) -> ServiceRecord:
    if end - start < 7:
        raise ValueError("an SRV record that is cut off")
    priority, weight, port = struct.unpack_from("!HHH", wire, start)
    return ServiceRecord(priority, weight, port, _name(wire, start + 6, end))


def _strings(wire: bytes, start: int, end: int) -> bytes:
    """All strings joined."""
    strings, at = [], start
    while at < end:
        following = at + 1 + wire[at]
        strings.append(wire[at + 1 : following])
        at = following
    if at != end or not strings:
        raise ValueError("a string that is cut off")
    return b"".join(strings)


def _tlsa(wire: bytes, start: int, end: int) -> TlsaRecord:
    if end - start < 3:
        raise ValueError("a TLSA record that is cut off")
    usage, selector, matching = wire[start : start + 3]
    return TlsaRecord(usage, selector, matching, wire[start + 3 : end])


A = Kind("A", 1, _ipv4)
CNAME = Kind("CNAME", 5, _name)
PTR = Kind("PTR", 12, _name)
MX = Kind("MX", 15, _mail_exchanger)
TXT = Kind("TXT", 16, _strings)
AAAA = Kind("AAAA", 28, _ipv6)
SRV = Kind("SRV", 33, _service)
TLSA = Kind("TLSA", 52, _tlsa)
