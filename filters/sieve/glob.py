"""The patterns of `:matches` (RFC 5228 §2.7.1): `*`, `?` and `\\` before what means itself.

Each `*` takes as little as it can (RFC 5229 §3.2). Time is that of a search a piece, never more.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

STRIDE: Final = 1_000_000
Span: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """What stands between two `*`: fixed text, or with `?` in it an expression of its length."""

    length: int
    text: str
    holes: tuple[int, ...] = ()
    expression: re.Pattern[str] | None = None

    def at(self, text: str, position: int) -> bool:
        if self.expression is not None:
            return self.expression.match(text, position) is not None
        return text.startswith(self.text, position)

    def find(self, text: str, start: int, end: int) -> int:
        """The first place between, -1 when there is none."""
        if self.expression is None:
            return text.find(self.text, start, end)
        # Piece by piece: no other thread runs while one search is under way.
        stride = max(STRIDE // self.length, 1)
        for at in range(start, end, stride):
            found = self.expression.search(text, at, min(at + stride + self.length - 1, end))
            if found is not None:
                return found.start()
        return -1

    def spans(self, position: int) -> list[Span]:
        return [(position + hole, position + hole + 1) for hole in self.holes]


class Glob:
    """A pattern for texts in the form of a comparator; `form` maps its fixed text."""

    __slots__ = ("_first", "_last", "_middle", "price")

    def __init__(self, pattern: str, form: Callable[[str], str]) -> None:
        pieces = [_piece(items, form) for items in _split(pattern)]
        self._first = pieces[0]
        self._last = pieces[-1] if len(pieces) > 1 else None
        self._middle = tuple(pieces[1:-1])
        # A piece with holes is tried at each place: the longest says what that may take.
        self.price = 1 + max((one.length for one in self._middle if one.holes), default=0)

    def match(self, text: str) -> list[Span] | None:
        """What each wildcard took, in order; None when the text is another."""
        first, last = self._first, self._last
        if not first.at(text, 0):
            return None
        spans, position = first.spans(0), first.length
        if last is None:
            return spans if position == len(text) else None
        end = len(text) - last.length
        for piece in self._middle:
            found = piece.find(text, position, max(end, 0))
            if found < 0:
                return None
            spans.append((position, found))
            spans += piece.spans(found)
            position = found + piece.length
        if position > end or not last.at(text, end):
            return None
        return [*spans, (position, end), *last.spans(end)]


def _split(pattern: str) -> list[list[str | None]]:
    """Characters between the `*`; None for `?`."""
    out: list[list[str | None]] = [[]]
    chars = iter(pattern)
    for char in chars:
        if char == "*":
            out.append([])
        elif char == "?":
            out[-1].append(None)
        else:
            out[-1].append(next(chars, "\\") if char == "\\" else char)
    return out


def _piece(items: list[str | None], form: Callable[[str], str]) -> Piece:
    parts: list[str] = [""]
    holes: list[int] = []
    length = 0
    for item in items:
        if item is None:
            parts[-1] = form(parts[-1])
            length += len(parts[-1])
            holes.append(length)
            length += 1
            parts.append("")
        else:
            parts[-1] += item
    parts[-1] = form(parts[-1])
    length += len(parts[-1])
    if not holes:
        return Piece(length, parts[0])
    source = "(?:" + ".".join(re.escape(part) for part in parts) + ")"
    return Piece(length, "", tuple(holes), re.compile(source, re.DOTALL))
