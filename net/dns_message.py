"""DNS messages: the octets of a question, and what an answer to it says (RFC 1035 §4).

Answers come from anyone's name servers, so they are walked without decoding a name that isn't
needed: dnspython's own parser takes 20 s of CPU time for the worst 64 KiB. It decodes names and
records one by one, here at most MAX_RECORDS of one type and MAX_NAMES names.
"""

import secrets
import struct
from dataclasses import dataclass
from enum import Enum

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.CNAME import CNAME

MAX_RECORDS = 100
MAX_WALKED = 1000
MAX_NAMES = 64
MAX_CNAMES = 8
MAX_TTL = 86_400
# Fits one unfragmented packet everywhere (RFC 9715).
PAYLOAD = 1232

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_OPT = struct.pack("!BHHIH", 0, 41, PAYLOAD, 0, 0)
_QR, _OPCODE, _AA, _TC, _RD, _RA, _AD = 0x8000, 0x7800, 0x400, 0x200, 0x100, 0x80, 0x20
_IN, _CNAME, _SOA = 1, 5, 6
_NXDOMAIN = 3
_QUESTION = 12


class Unusable(Exception):
    """The answer can't be used: malformed, too large, a failure, or about something else."""


class Absent(Enum):
    """What is not there (RFC 2308 §2)."""

    NAME = "name"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Question:
    """One question as sent. `wire` is the whole message, `section` its question section."""

    id: int
    name: dns.name.Name
    kind: dns.rdatatype.RdataType
    wire: bytes
    section: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says: records, or what is absent.

    `name` is where the aliases lead, `alias` True when they lead on to where this answer doesn't
    tell; `ttl` in seconds, 0 when it must not be kept; `authentic` is the AD bit as it came;
    `octets` the size of the answer.
    """

    records: tuple[dns.rdata.Rdata, ...]
    absent: Absent | None
    name: dns.name.Name
    alias: bool
    ttl: int
    authentic: bool
    octets: int


def ask(name: dns.name.Name, kind: dns.rdatatype.RdataType, *, authentic: bool) -> Question:
    """A question with EDNS; `authentic` asks for the AD bit without the signatures
    (RFC 6840 §5.7).
    """
    number = secrets.randbelow(0x10000)
    labels = b"".join(_octets(label) for label in name.canonicalize().labels)
    section = labels + struct.pack("!HH", kind, _IN)
    flags = _RD | (_AD if authentic else 0)
    wire = _HEADER.pack(number, flags, 1, 0, 0, 1) + section + _OPT
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
    except (dns.exception.DNSException, struct.error, IndexError, ValueError) as error:
        raise Unusable(f"malformed answer: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class _Record:
    """Where a record lies; `owner` is the offset of its name."""

    owner: int
    kind: int
    ttl: int
    start: int
    length: int


class _Reader:
    def __init__(self, wire: bytes, question: Question) -> None:
        self._wire, self._question = wire, question
        _, self._flags, _, self._count, self._authorities, _ = _HEADER.unpack_from(wire)
        self._names: dict[int, dns.name.Name] = {_QUESTION: question.name}

    def read(self) -> Reading:
        rcode = self._flags & 0xF
        if rcode not in (0, _NXDOMAIN):
            raise Unusable(f"rcode {rcode}")
        if self._count + self._authorities > MAX_WALKED:
            raise Unusable("too many records")
        records, at = self._walk(_QUESTION + len(self._question.section), self._count)
        name, found, ttl = self._follow(_by_owner(self._wire, records))
        if found:
            return self._reading(tuple(map(self._rdata, found[:MAX_RECORDS])), None, name, ttl)
        aliased = name != self._question.name
        if records and not aliased:
            raise Unusable("the answer is about another name")
        return self._absence(at, name, ttl, aliased=aliased)

    def _absence(self, at: int, name: dns.name.Name, ttl: int, *, aliased: bool) -> Reading:
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
        records: tuple[dns.rdata.Rdata, ...],
        absent: Absent | None,
        name: dns.name.Name,
        ttl: int,
        *,
        alias: bool = False,
    ) -> Reading:
        authentic = bool(self._flags & _AD)
        return Reading(records, absent, name, alias, ttl, authentic, len(self._wire))

    def _follow(self, owners: dict[int, list[_Record]]) -> tuple[dns.name.Name, list[_Record], int]:
        """The name behind the aliases, the records asked for there, and the least TTL."""
        name, ttl = self._question.name, MAX_TTL
        for _ in range(MAX_CNAMES):
            here = [one for at in owners if self._name(at) == name for one in owners[at]]
            found = [one for one in here if one.kind == self._question.kind]
            alias = [one for one in here if one.kind == _CNAME]
            ttl = min([ttl, *(one.ttl for one in found or alias[:1])])
            if found or not alias:
                return name, found, ttl
            target = self._rdata(alias[0])
            if not isinstance(target, CNAME):
                raise Unusable("not an alias")
            name = target.target
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
                found.append(_Record(owner, kind, ttl if ttl < 1 << 31 else 0, at, size))
            at += size
        return found, at

    def _name(self, at: int) -> dns.name.Name:
        known = self._names.get(at)
        if known is None:
            if len(self._names) > MAX_NAMES:
                raise Unusable("too many names")
            known, _ = dns.name.from_wire(self._wire, at)
            self._names[at] = known
        return known

    def _rdata(self, record: _Record) -> dns.rdata.Rdata:
        kind = dns.rdatatype.RdataType(record.kind)
        start, length = record.start, record.length
        return dns.rdata.from_wire(dns.rdataclass.IN, kind, self._wire, start, length)

    def _negative_ttl(self, soa: _Record) -> int:
        """RFC 2308 §5: the lesser of the SOA's TTL and its MINIMUM, the last four octets."""
        end = soa.start + soa.length
        return min(soa.ttl, int.from_bytes(self._wire[end - 4 : end]))


def _octets(label: bytes) -> bytes:
    return bytes((len(label),)) + label


def _by_owner(wire: bytes, records: list[_Record]) -> dict[int, list[_Record]]:
    """Records by the offset of their owner's name; by far most owners are one pointer."""
    owners: dict[int, list[_Record]] = {}
    for one in records:
        at = one.owner
        if wire[at] >= 0xC0:
            at = (wire[at] & 0x3F) << 8 | wire[at + 1]
        owners.setdefault(at, []).append(one)
    return owners
