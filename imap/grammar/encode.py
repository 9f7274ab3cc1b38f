"""Values to bytes: strings, mailbox names, flags, sets, sections (RFC 9051 §9).

Whole lines stand in responses, commands in encode_command. `plus` marks literals as those of a
client that does not wait (RFC 7888); a server leaves it off. Invariant: nothing given here can end
a line, except inside a literal whose length stands before it.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from imap.grammar import utf7
from imap.grammar.fetch_item import (
    FetchAtom,
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchItem,
    FetchPreview,
    Section,
)
from imap.grammar.values import STAR, SequenceSet

NIL: Final = b"NIL"
# Longer strings go as literals, which need no search for quotes and suit every line limit.
_MAX_QUOTED: Final = 1024
_ATOM: Final = re.compile(rb"(?!(?i:nil)\Z)[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_QUOTABLE: Final = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*")
_SPECIAL: Final = re.compile(rb'(["\\])')
_ANSWERS: Final = {
    FetchAtom.RFC822_PEEK: FetchAtom.RFC822,
    FetchAtom.RFC822_TEXT_PEEK: FetchAtom.RFC822_TEXT,
}


def string(octets: bytes, plus: bool = False) -> bytes:
    """A quoted string where that can hold the octets, else a literal."""
    if len(octets) > _MAX_QUOTED or _QUOTABLE.fullmatch(octets) is None:
        return literal(octets, plus)
    return quoted(octets)


def quoted(octets: bytes) -> bytes:
    """A quoted string; the octets hold no NUL, CR or LF."""
    return b'"%s"' % _SPECIAL.sub(rb"\\\1", octets)


def literal(octets: bytes, plus: bool = False, binary: bool = False) -> bytes:
    """A literal, or with `binary` a literal8."""
    return literal_head(len(octets), plus, binary) + octets


def literal_head(size: int, plus: bool = False, binary: bool = False) -> bytes:
    """What stands before the octets of a literal."""
    return b"%s{%d%s}\r\n" % (b"~" if binary else b"", size, b"+" if plus else b"")


def nstring(octets: bytes | None, plus: bool = False) -> bytes:
    """A string, or NIL for None."""
    return NIL if octets is None else string(octets, plus)


def astring(octets: bytes, plus: bool = False) -> bytes:
    """An atom where that can hold the octets, else a string."""
    return octets if _ATOM.fullmatch(octets) else string(octets, plus)


def mailbox(name: str, utf8: bool = False) -> bytes:
    """A mailbox name in modified UTF-7, or quoted in UTF-8 for who enabled that (RFC 6855 §3)."""
    if not utf8 or name.isascii():
        return astring(name.encode() if utf8 else utf7.encode(name))
    octets = name.encode("utf-8", "replace")
    return literal(octets) if re.search(rb"[\0\r\n]", octets) else quoted(octets)


def flag_list(flags: Iterable[str]) -> bytes:
    """Flags in parentheses."""
    return f"({' '.join(flags)})".encode("ascii", "replace")


def sequence_set(sequence: SequenceSet) -> bytes:
    """The set as it came, `*` and `$` included; it is not empty."""
    if sequence.saved:
        return b"$"
    return ",".join([_range(low, high) for low, high in sequence.ranges]).encode()


def _range(low: int, high: int) -> str:
    first = "*" if low == STAR else str(low)
    if low == high:
        return first
    return f"{first}:*" if high == STAR else f"{first}:{high}"


def ascending_ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The runs of numbers, which are strictly ascending; steps over a run, not over numbers."""
    ranges: list[tuple[int, int]] = []
    start, count = 0, len(numbers)
    while start < count:
        first, end = numbers[start], start
        if start + 1 < count and numbers[start + 1] == first + 1:
            end = _run_end(numbers, start, count)
        ranges.append((first, numbers[end]))
        start = end + 1
    return ranges


def _run_end(numbers: Sequence[int], start: int, count: int) -> int:
    """The index at which the run that begins at `start` ends: doubled steps, then halved ones."""
    base = numbers[start] - start
    step, end = 1, start
    while end + step < count and numbers[end + step] - base == end + step:
        end += step
        step *= 2
    while step:
        if end + step < count and numbers[end + step] - base == end + step:
            end += step
        step //= 2
    return end


def uid_set(numbers: Sequence[int]) -> bytes:
    """Strictly ascending numbers as a set of ranges; they are not empty."""
    return ",".join(
        [str(low) if low == high else f"{low}:{high}" for low, high in ascending_ranges(numbers)]
    ).encode()


def encode_id(parameters: Iterable[tuple[str, str | None]] | None, plus: bool = False) -> bytes:
    """The argument of ID (RFC 2971 §3.1)."""
    if parameters is None:
        return NIL
    words: list[bytes] = []
    for name, value in parameters:
        words.append(string(name.encode("utf-8", "replace"), plus))
        words.append(nstring(None if value is None else value.encode("utf-8", "replace"), plus))
    return b"(%s)" % b" ".join(words)


def section(value: Section, plus: bool = False) -> bytes:
    """What stands between the brackets of BODY[...]."""
    words = [str(part) for part in value.parts]
    if value.kind is not None:
        words.append(value.kind.value)
    text = ".".join(words).encode()
    if not value.headers:
        return text
    names = b" ".join([astring(name.encode("utf-8"), plus) for name in value.headers])
    return b"%s (%s)" % (text, names)


def part_numbers(parts: Sequence[int]) -> bytes:
    """`1.2`."""
    return ".".join(map(str, parts)).encode()


def fetch_item(item: FetchItem, plus: bool = False) -> bytes:
    """An item as a client asks for it."""
    if isinstance(item, FetchAtom):
        return item.value.encode()
    if isinstance(item, FetchPreview):
        return b"PREVIEW (LAZY)" if item.lazy else b"PREVIEW"
    if isinstance(item, FetchBinarySize):
        return b"BINARY.SIZE[%s]" % part_numbers(item.parts)
    peek = b".PEEK" if item.peek else b""
    part = item.partial
    span = b"" if part is None else b"<%d.%d>" % (part.offset, part.size)
    if isinstance(item, FetchBinary):
        return b"BINARY%s[%s]%s" % (peek, part_numbers(item.parts), span)
    return b"BODY%s[%s]%s" % (peek, section(item.section, plus), span)


@lru_cache(256)
def fetch_label(item: FetchItem) -> bytes:
    """The name under which an item is answered (RFC 9051 §7.5.2)."""
    if isinstance(item, FetchBody):
        span = b"" if item.partial is None else b"<%d>" % item.partial.offset
        return b"BODY[%s]%s" % (section(item.section), span)
    if isinstance(item, FetchBinary):
        span = b"" if item.partial is None else b"<%d>" % item.partial.offset
        return b"BINARY[%s]%s" % (part_numbers(item.parts), span)
    if isinstance(item, FetchBinarySize):
        return fetch_item(item)
    if isinstance(item, FetchPreview):
        return b"PREVIEW"
    return _ANSWERS.get(item, item).value.encode()


def joined(encode: Callable[[str], bytes], values: Iterable[str]) -> bytes:
    """Encoded values in parentheses."""
    return b"(%s)" % b" ".join([encode(value) for value in values])
