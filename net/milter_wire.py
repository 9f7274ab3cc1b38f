"""The milter protocol, version 6: packets, options, replies; bytes in and values out. No I/O.

A packet is four octets of length, a letter, and data; texts end with NUL. The protocol has no RFC:
names and numbers are those of libmilter's mfdef.h.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntFlag

VERSION = 6
OLDEST = 2
# What libmilter takes in one packet of body.
CHUNK = 65535
# Far above what a filter of headers says in one packet.
MAX_PACKET = 1024**2
_HEAD = struct.Struct(">I")
_OPTIONS = struct.Struct(">III")


class Command(Enum):
    """What the server says (SMFIC_*)."""

    ABORT = b"A"
    BODY = b"B"
    CONNECT = b"C"
    MACRO = b"D"
    END_OF_BODY = b"E"
    HELO = b"H"
    HEADER = b"L"
    MAIL = b"M"
    END_OF_HEADER = b"N"
    OPTIONS = b"O"
    QUIT = b"Q"
    RCPT = b"R"
    DATA = b"T"


class Answer(Enum):
    """What the milter says (SMFIR_*)."""

    ADD_RCPT = b"+"
    DELETE_RCPT = b"-"
    ADD_RCPT_WITH = b"2"
    SHUTDOWN = b"4"
    ACCEPT = b"a"
    REPLACE_BODY = b"b"
    CONTINUE = b"c"
    DISCARD = b"d"
    CHANGE_FROM = b"e"
    CONNECTION_FAILED = b"f"
    ADD_HEADER = b"h"
    INSERT_HEADER = b"i"
    CHANGE_HEADER = b"m"
    OPTIONS = b"O"
    PROGRESS = b"p"
    QUARANTINE = b"q"
    REJECT = b"r"
    SKIP = b"s"
    TEMPFAIL = b"t"
    REPLY_CODE = b"y"


class May(IntFlag):
    """What a milter may change (SMFIF_*)."""

    ADD_HEADERS = 0x01
    CHANGE_BODY = 0x02
    ADD_RCPT = 0x04
    DELETE_RCPT = 0x08
    CHANGE_HEADERS = 0x10
    QUARANTINE = 0x20
    CHANGE_FROM = 0x40
    ADD_RCPT_WITH = 0x80
    SET_MACROS = 0x100


class Wish(IntFlag):
    """Steps that a milter wants left out, and those that it does not answer (SMFIP_*)."""

    NO_CONNECT = 0x01
    NO_HELO = 0x02
    NO_MAIL = 0x04
    NO_RCPT = 0x08
    NO_BODY = 0x10
    NO_HEADERS = 0x20
    NO_END_OF_HEADER = 0x40
    SILENT_HEADER = 0x80
    NO_UNKNOWN = 0x100
    NO_DATA = 0x200
    SKIP = 0x400
    REJECTED_RCPT = 0x800
    SILENT_CONNECT = 0x1000
    SILENT_HELO = 0x2000
    SILENT_MAIL = 0x4000
    SILENT_RCPT = 0x8000
    SILENT_DATA = 0x10000
    SILENT_UNKNOWN = 0x20000
    SILENT_END_OF_HEADER = 0x40000
    SILENT_BODY = 0x80000
    LEADING_SPACE = 0x100000


OFFERED = May(0x1FF)
# All but refused recipients, of which milters hear nothing.
ALLOWED = Wish(0x1FFFFF) & ~Wish.REJECTED_RCPT
# Which wish leaves a step out, and which one makes it silent.
STEPS = {
    Command.CONNECT: (Wish.NO_CONNECT, Wish.SILENT_CONNECT),
    Command.HELO: (Wish.NO_HELO, Wish.SILENT_HELO),
    Command.MAIL: (Wish.NO_MAIL, Wish.SILENT_MAIL),
    Command.RCPT: (Wish.NO_RCPT, Wish.SILENT_RCPT),
    Command.DATA: (Wish.NO_DATA, Wish.SILENT_DATA),
    Command.HEADER: (Wish.NO_HEADERS, Wish.SILENT_HEADER),
    Command.END_OF_HEADER: (Wish.NO_END_OF_HEADER, Wish.SILENT_END_OF_HEADER),
    Command.BODY: (Wish.NO_BODY, Wish.SILENT_BODY),
}
# In the order in which a milter lists the macros that it wants, by step.
_MACRO_STEPS = (
    Command.CONNECT,
    Command.HELO,
    Command.MAIL,
    Command.RCPT,
    Command.DATA,
    Command.END_OF_BODY,
    Command.END_OF_HEADER,
)


class MilterSyntaxError(ValueError):
    """What the milter sent is no protocol; the text is one line."""


@dataclass(frozen=True, slots=True)
class Options:
    """What both agreed upon. `macros`: the only ones that a step needs, if the milter said so."""

    version: int
    may: May
    wishes: Wish
    macros: Mapping[Command, frozenset[str]]


def packet(command: Command, data: bytes = b"") -> bytes:
    """One packet."""
    return _HEAD.pack(len(data) + 1) + command.value + data


def length_of(head: bytes) -> int:
    """How many octets follow the first four. Raises MilterSyntaxError."""
    (size,) = _HEAD.unpack(head)
    if not 1 <= size <= MAX_PACKET:
        raise MilterSyntaxError(f"a packet of {size} octets")
    return int(size)


def split(body: bytes) -> tuple[Answer, bytes]:
    """The letter and the data of a packet. Raises MilterSyntaxError."""
    try:
        return Answer(body[:1]), body[1:]
    except ValueError:
        raise MilterSyntaxError(f"an answer {body[:1]!r} that nobody knows") from None


def offer() -> bytes:
    """The first packet of a connection."""
    return packet(Command.OPTIONS, _OPTIONS.pack(VERSION, OFFERED, ALLOWED))


def read_options(data: bytes) -> Options:
    """The milter's answer to the offer. Raises MilterSyntaxError."""
    if len(data) < _OPTIONS.size:
        raise MilterSyntaxError("options cut short")
    version, may, wishes = _OPTIONS.unpack_from(data)
    if not OLDEST <= version <= VERSION:
        raise MilterSyntaxError(f"version {version} of the protocol")
    if may & ~int(OFFERED) or wishes & ~int(ALLOWED):
        raise MilterSyntaxError("options that were not offered")
    return Options(version, May(may), Wish(wishes), _macros(data[_OPTIONS.size :]))


