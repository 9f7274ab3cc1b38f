"""Search filters of LDAP (RFC 4515) with placeholders, read once and filled in for each name. Pure.

`%u` is the whole address, `%n` its local part, `%d` its domain, `%%` a percent sign; they stand in
values only. Invariant: a name goes in after the filter was read, so that no letter of it can be
taken for a part of the filter; nothing needs to be escaped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 20
MAX_LENGTH: Final = 2000
_ATTRIBUTE: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)(?:;[A-Za-z0-9-]+)*")
_HEAD: Final = re.compile(r"([^()=~<>:]*)(:[^()=~<>:][^()=~<>]*?)?(:=|~=|>=|<=|=)")
_VALUE: Final = re.compile(r"(?:[^()\\%\0]|\\[0-9A-Fa-f]{2}|%[und%])*")
_PIECE: Final = re.compile(r"\\([0-9A-Fa-f]{2})|%([und%])|([^\\%]+)")


@dataclass(frozen=True, slots=True)
class Value:
    """An assertion value as it was written."""

    text: str

    def filled(self, names: Mapping[str, str]) -> bytes:
        """Its octets; `names` has what stands for `u`, `n` and `d`."""
        found = b""
        for code, name, plain in _PIECE.findall(self.text):
            if code:
                found += bytes.fromhex(code)
            else:
                found += ("%" if name == "%" else names[name] if name else plain).encode()
        return found


@dataclass(frozen=True, slots=True)
class Several:
    """All of the parts hold (`&`), or one of them does (`|`)."""

    all: bool
    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Filter"


@dataclass(frozen=True, slots=True)
class Present:
    attribute: str


@dataclass(frozen=True, slots=True)
class Compared:
    """`relation` is `=`, `>=`, `<=` or `~=`."""

    attribute: str
    relation: str
    value: Value


@dataclass(frozen=True, slots=True)
class Substrings:
    """The first and the last piece may be empty, others not."""

    attribute: str
    pieces: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Extensible:
    """A matching rule, such as Active Directory's `:1.2.840.113556.1.4.803:=`."""

    attribute: str
    rule: str
    dn: bool
    value: Value


Filter = Several | Not | Present | Compared | Substrings | Extensible


def parse_filter(text: str) -> Filter:
    """Raises ValueError, whose text says what is wrong and where."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise ValueError(f"an LDAP filter of at most {MAX_LENGTH} characters")
    if not text.startswith("("):
        text = f"({text})"
    reader = _Reader(text)
    found = reader.filter(0)
    if reader.at != len(text):
        raise reader.wrong("nothing more")
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def wrong(self, expected: str) -> ValueError:
        rest = self._text[self.at : self.at + 20]
        return ValueError(f"an LDAP filter (RFC 4515): {expected} expected before {rest!r}")

    def _take(self, wanted: str) -> bool:
        taken = self._text.startswith(wanted, self.at)
        self.at += len(wanted) if taken else 0
        return taken

    def filter(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise ValueError(f"an LDAP filter with at most {MAX_DEPTH} levels")
        if not self._take("("):
            raise self.wrong('"("')
        found: Filter
        if self._take("&"):
            found = Several(True, self._parts(depth))
        elif self._take("|"):
            found = Several(False, self._parts(depth))
        elif self._take("!"):
            found = Not(self.filter(depth + 1))
        else:
            found = self._item()
        if not self._take(")"):
            raise self.wrong('")"')
        return found

    def _parts(self, depth: int) -> tuple[Filter, ...]:
        parts = []
        while self._text.startswith("(", self.at):
            parts.append(self.filter(depth + 1))
        if not parts:
            raise self.wrong("a filter in parentheses")
        return tuple(parts)

    def _item(self) -> Filter:
        head = _HEAD.match(self._text, self.at)
        if head is None:
            raise self.wrong("an attribute, =, and a value")
        attribute, rules, relation = head[1].strip(), head[2] or "", head[3]
        if attribute and not _ATTRIBUTE.fullmatch(attribute):
            raise self.wrong("the name of an attribute")
        self.at = head.end()
        text = self._value()
        if relation == ":=":
            return self._extensible(attribute, rules, text)
        if rules or not attribute:
            raise self.wrong("the name of an attribute before the value")
        if relation == "=" and text == "*":
            return Present(attribute)
        if relation == "=" and "*" in text:
            pieces = text.split("*")
            if not all(pieces[1:-1]):
                raise self.wrong("no two * together")
            return Substrings(attribute, tuple(map(Value, pieces)))
        if "*" in text:
            raise self.wrong(f"no * after {relation}")
        return Compared(attribute, relation, Value(text))

    def _value(self) -> str:
        found = _VALUE.match(self._text, self.at)
        text = found[0] if found else ""
        self.at += len(text)
        if not self._text.startswith(")", self.at):
            raise self.wrong(r'")", or in the value \xx or %u, %n, %d, %%')
        return text

    def _extensible(self, attribute: str, rules: str, text: str) -> Extensible:
        parts = rules.split(":")[1:]
        dn = bool(parts) and parts[0].lower() == "dn"
        rest = parts[1:] if dn else parts
        rule = rest[0] if rest else ""
        if len(rest) > 1 or (rule and not _ATTRIBUTE.fullmatch(rule)) or not (attribute or rule):
            raise self.wrong("attribute:dn:rule:= before the value")
        if "*" in text:
            raise self.wrong("no * after :=")
        return Extensible(attribute, rule, dn, Value(text))
