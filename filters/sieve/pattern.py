"""`:regex` without stalls: Python's matcher where it provably can't go astray, else an automaton.

The number of ways in which a backtracking matcher could go wrong is bounded from above by the tree
of the expression and the length of the text. Below PATHS it is asked, as the fastest; above it the
automaton answers, whose time grows with the text alone.
"""

import re
from typing import Final

from filters.sieve.automaton import Lazy, Spans, Spend, find, program_of
from filters.sieve.comparators import ASCII_CASEMAP, UNICODE_CASEMAP, Comparator
from filters.sieve.pattern_syntax import (
    Choice,
    Edge,
    Group,
    Item,
    Node,
    Repeat,
    Sequence,
    read_pattern,
)

PATHS: Final = 1_000_000
_ENDLESS: Final = float("inf")


class Pattern:
    """A compiled expression; raises PatternError."""

    __slots__ = (
        "_comparator",
        "_expression",
        "_groups",
        "_lazy",
        "_node",
        "_program",
        "_safe",
        "_text",
    )

    def __init__(self, text: str, comparator: Comparator) -> None:
        self._text = text
        self._comparator = comparator
        self._node, self._groups = read_pattern(text)
        flags = re.DOTALL
        if comparator is ASCII_CASEMAP:
            flags |= re.IGNORECASE | re.ASCII
        elif comparator is UNICODE_CASEMAP:
            flags |= re.IGNORECASE
        self._program = program_of(self._node, self._groups, flags)
        self._lazy = Lazy(self._program)
        self._expression = re.compile(_source(self._node), flags)
        self._safe = self._safe_length()

    def __reduce__(self) -> tuple[type["Pattern"], tuple[str, Comparator]]:
        return Pattern, (self._text, self._comparator)

    def search(self, text: str, spend: Spend, capture: bool) -> Spans | None:
        """The spans of the match and its groups; without `capture` they need not be right."""
        if len(text) <= self._safe:
            found = self._expression.search(text)
            if found is None:
                return None
            return [found.span(number) for number in range(self._groups + 1)]
        if not self._lazy.holds(text, spend):
            return None
        return find(self._program, text, spend) if capture else [(0, len(text))]

    def _safe_length(self) -> int:
        """The length up to which Python's matcher is asked: ways only grow with the text."""
        low, high = -1, 1
        while high < PATHS and self._paths(high) <= PATHS:
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._paths(middle) <= PATHS else (low, middle)
        return low

    def _paths(self, length: int) -> float:
        return _ways(self._node, length) * len(self._program.steps) * (length + 1)


def _ways(node: Node, length: int) -> float:
    """An upper bound of how many ways a backtracking matcher has through a text of that length."""
    match node:
        case Item() | Edge():
            return 1
        case Sequence(nodes):
            product = 1.0
            for inner in nodes:
                product *= _ways(inner, length)
                if product > PATHS:
                    return _ENDLESS
            return product
        case Choice(nodes):
            return sum(_ways(inner, length) for inner in nodes)
        case Group(inner, _):
            return _ways(inner, length)
        case Repeat(inner, least, most, _):
            return _ways_to_repeat(_ways(inner, length), least, length if most is None else most)


def _ways_to_repeat(each: float, least: int, most: int) -> float:
    if each <= 1:
        return max(most - least, 0) + 1
    total = power = 1.0
    for count in range(1, max(most, least) + 1):
        power *= each
        total = total + power if count > least else power
        if power > PATHS or total > PATHS:
            return _ENDLESS
    return total


def _source(node: Node) -> str:
    """The expression as Python writes it."""
    match node:
        case Item(source):
            return f"(?:{source})"
        case Edge(end):
            return r"\Z" if end else r"\A"
        case Sequence(nodes):
            return "".join(map(_source, nodes))
        case Choice(nodes):
            return "(?:" + "|".join(map(_source, nodes)) + ")"
        case Group(inner, _):
            return f"({_source(inner)})"
        case Repeat(inner, least, most, greedy):
            bounds = f"{{{least},{'' if most is None else most}}}"
            return f"(?:{_source(inner)}){bounds}{'' if greedy else '?'}"
