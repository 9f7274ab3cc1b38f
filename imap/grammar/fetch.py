"""Parser of FETCH (RFC 9051 §6.4.5) with its sections and partials, and its modifiers CHANGEDSINCE,
VANISHED (RFC 7162 §3.1.4.1, §3.2.6) and PARTIAL (RFC 9394 §3.3).

Also of BINARY and BINARY.SIZE (RFC 3516 §4.2) and PREVIEW (RFC 8970 §3).

Macros are written out here. A command may ask for MAX_ITEMS items at most.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from imap.grammar.command import Command
from imap.grammar.fetch_item import (
    FetchAtom,
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchItem,
    FetchPreview,
    Section,
    SectionKind,
)
from imap.grammar.frame import LITERAL_MARK, Frame, ParseError
from imap.grammar.message_commands import Fetch
from imap.grammar.tokens import MAX_NUMBER, MAX_NUMBER64, Cursor
from imap.grammar.values import Partial
from imap.grammar.window import Window, parse_window

MAX_ITEMS: Final = 1000
MAX_DEPTH: Final = 200
MAX_KEPT: Final = 256

Modifiers: TypeAlias = tuple[int | None, bool, Window | None]
"""CHANGEDSINCE, VANISHED and PARTIAL."""

Wanted: TypeAlias = tuple[tuple[FetchItem, ...], Modifiers]
UNMODIFIED: Final[Modifiers] = (None, False, None)

_FAST: Final = (FetchAtom.FLAGS, FetchAtom.INTERNALDATE, FetchAtom.RFC822_SIZE)
_MACROS: Final[Mapping[str, tuple[FetchItem, ...]]] = {
    "FAST": _FAST,
    "ALL": (*_FAST, FetchAtom.ENVELOPE),
    "FULL": (*_FAST, FetchAtom.ENVELOPE, FetchAtom.BODY),
}
# RFC822.PEEK and RFC822.TEXT.PEEK are IMAP2bis; old c-client programs still send them.
_ATOMS: Final = {item.value.encode(): item for item in FetchAtom}
_KINDS: Final = {kind.value: kind for kind in SectionKind}
_FIELDS: Final = frozenset({SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT})

_NAME: Final = re.compile(rb"[A-Za-z0-9.-]+")
_PARTS: Final = re.compile(rb"[0-9]{1,10}(?:\.[0-9]{1,10})*")
_KIND: Final = re.compile(rb"[A-Za-z.]+")
_LAZY: Final = re.compile(rb" +\(([A-Za-z0-9.= -]*)\)")
_HEADER_ATOMS: Final = re.compile(rb"\( *([!#$&'+,\-./0-9;<=>?@A-Z\[^_`a-z|}~ ]+)\)")


def parse_fetch(cursor: Cursor) -> Fetch:
    """FETCH and UID FETCH."""
    cursor.space()
    sequence = cursor.sequence()
    cursor.space()
    wanted = _known(cursor)
    if wanted is None:
        wanted = _wanted(cursor)
    items, modifiers = wanted
    if modifiers[1] and (modifiers[0] is None or not cursor.frame.uid):
        raise cursor.error("VANISHED needs UID FETCH with CHANGEDSINCE")
    return Fetch(cursor.frame.tag, cursor.frame.uid, sequence, items, *modifiers)


def _known(cursor: Cursor) -> Wanted | None:
    """What the rest of the text asks for, if it is short: clients repeat themselves a lot."""
    rest = cursor.text[cursor.position :]
    if len(rest) > MAX_KEPT or LITERAL_MARK in rest:
        return None
    try:
        wanted = wanted_of(rest)
    except ParseError:
        return None  # read again for a complaint with the right place in it
    cursor.position = len(cursor.text)
    return wanted


@lru_cache(512)
def wanted_of(rest: bytes) -> Wanted:
    """Items and modifiers, from what follows the set; of at most MAX_KEPT octets, without a
    literal. The place that a ParseError names counts from there.
    """
    cursor = Cursor(Frame("", "FETCH", False, rest))
    wanted = _wanted(cursor)
    cursor.end()
    return wanted


def _wanted(cursor: Cursor) -> Wanted:
    """Items and modifiers."""
    items = parse_items(cursor)
    return items, UNMODIFIED if cursor.at_end() else _modifiers(cursor)


def parse_section(cursor: Cursor) -> Section:
    """What stands between the brackets of BODY[...], which are not taken."""
    parts: tuple[int, ...] = ()
    if cursor.peek().isdigit():
        parts = _parts(cursor)
        if not cursor.accept(b"."):
            return Section(parts)
    elif cursor.peek() == b"]":
        return Section()
    word = cursor.match(_KIND, "a section such as HEADER, TEXT or 1.2")[0].decode().upper()
    kind = _KINDS.get(word)
    if kind is None:
        raise cursor.error(f"unknown section {word}")
    if kind is SectionKind.MIME and not parts:
        raise cursor.error("MIME needs the number of a part before it")
    return Section(parts, kind, _headers(cursor) if kind in _FIELDS else ())


def parse_items(cursor: Cursor) -> tuple[FetchItem, ...]:
    """A macro, an item, or items in parentheses."""
    if cursor.peek() != b"(":
        macro = _MACROS.get(cursor.next_word())
        if macro is None:
            return (_item(cursor),)
        cursor.word("a macro")
        return macro
    cursor.open("items")
    items = [_item(cursor)]
    while cursor.more():
        if len(items) == MAX_ITEMS:
            raise cursor.error(f"more than {MAX_ITEMS} items")
        items.append(_item(cursor))
    return tuple(items)


def _item(cursor: Cursor) -> FetchItem:
    start = cursor.position
    name = cursor.match(_NAME, "an item such as FLAGS")[0].upper()
    if name in (b"BODY", b"BODY.PEEK") and cursor.accept(b"["):
        section = parse_section(cursor)
        cursor.expect(b"]")
        partial = _partial(cursor) if cursor.accept(b"<") else None
        return FetchBody(section, name == b"BODY.PEEK", partial)
    if name.startswith(b"BINARY"):
        return _binary(cursor, name)
    if name == b"PREVIEW":
        return FetchPreview(_lazy(cursor))
    atom = _ATOMS.get(name)
    if atom is None:
        cursor.position = start
        cursor.fail("an item of FETCH such as FLAGS or BODY.PEEK[]")
    return atom


def _binary(cursor: Cursor, name: bytes) -> FetchItem:
    if name not in (b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"):
        raise cursor.error("expected BINARY, BINARY.PEEK or BINARY.SIZE")
    cursor.expect(b"[", "[ before the number of a part")
    parts = () if cursor.peek() == b"]" else _parts(cursor)
    cursor.expect(b"]", "the number of a part and ]")
    if name == b"BINARY.SIZE":
        return FetchBinarySize(parts)
    partial = _partial(cursor) if cursor.accept(b"<") else None
    return FetchBinary(parts, name == b"BINARY.PEEK", partial)


def _lazy(cursor: Cursor) -> bool:
    """The modifiers of PREVIEW, of which LAZY is the only one (RFC 8970 §3.1)."""
    found = _LAZY.match(cursor.text, cursor.position)
    if found is None:
        return False
    cursor.position = found.end()
    if found[1].upper().split() != [b"LAZY"]:
        raise cursor.error("the only modifier of PREVIEW known is LAZY")
    return True


def _parts(cursor: Cursor) -> tuple[int, ...]:
    text = cursor.match(_PARTS, "the number of a part")[0]
    parts = tuple([int(number) for number in text.split(b".")])
    if not all(0 < part <= MAX_NUMBER for part in parts):
        raise cursor.error("numbers of parts begin at 1")
    if len(parts) > MAX_DEPTH:
        raise cursor.error(f"more than {MAX_DEPTH} numbers of parts")
    return parts


def _headers(cursor: Cursor) -> tuple[str, ...]:
    """The names of header fields in parentheses, at least one."""
    cursor.space()
    found = _HEADER_ATOMS.match(cursor.text, cursor.position)
    if found is not None:
        names = tuple(found[1].decode("ascii").split())
        if names:
            cursor.position = found.end()
            return names
    cursor.open("names of header fields")
    slow = [_header(cursor)]
    while cursor.more():
        slow.append(_header(cursor))
    return tuple(slow)


def _header(cursor: Cursor) -> str:
    """A name that is quoted or a literal; what is no US-ASCII can match no field."""
    name = cursor.astring("the name of a header field")
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise cursor.error("expected the name of a header field in US-ASCII") from None


def _partial(cursor: Cursor) -> Partial:
    offset = cursor.number("the first octet of a partial", MAX_NUMBER64)
    cursor.expect(b".", "a partial such as <0.2048>")
    size = cursor.number("the size of a partial", MAX_NUMBER64, 1)
    cursor.expect(b">")
    return Partial(offset, size)


def _modifiers(cursor: Cursor) -> Modifiers:
    """The modifiers, each once; a modseq of 0, which iOS sends, is none but harmless."""
    since, vanished, partial = UNMODIFIED
    seen: set[str] = set()
    cursor.open("a modifier such as CHANGEDSINCE")
    while not seen or cursor.more():
        word = cursor.word("the modifier CHANGEDSINCE, VANISHED or PARTIAL")
        if word == "VANISHED":
            vanished = True
        elif word == "CHANGEDSINCE":
            cursor.space()
            since = cursor.number("a modseq", MAX_NUMBER64)
        elif word == "PARTIAL":
            cursor.space()
            partial = parse_window(cursor)
        else:
            raise cursor.error("the modifiers known are CHANGEDSINCE, VANISHED and PARTIAL")
        if word in seen:
            raise cursor.error(f"{word} was given before")
        seen.add(word)
    return since, vanished, partial


PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {"FETCH": parse_fetch}
