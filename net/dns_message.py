"""DNS messages: the octets of a question, and what an answer to it says (RFC 1035 §4).

Answers come from anyone's name servers, so no more of them is read than is needed: records are
walked without decoding a name, at most MAX_RECORDS of one type are decoded, and MAX_NAMES owners.
"""

import os
import struct
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from net.dns_names import read_name
from net.dns_records import CNAME, Kind, whole_name

MAX_RECORDS = 100
MAX_WALKED = 1000
MAX_NAMES = 64
MAX_CNAMES = 8
MAX_TTL = 86_400
# Fits one unfragmented packet everywhere (RFC 9715).
PAYLOAD = 1232

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_TYPE_AND_CLASS = struct.Struct("!HH")
_OPT = struct.pack("!BHHIH", 0, 41, PAYLOAD, 0, 0)
_QR, _OPCODE, _AA, _TC, _RD, _RA, _AD = 0x8000, 0x7800, 0x400, 0x200, 0x100, 0x80, 0x20
_IN, _SOA = 1, 6
_FORMERR, _NXDOMAIN, _NOTIMP = 1, 3, 4
_QUESTION = 12


class Unusable(Exception):
    """The answer can't be used: malformed, too large, a failure, or about something else."""


class EdnsUnknown(Unusable):
    """The server does not understand the question, perhaps for its EDNS (RFC 6891 §7)."""


