"""GETMETADATA and SETMETADATA: values, parsers and responses (RFC 5464 §4, §5; RFC 9590).

Entry names are decoded and in lower case, since they compare without case; a name that breaks the
rules of §3.2 is BAD. Options of GETMETADATA may stand before the mailbox, as the grammar has it, or
behind it, as every example has it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from imap.grammar.encode import NIL, astring, literal, mailbox, string
from imap.grammar.tokens import Cursor

MAX_ENTRIES: Final = 100
"""Entries that one command may name."""

_NAME: Final = re.compile(r"/(?:private|shared)(?:/[^/%*\0-\x1f\x7f]+)*")
_VENDOR: Final = re.compile(r"/(?:private|shared)/vendor(?:/[^/]+)?")
_DEPTHS: Final[Mapping[str, int | None]] = {"0": 0, "1": 1, "INFINITY": None}


@dataclass(frozen=True, slots=True)
class GetMetadata:
    """GETMETADATA; the mailbox is "" for the server. `depth` None is infinity."""

    tag: str
    mailbox: str
    entries: tuple[str, ...]
    max_size: int | None = None
    depth: int | None = 0


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """SETMETADATA; None removes an entry."""

    tag: str
    mailbox: str
    values: tuple[tuple[str, bytes | None], ...]


MetadataCommand: TypeAlias = GetMetadata | SetMetadata


def metadata_line(
    name: str, values: Iterable[tuple[str, bytes | None]], utf8: bool = False
) -> bytes:
    """METADATA with values, at least one (RFC 5464 §4.4.1)."""
    pairs = [b"%s %s" % (astring(entry.encode()), value_of(value)) for entry, value in values]
    return b"* METADATA %s (%s)\r\n" % (mailbox(name, utf8), b" ".join(pairs))


def changed_line(name: str, entries: Iterable[str], utf8: bool = False) -> bytes:
    """METADATA with names only, for changes that others made (RFC 5464 §4.4.2)."""
    names = [astring(entry.encode()) for entry in entries]
    return b"* METADATA %s %s\r\n" % (mailbox(name, utf8), b" ".join(names))


def value_of(value: bytes | None, plus: bool = False) -> bytes:
    """NIL, a string, or a literal8 where there is a NUL."""
    if value is None:
        return NIL
    return literal(value, plus, binary=True) if b"\0" in value else string(value, plus)


def parse_getmetadata(cursor: Cursor) -> GetMetadata:
    """GETMETADATA; several entries may come without parentheses, as in §4.4.1."""
    cursor.space()
    options: dict[str, int | None] = {}
    if cursor.peek() == b"(":
        _options(cursor, options)
        cursor.space()
    name = cursor.mailbox()
    cursor.space()
    if _stands_option(cursor):
        _options(cursor, options)
        cursor.space()
    found = list(entries(cursor))
    while not cursor.at_end():
        found.append(_entry(cursor))
    return GetMetadata(
        cursor.frame.tag,
        name,
        _bounded(cursor, found),
        options.get("MAXSIZE"),
        options.get("DEPTH", 0),
    )


def _stands_option(cursor: Cursor) -> bool:
    """Whether the parenthesis opens options: an entry begins with `/`, or is a string."""
    following = cursor.text[cursor.position + 1 :].lstrip(b" ")[:1]
    return cursor.peek() == b"(" and following.isalpha()


def _options(cursor: Cursor, options: dict[str, int | None]) -> None:
    cursor.open("options such as DEPTH")
    while cursor.more():
        word = cursor.word("an option such as DEPTH")
        if word in options:
            raise cursor.error(f"the option {word} stands twice")
        cursor.space()
        if word == "MAXSIZE":
            options[word] = cursor.number("the largest size wanted")
        elif word == "DEPTH":
            depth = cursor.word("0, 1 or infinity")
            if depth not in _DEPTHS:
                raise cursor.error("DEPTH is 0, 1 or infinity")
            options[word] = _DEPTHS[depth]
        else:
            raise cursor.error(f"unknown option {word}")


def entries(cursor: Cursor) -> tuple[str, ...]:
    """One entry, or several in parentheses."""
    if cursor.peek() != b"(":
        return (_entry(cursor),)
    cursor.open("entries such as /private/comment")
    found: list[str] = []
    while not found or cursor.more():
        found.append(_entry(cursor))
    return _bounded(cursor, found)


def parse_setmetadata(cursor: Cursor) -> SetMetadata:
    """SETMETADATA; of an entry that stands twice the last value counts."""
    cursor.space()
    name = cursor.mailbox()
    cursor.space()
    cursor.open("entries with their values")
    values: dict[str, bytes | None] = {}
    while not values or cursor.more():
        entry = _entry(cursor)
        if entry.count("/") < 2 or _VENDOR.fullmatch(entry):
            raise cursor.error(f"{entry} is no whole name of an entry")
        cursor.space()
        values[entry] = _value(cursor)
    _bounded(cursor, list(values))
    return SetMetadata(cursor.frame.tag, name, tuple(values.items()))


def _value(cursor: Cursor) -> bytes | None:
    if cursor.peek() == b"\n":
        return cursor.literal("a value").data
    return cursor.nstring("a value as a string, or NIL")


def _entry(cursor: Cursor) -> str:
    octets = cursor.astring("an entry such as /private/comment")
    name = octets.decode("latin-1").lower()
    if not name.isascii() or _NAME.fullmatch(name) is None:
        raise cursor.error("an entry is named like /private/comment or /shared/comment")
    return name


def _bounded(cursor: Cursor, names: list[str]) -> tuple[str, ...]:
    if len(names) > MAX_ENTRIES:
        raise cursor.error(f"a command may name {MAX_ENTRIES} entries")
    return tuple(dict.fromkeys(names))


PARSERS: Final[Mapping[str, Callable[[Cursor], MetadataCommand]]] = {
    "GETMETADATA": parse_getmetadata,
    "SETMETADATA": parse_setmetadata,
}
