"""SMPP 3.4 on the wire, the part of a client that sends texts. Pure.

Sections are those of "Short Message Peer to Peer Protocol Specification v3.4" (SMPP Developers
Forum, 1999). Invariant: what is too long for its field is an error, never cut.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Final

_HEAD: Final = Struct(">IIII")
HEAD: Final = _HEAD.size
MAX_PDU: Final = 64 * 1024
LAST_SEQUENCE: Final = 0x7FFFFFFF
RESPONSE: Final = 0x80000000
_VERSION: Final = 0x34
_UDHI: Final = 0x40


class Command(IntEnum):
    """§5.1.2.1; responses have the bit RESPONSE."""

    GENERIC_NACK = 0x80000000
    BIND_TRANSMITTER = 0x00000002
    SUBMIT_SM = 0x00000004
    UNBIND = 0x00000006
    ENQUIRE_LINK = 0x00000015


class Status(IntEnum):
    """Of §5.1.3, those that something is done about or that operators meet."""

    ESME_ROK = 0x00
    ESME_RINVCMDID = 0x03
    ESME_RINVBNDSTS = 0x04
    ESME_RALYBND = 0x05
    ESME_RSYSERR = 0x08
    ESME_RINVSRCADR = 0x0A
    ESME_RINVDSTADR = 0x0B
    ESME_RBINDFAIL = 0x0D
    ESME_RINVPASWD = 0x0E
    ESME_RINVSYSID = 0x0F
    ESME_RMSGQFUL = 0x14
    ESME_RSUBMITFAIL = 0x45
    ESME_RINVSRCTON = 0x48
    ESME_RINVSRCNPI = 0x49
    ESME_RINVSYSTYP = 0x53
    ESME_RTHROTTLED = 0x58


class WireError(ValueError):
    """The peer's octets are no SMPP, or a value has no room in its field; shows neither."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """§3.2, without its length."""

    command: int
    status: int
    sequence: int
    body: bytes = field(default=b"", repr=False)

    @property
    def is_response(self) -> bool:
        return bool(self.command & RESPONSE)

    def encode(self) -> bytes:
        size = HEAD + len(self.body)
        return _HEAD.pack(size, self.command, self.status, self.sequence) + self.body


@dataclass(frozen=True, slots=True)
class Head:
    """The first HEAD octets of a PDU; `rest` are the octets behind them."""

    rest: int
    command: int
    status: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Address:
    """A number with its type and numbering plan (§5.2.5, §5.2.6)."""

    digits: str = field(repr=False)
    ton: int = 0
    npi: int = 0


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """What submit_sm carries; `headed`: `octets` begin with a user data header."""

    source: Address
    to: Address
    coding: int
    octets: bytes = field(repr=False)
    headed: bool = False


def parse_head(octets: bytes) -> Head:
    """Raises WireError for a length that no PDU has."""
    length, command, status, sequence = _HEAD.unpack(octets)
    if not HEAD <= length <= MAX_PDU:
        raise WireError("the SMS centre does not speak SMPP")
    return Head(length - HEAD, command, status, sequence)


def bind_transmitter(system_id: str, password: str, system_type: str) -> bytes:
    """The body (§4.1.1). Raises WireError."""
    names = _text(system_id, 16) + _text(password, 9) + _text(system_type, 13)
    return names + bytes([_VERSION, 0, 0]) + b"\0"


def submit_sm(message: ShortMessage) -> bytes:
    """The body (§4.4.1): delivered at once, without a receipt. Raises WireError."""
    if len(message.octets) > 254:
        raise WireError("a short message has 254 octets at most")
    service_type = schedule = validity = b"\0"
    esm_class = _UDHI if message.headed else 0
    return b"".join(
        (
            service_type,
            _address(message.source),
            _address(message.to),
            bytes([esm_class, 0, 0]),  # protocol_id, priority_flag
            schedule,
            validity,
            bytes([0, 0, message.coding, 0]),  # no receipt, no replacing; no canned text
            bytes([len(message.octets)]),
            message.octets,
        )
    )


def status_name(status: int) -> str:
    """For the log."""
    known = status in Status.__members__.values()
    return f"{Status(status).name}" if known else f"status 0x{status & 0xFFFFFFFF:08X}"


def _address(address: Address) -> bytes:
    return bytes([address.ton, address.npi]) + _text(address.digits, 21)


def _text(text: str, size: int) -> bytes:
    """A C-octet string with its NUL (§3.1)."""
    octets = text.encode("ascii", "replace")
    if not text.isascii() or "\0" in text or len(octets) >= size:
        raise WireError(f"a value has more than {size - 1} octets or others than ASCII")
    return octets + b"\0"
