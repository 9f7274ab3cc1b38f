"""A strict reader of FETCH answers, written from RFC 9051 §9 and independent of imap/grammar.

`fetch_items` gives the items of one untagged FETCH; `check_envelope` and `check_bodystructure` say
whether a value has exactly the form that the standard gives it. Whatever is not lawful raises
AssertionError with the place.
"""

import re
from typing import TypeAlias

Value: TypeAlias = "bytes | int | list[Value] | None"

_QUOTED = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")
_NUMBER = re.compile(rb"\d+(?=[ )])")
_NIL = re.compile(rb"NIL(?=[ )])")
_NAME = re.compile(rb"[A-Z][A-Z0-9.]*(?:\[[^\]\r\n]*\](?:<\d+>)?)?")
_FLAGS = re.compile(rb"\((?:[\\$A-Za-z0-9_*-]+(?: (?=[\\$]|\w))?)*\)")
_MOST = 2**32


class Reader:
    """A cursor over one response."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def expect(self, text: bytes) -> None:
        end = self.at + len(text)
        assert self.data[self.at : end] == text, (text, self.near())
        self.at = end

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        found = pattern.match(self.data, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def peek(self) -> bytes:
        return self.data[self.at : self.at + 1]

    def near(self) -> bytes:
        return self.data[max(0, self.at - 60) : self.at + 60]

    def value(self) -> Value:
        """A string, number, NIL or list. Nothing in these answers is an atom."""
        if self.peek() == b"(":
            return self.list()
        if (found := self.match(_QUOTED)) is not None:
            return re.sub(rb'\\(["\\])', rb"\1", found[1])
        if (found := self.match(_LITERAL)) is not None:
            start, self.at = self.at, self.at + int(found[1])
            octets = self.data[start : self.at]
            assert len(octets) == int(found[1]), "a literal is cut"
            assert b"\0" not in octets, "NUL in a literal"
            return octets
        if self.match(_NIL) is not None:
            return None
        found = self.match(_NUMBER)
        assert found is not None, self.near()
        assert int(found[0]) < _MOST
        return int(found[0])

    def list(self) -> list[Value]:
        """One value or more, single spaces between them; none around lists in lists."""
        self.expect(b"(")
        values = [self.value()]
        while self.peek() != b")":
            between_lists = isinstance(values[-1], list) and self.peek() == b"("
            if not between_lists:
                self.expect(b" ")
            values.append(self.value())
        self.expect(b")")
        return values


def fetch_items(response: bytes) -> tuple[int, dict[str, Value]]:
    """Sequence number and items of an untagged FETCH, with or without its CRLF."""
    reader = Reader(response.removesuffix(b"\r\n"))
    found = reader.match(re.compile(rb"\* (\d+) FETCH \("))
    assert found is not None, response[:80]
    items: dict[str, Value] = {}
    while True:
        name = reader.match(_NAME)
        assert name is not None, reader.near()
        assert name[0].decode() not in items
        reader.expect(b" ")
        if name[0] == b"FLAGS":
            flags = reader.match(_FLAGS)
            assert flags is not None, reader.near()
            items["FLAGS"] = list(flags[0][1:-1].split())
        else:
            items[name[0].decode()] = reader.value()
        if reader.peek() != b" ":
            break
        reader.expect(b" ")
    reader.expect(b")")
    assert reader.at == len(reader.data), reader.near()
    return int(found[1]), items


def check_envelope(value: Value) -> None:
    """date, subject, from, sender, reply-to, to, cc, bcc, in-reply-to, message-id."""
    fields = _list(value)
    assert len(fields) == 10
    for text in (*fields[:2], *fields[8:]):
        _nstring(text)
    for addresses in fields[2:8]:
        for address in _list(addresses) if addresses is not None else ():
            parts = _list(address)
            assert len(parts) == 4
            for part in parts:
                _nstring(part)
            # a group begins with a name and no host, and ends with nothing (§7.5.2)
            assert parts[3] is not None or parts[0] is None


def check_bodystructure(value: Value, extended: bool = True) -> int:
    """The number of parts, leaves and containers."""
    fields = _list(value)
    if isinstance(fields[0], list):
        return _check_multipart(fields, extended)
    main, sub = _string(fields[0]).upper(), _string(fields[1]).upper()
    assert main != b"MULTIPART"
    _check_params(fields[2])
    _nstring(fields[3])
    _nstring(fields[4])
    assert _string(fields[5])
    assert isinstance(fields[6], int)
    used, inside = 7, 0
    if main == b"MESSAGE" and sub in (b"RFC822", b"GLOBAL"):
        check_envelope(fields[7])
        inside = check_bodystructure(fields[8], extended)
        assert isinstance(fields[9], int)
        used = 10
    elif main == b"TEXT":
        assert isinstance(fields[7], int)
        used = 8
    if extended:
        _nstring(fields[used])
        _check_extension(fields[used + 1 :])
    else:
        assert len(fields) == used
    return 1 + inside


def _check_multipart(fields: list[Value], extended: bool) -> int:
    count = next(index for index, field in enumerate(fields) if not isinstance(field, list))
    _string(fields[count])
    if extended:
        _check_params(fields[count + 1])
        _check_extension(fields[count + 2 :])
    else:
        assert len(fields) == count + 1
    return 1 + sum(check_bodystructure(child, extended) for child in fields[:count])


def _check_extension(fields: list[Value]) -> None:
    """disposition, language, location."""
    assert len(fields) == 3
    disposition, language, location = fields
    if disposition is not None:
        kind, params = _list(disposition)
        _string(kind)
        _check_params(params)
    if isinstance(language, list):
        for tag in language:
            _string(tag)
    else:
        _nstring(language)
    _nstring(location)


def _check_params(value: Value) -> None:
    if value is not None:
        fields = _list(value)
        assert len(fields) % 2 == 0
        for field in fields:
            _string(field)


def _list(value: Value) -> list[Value]:
    assert isinstance(value, list), value
    return value


def _string(value: Value) -> bytes:
    assert isinstance(value, bytes), value
    return value


def _nstring(value: Value) -> None:
    assert value is None or isinstance(value, bytes), value
