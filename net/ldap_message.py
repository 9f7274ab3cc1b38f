"""Messages of LDAP (RFC 4511) that a client needs to search and to bind, in BER: values in, octets
out, and back. Pure.

Lengths are written in their shortest form and read in any definite one: Active Directory fills them
up to four octets. Integers and enumerations are small ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from config.ldap_filter import Compared, Extensible, Filter, Not, Present, Several, Substrings

START_TLS: Final = b"1.3.6.1.4.1.1466.20037"
MAX_MESSAGE: Final = 1 << 20
"""Octets of one answer; an entry has a few attributes that were asked for."""
_SEQUENCE, _INTEGER, _OCTETS, _BOOLEAN, _ENUMERATED = 0x30, 0x02, 0x04, 0x01, 0x0A
_RELATIONS: Final = {"=": 0xA3, ">=": 0xA5, "<=": 0xA6, "~=": 0xA8}


class Code(IntEnum):
    """Result codes (RFC 4511 §A.1) that are told apart here."""

    SUCCESS = 0
    SIZE_LIMIT = 4
    STRONGER_AUTH_REQUIRED = 8
    CONFIDENTIALITY_REQUIRED = 13
    CONSTRAINT_VIOLATION = 19
    NO_SUCH_OBJECT = 32
    INVALID_DN_SYNTAX = 34
    INAPPROPRIATE_AUTHENTICATION = 48
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53


class Operation(IntEnum):
    """Tags of the answers."""

    BIND = 0x61
    ENTRY = 0x64
    DONE = 0x65
    REFERENCE = 0x73
    EXTENDED = 0x78


class LdapSyntaxError(ValueError):
    """What came is no LDAP."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a search found; names of attributes in lower case."""

    dn: str
    attributes: dict[str, tuple[bytes, ...]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """`text` is what the server says about it."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Search:
    """`scope`: 0 the base alone, 1 one level, 2 all below. `most`: entries that may come."""

    base: str
    scope: int
    filter: Filter
    names: Mapping[str, str]
    attributes: tuple[str, ...]
    most: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Answer:
    """`number` is that of the request, 0 when the server speaks by itself."""

    number: int
    operation: int
    value: Entry | Result | None


def bind_request(number: int, dn: str, password: str) -> bytes:
    """Simple authentication. Never with a name and an empty password: the answer would be a success
    that proves nothing (RFC 4513 §5.1.2).
    """
    simple = _tlv(0x80, password.encode("utf-8", "surrogatepass"))
    return _message(number, _tlv(0x60, _integer(3) + _text(dn) + simple))


def search_request(number: int, search: Search) -> bytes:
    """Aliases of the directory are followed in the search (§4.5.1.3)."""
    body = (
        _text(search.base)
        + _integer(search.scope, _ENUMERATED)
        + _integer(3, _ENUMERATED)
        + _integer(search.most)
        + _integer(search.seconds)
        + _tlv(_BOOLEAN, b"\0")
        + _filter(search.filter, search.names)
        + _tlv(_SEQUENCE, b"".join(map(_text, search.attributes)))
    )
    return _message(number, _tlv(0x63, body))


def start_tls_request(number: int) -> bytes:
    """RFC 4511 §4.14."""
    return _message(number, _tlv(0x77, _tlv(0x80, START_TLS)))


def unbind_request(number: int) -> bytes:
    """The end of a connection."""
    return _message(number, _tlv(0x42, b""))


def size_of(data: bytes | bytearray) -> int:
    """Octets of the first message in `data`, 0 while that can't be said. Raises LdapSyntaxError."""
    if not data:
        return 0
    if data[0] != _SEQUENCE:
        raise LdapSyntaxError("no LDAP message")
    head = _head(data, 0, len(data))
    if head is None:
        return 0
    start, length = head
    if length > MAX_MESSAGE:
        raise LdapSyntaxError("a message that is too long")
    return start + length


def read_answer(data: bytes) -> Answer:
    """One whole message. Raises LdapSyntaxError."""
    message = _Reader(data).inside(_SEQUENCE)
    number = message.integer(_INTEGER)
    operation, body = message.any()
    if operation == Operation.ENTRY:
        return Answer(number, operation, _entry(_Reader(body)))
    if operation == Operation.REFERENCE:
        return Answer(number, operation, None)
    if operation not in (Operation.BIND, Operation.DONE, Operation.EXTENDED):
        raise LdapSyntaxError("an answer of an unknown kind")
    reader = _Reader(body)
    code = reader.integer(_ENUMERATED)
    reader.octets()
    return Answer(number, operation, Result(code, reader.octets().decode("utf-8", "replace")))


def _entry(reader: "_Reader") -> Entry:
    dn = reader.octets().decode("utf-8", "replace")
    attributes: dict[str, tuple[bytes, ...]] = {}
    listed = reader.inside(_SEQUENCE)
    while listed.more:
        one = listed.inside(_SEQUENCE)
        name, values = one.octets().decode("utf-8", "replace"), one.inside(0x31)
        found = []
        while values.more:
            found.append(values.octets())
        attributes[name.lower()] = tuple(found)
    return Entry(dn, attributes)


class _Reader:
    """Goes through the elements of one level."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def more(self) -> bool:
        return self._at < len(self._data)

    def any(self) -> tuple[int, bytes]:
        """Tag and contents of the next element."""
        end = len(self._data)
        head = _head(self._data, self._at, end) if self.more else None
        if head is None or head[0] + head[1] > end:
            raise LdapSyntaxError("an element that is cut off")
        tag, (start, length) = self._data[self._at], head
        self._at = start + length
        return tag, self._data[start : start + length]

    def _of(self, wanted: int) -> bytes:
        tag, contents = self.any()
        if tag != wanted:
            raise LdapSyntaxError("an element of another kind")
        return contents

    def inside(self, tag: int) -> "_Reader":
        return _Reader(self._of(tag))

    def octets(self) -> bytes:
        return self._of(_OCTETS)

    def integer(self, tag: int) -> int:
        contents = self._of(tag)
        if not 0 < len(contents) < 9:
            raise LdapSyntaxError("a number that is no small one")
        return int.from_bytes(contents, "big", signed=True)


def _head(data: bytes | bytearray, at: int, end: int) -> tuple[int, int] | None:
    """Where the contents of the element at `at` begin, and their length; None when cut off."""
    if at + 2 > end:
        return None
    length, start = data[at + 1], at + 2
    if length < 0x80:
        return start, length
    octets = length & 0x7F
    if not 0 < octets < 9:
        raise LdapSyntaxError("a length of an unknown form")
    if start + octets > end:
        return None
    return start + octets, int.from_bytes(data[start : start + octets], "big")


def _message(number: int, operation: bytes) -> bytes:
    return _tlv(_SEQUENCE, _integer(number) + operation)


def _tlv(tag: int, contents: bytes) -> bytes:
    length = len(contents)
    if length < 0x80:
        return bytes((tag, length)) + contents
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + contents


def _integer(value: int, tag: int = _INTEGER) -> bytes:
    return _tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _text(value: str) -> bytes:
    return _tlv(_OCTETS, value.encode())


def _filter(one: Filter, names: Mapping[str, str]) -> bytes:
    """§4.5.1.7."""
    match one:
        case Several():
            tag = 0xA0 if one.all else 0xA1
            return _tlv(tag, b"".join(_filter(part, names) for part in one.parts))
        case Not():
            return _tlv(0xA2, _filter(one.part, names))
        case Present():
            return _tlv(0x87, one.attribute.encode())
        case Compared():
            value = _tlv(_OCTETS, one.value.filled(names))
            return _tlv(_RELATIONS[one.relation], _text(one.attribute) + value)
        case Substrings():
            return _substrings(one, names)
        case Extensible():
            parts = [(0x81, one.rule.encode()), (0x82, one.attribute.encode())]
            body = b"".join(_tlv(tag, part) for tag, part in parts if part)
            dn = _tlv(0x84, b"\xff") if one.dn else b""
            return _tlv(0xA9, body + _tlv(0x83, one.value.filled(names)) + dn)


def _substrings(one: Substrings, names: Mapping[str, str]) -> bytes:
    last = len(one.pieces) - 1
    found = b""
    for index, piece in enumerate(one.pieces):
        octets = piece.filled(names)
        if octets:
            found += _tlv(0x80 if index == 0 else 0x82 if index == last else 0x81, octets)
    return _tlv(0xA4, _text(one.attribute) + _tlv(_SEQUENCE, found))