def _macros(data: bytes) -> dict[Command, frozenset[str]]:
    found: dict[Command, frozenset[str]] = {}
    while len(data) > _HEAD.size:
        (step,) = _HEAD.unpack_from(data)
        names, _, data = data[_HEAD.size :].partition(b"\0")
        if step < len(_MACRO_STEPS):
            found[_MACRO_STEPS[step]] = frozenset(names.decode("utf-8", "replace").split())
    return found


def texts(*values: str | bytes) -> bytes:
    """Values as they are sent, each with its NUL."""
    octets = (
        one.encode("utf-8", "surrogateescape") if isinstance(one, str) else one for one in values
    )
    return b"".join(one.replace(b"\0", b"") + b"\0" for one in octets)


def read_texts(data: bytes, count: int) -> list[bytes]:
    """So many values, "" for those that are missing. Raises MilterSyntaxError without a NUL."""
    if count and b"\0" not in data:
        raise MilterSyntaxError("a text without an end")
    found = data.split(b"\0")[:-1][:count]
    return [*found, *[b""] * (count - len(found))]


def connect(host: str, address: str, port: int) -> bytes:
    """The data of CONNECT; an address that is none is unknown."""
    if not address:
        return texts(host) + b"U"
    family = b"6" if ":" in address else b"4"
    return texts(host) + family + struct.pack(">H", port & 0xFFFF) + texts(address)


def macros(step: Command, values: Iterable[tuple[str, str]]) -> bytes:
    """The packet that goes before a step's own."""
    data = b"".join(texts(name, value) for name, value in values)
    return packet(Command.MACRO, step.value + data)


def read_numbered(data: bytes) -> tuple[int, bytes, bytes]:
    """Index, name and value of CHANGE_HEADER and INSERT_HEADER. Raises MilterSyntaxError."""
    if len(data) < _HEAD.size:
        raise MilterSyntaxError("a header change cut short")
    (index,) = _HEAD.unpack_from(data)
    name, value = read_texts(data[_HEAD.size :], 2)
    return int(index), name, value