class Absent(Enum):
    """What is not there (RFC 2308 §2)."""

    NAME = "name"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Question:
    """One question as sent. `wire` is the whole message, `section` its question section."""

    id: int
    name: bytes
    kind: Kind[object]
    wire: bytes
    section: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says: records as their Kind decodes them, or what is absent.

    `name` is where the aliases lead, `alias` True when they lead on to where this answer doesn't
    tell; `ttl` in seconds, 0 when it must not be kept; `authentic` is the AD bit as it came;
    `octets` the size of the answer.
    """

    records: tuple[object, ...]
    absent: Absent | None
    name: bytes
    alias: bool
    ttl: int
    authentic: bool
    octets: int


def ask(name: bytes, kind: Kind[object], *, authentic: bool, edns: bool = True) -> Question:
    """A question; `authentic` asks for the AD bit without the signatures (RFC 6840 §5.7)."""
    number = int.from_bytes(os.urandom(2))
    section = name + _TYPE_AND_CLASS.pack(kind.code, _IN)
    flags = _RD | (_AD if authentic else 0)
    wire = _HEADER.pack(number, flags, 1, 0, 0, int(edns)) + section + (_OPT if edns else b"")
    return Question(number, name, kind, wire, section)


def answers(wire: bytes, question: Question) -> bool:
    """Whether a message is an answer to this question and no other."""
    if len(wire) < _QUESTION:
        return False
    number, flags, questions, *_ = _HEADER.unpack_from(wire)
    if number != question.id or flags & (_QR | _OPCODE) != _QR:
        return False
    if not questions:
        # servers that fail may leave the question out
        return bool(flags & 0xF) and flags & 0xF != _NXDOMAIN
    end = _QUESTION + len(question.section)
    return (
        questions == 1
        and wire[_QUESTION : end - 4].lower() == question.section[:-4]
        and wire[end - 4 : end] == question.section[-4:]
    )


def truncated(wire: bytes) -> bool:
    """Whether the whole answer must be fetched over TCP."""
    return bool(wire[2] & _TC >> 8)


def read(wire: bytes, question: Question) -> Reading:
    """Reads a message that `answers` the question. Raises Unusable."""
    try:
        return _Reader(wire, question).read()
    except (struct.error, IndexError, ValueError) as error:
        raise Unusable(f"malformed answer: {type(error).__name__}") from None


class _Record(NamedTuple):
    """Where a record lies; `owner` is the offset of its name, `end` that of what follows it."""

    owner: int
    kind: int
    ttl: int
    start: int
    end: int


class _Reader:
    def __init__(self, wire: bytes, question: Question) -> None:
        self._wire, self._question = wire, question
        _, self._flags, _, self._count, self._authorities, _ = _HEADER.unpack_from(wire)
        self._names: dict[int, bytes] = {_QUESTION: question.name}

    def read(self) -> Reading:
        rcode = self._flags & 0xF
        if rcode in (_FORMERR, _NOTIMP):
            raise EdnsUnknown(f"rcode {rcode}")
        if rcode not in (0, _NXDOMAIN):
            raise Unusable(f"rcode {rcode}")
        if self._count + self._authorities > MAX_WALKED:
            raise Unusable("too many records")
        records, at = self._walk(_QUESTION + len(self._question.section), self._count)
        name, found, ttl = self._follow(_by_owner(self._wire, records))
        if found:
            return self._reading(self._decoded(found[:MAX_RECORDS]), None, name, ttl)
        aliased = name != self._question.name
        if records and not aliased:
            raise Unusable("the answer is about another name")
        return self._absence(at, name, ttl, aliased=aliased)

    def _absence(self, at: int, name: bytes, ttl: int, *, aliased: bool) -> Reading:
        authorities, _ = self._walk(at, self._authorities)
        negative = next((self._negative_ttl(one) for one in authorities if one.kind == _SOA), None)
        kept = min(ttl, negative or 0)
        if self._flags & 0xF == _NXDOMAIN:
            return self._reading((), Absent.NAME, name, kept)
        if aliased and negative is None:
            return self._reading((), Absent.RECORDS, name, ttl, alias=True)
        if authorities and negative is None and not self._flags & (_RA | _AA):
            raise Unusable("a referral")
        return self._reading((), Absent.RECORDS, name, kept)

    def _reading(
        self,
        records: tuple[object, ...],
        absent: Absent | None,
        name: bytes,
        ttl: int,
        *,
        alias: bool = False,
    ) -> Reading:
        authentic = bool(self._flags & _AD)
        return Reading(records, absent, name, alias, ttl, authentic, len(self._wire))

    def _follow(self, owners: dict[int, list[_Record]]) -> tuple[bytes, list[_Record], int]:
        """The name behind the aliases, the records asked for there, and the least TTL."""
        name, ttl, code = self._question.name, MAX_TTL, self._question.kind.code
        for _ in range(MAX_CNAMES):
            here = [one for at in owners if self._name(at) == name for one in owners[at]]
            found = [one for one in here if one.kind == code]
            alias = [one for one in here if one.kind == CNAME.code]
            ttl = min([ttl, *(one.ttl for one in found or alias[:1])])
            if found or not alias:
                return name, found, ttl
            name = whole_name(self._wire, alias[0].start, alias[0].end)
        raise Unusable("too many aliases")

    def _walk(self, at: int, count: int) -> tuple[list[_Record], int]:
        """The records of class IN from an offset on, and where they end."""
        wire, found = self._wire, []
        for _ in range(count):
            owner = at
            while (length := wire[at]) and length < 0xC0:
                at += length + 1
            at += 2 if length else 1
            kind, klass, ttl, size = _RECORD.unpack_from(wire, at)
            at += _RECORD.size
            if at + size > len(wire):
                raise Unusable("cut off")
            if klass == _IN:
                found.append(_Record(owner, kind, ttl if ttl < 1 << 31 else 0, at, at + size))
            at += size
        return found, at

    def _name(self, at: int) -> bytes:
        known = self._names.get(at)
        if known is None:
            if len(self._names) > MAX_NAMES:
                raise Unusable("too many names")
            known, _ = read_name(self._wire, at, len(self._wire))
            self._names[at] = known
        return known

    def _decoded(self, records: list[_Record]) -> tuple[object, ...]:
        decode, wire = self._question.kind.decode, self._wire
        return tuple([decode(wire, one.start, one.end) for one in records])

    def _negative_ttl(self, soa: _Record) -> int:
        """RFC 2308 §5: the lesser of the SOA's TTL and its MINIMUM, the last four octets."""
        return min(soa.ttl, int.from_bytes(self._wire[soa.end - 4 : soa.end]))


def _by_owner(wire: bytes, records: list[_Record]) -> dict[int, list[_Record]]:
    """Records by the offset of their owner's name; by far most owners are one pointer."""
    owners: dict[int, list[_Record]] = {}
    for one in records:
        at = one.owner
        if wire[at] >= 0xC0:
            at = (wire[at] & 0x3F) << 8 | wire[at + 1]
        owners.setdefault(at, []).append(one)
    return owners
