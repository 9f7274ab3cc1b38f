"""Strings with their meaning: encoded characters (RFC 5228 §2.4.2.4) and variables (RFC 5229 §3).

A Text is constant, or is put together anew each time it is asked for.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from filters.sieve.errors import Mistake
from filters.sieve.tree import String

if TYPE_CHECKING:
    from filters.sieve.state import Run

MAX_MATCH_VARIABLE: Final = 99
NAME: Final = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE | re.ASCII)
_REFERENCE: Final = re.compile(
    r"\$\{(?:([0-9]+)|((?:[a-z_][a-z0-9_]*+\.)*+)([a-z_][a-z0-9_]*+))\}", re.IGNORECASE | re.ASCII
)
_HEX: Final = r"[ \t\r\n]*+[0-9a-f]{%s}(?:[ \t\r\n]++[0-9a-f]{%s})*+[ \t\r\n]*+"
_ENCODED: Final = re.compile(
    rf"\$\{{(?:hex:({_HEX % ('1,2', '1,2')})|unicode:({_HEX % ('1,16', '1,16')}))\}}",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable in lower case, of the script or global."""

    name: str
    shared: bool = False


Piece: TypeAlias = str | int | Reference


@dataclass(frozen=True, slots=True)
class Text:
    """`constant` is None when `pieces` hold variables; an int is that of a match."""

    constant: str | None
    pieces: tuple[Piece, ...] = ()

    def of(self, run: "Run") -> str:
        """Its value; what variables bring into it is cut at the bound of one (RFC 5229 §6)."""
        if self.constant is not None:
            return self.constant
        out: list[str] = []
        room = run.limits.variable_size
        for piece in self.pieces:
            if isinstance(piece, str):
                out.append(piece)
                continue
            value = run.variable(piece)
            out.append(value if len(value) <= room else value[:room])
            room -= len(out[-1])
        text = "".join(out)
        run.spend(1 + len(text) // 64)
        return text


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of them; `constant` when all are. With `parted` each text is a list of words."""

    constant: tuple[str, ...] | None
    texts: tuple[Text, ...] = ()
    parted: bool = False

    def of(self, run: "Run") -> tuple[str, ...]:
        if self.constant is not None:
            return self.constant
        texts = tuple([text.of(run) for text in self.texts])
        return _words(texts) if self.parted else texts

    def words(self) -> "Texts":
        """The words of all of them, as of flags (RFC 5232 §2)."""
        constant = None if self.constant is None else _words(self.constant)
        return Texts(constant, self.texts, parted=True)


def _words(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([word for text in texts for word in text.split()])


def constants(*values: str) -> Texts:
    """A list that needs no script."""
    return Texts(values)


def read_text(string: String, encoded: bool, variables: bool, shared: bool) -> Text:
    """The meaning of a string under the extensions that are in force; raises Mistake."""
    value = string.value
    if "${" not in value:
        return Text(value)
    if encoded:
        value = decode_characters(value, string.offset)
    if variables:
        pieces = _pieces(value, string.offset, shared)
        if any(not isinstance(piece, str) for piece in pieces):
            return Text(None, pieces)
    return Text(value)


def decode_characters(value: str, offset: int) -> str:
    """`${hex:..}` and `${unicode:..}` undone; octets that are no UTF-8 stay as they are inside."""
    if not _ENCODED.search(value):
        return value
    out: list[bytes] = []
    last = 0
    for found in _ENCODED.finditer(value):
        out.append(_octets(value[last : found.start()]))
        last = found.end()
        if found[1] is not None:
            out.append(bytes(int(pair, 16) for pair in found[1].split()))
            continue
        points = [int(point, 16) for point in found[2].split()]
        for point in points:
            if point > 0x10FFFF or 0xD800 <= point < 0xE000:
                raise Mistake(f"${{unicode:{point:x}}} is no character", offset)
        out.append("".join(map(chr, points)).encode("utf-8"))
    out.append(_octets(value[last:]))
    return b"".join(out).decode("utf-8", "surrogateescape")


def _octets(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _pieces(value: str, offset: int, shared: bool) -> tuple[Piece, ...]:
    out: list[Piece] = []
    last = 0
    for found in _REFERENCE.finditer(value):
        if found.start() > last:
            out.append(value[last : found.start()])
        last = found.end()
        out.append(_reference(found, offset, shared))
    if last < len(value):
        out.append(value[last:])
    return tuple(out)


def _reference(found: "re.Match[str]", offset: int, shared: bool) -> int | Reference:
    number, space, name = found.groups()
    if number is not None:
        if len(number) > 9 or int(number) > MAX_MATCH_VARIABLE:
            raise Mistake(f"{found[0]} is beyond the last, ${{{MAX_MATCH_VARIABLE}}}", offset)
        return int(number)
    if space and (space.lower() != "global." or not shared):
        hint = ' without require "include"' if space.lower() == "global." else ""
        raise Mistake(f'{found[0]}: the namespace "{space[:-1]}" is unknown{hint}', offset)
    return Reference(name.lower(), bool(space))
