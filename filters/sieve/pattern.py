"""`:regex` without stalls: Python's matcher where it provably can't go astray, else an automaton.

The number of ways in which a backtracking matcher could go wrong is bounded from above by the tree
of the expression and the length of the text. Below PATHS it is asked, as the fastest; above it the
automaton answers, whose time grows with the text alone.
"""

import re
from typing import Final

from filters.sieve.automaton import Program, Spans, Spend, find, holds, program_of, size_of
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

PATHS: Final = 300_000
KEPT_SIZE: Final = 100
# Steps that a search costs whose ways are many: so that the clock is looked at in time.
PRICE: Final = 20
_ENDLESS: Final = float("inf")


class Pattern:
    """A compiled expression; raises PatternError."""

    __slots__ = (
        "_comparator", "_expression", "_flags", "_groups", "_node", "_price", "_program", "_safe",
        "_text",
    )  # fmt: skip

    def __init__(self, text: str, comparator: Comparator) -> None:
        self._text = text
        self._comparator = comparator
        self._node, self._groups = read_pattern(text)
        size = size_of(self._node)
        self._flags = re.DOTALL
        if comparator is ASCII_CASEMAP:
            self._flags |= re.IGNORECASE | re.ASCII
        elif comparator is UNICODE_CASEMAP:
            self._flags |= re.IGNORECASE
        self._expression = re.compile(_source(self._node), self._flags)
        branching = _branching(_without_end(self._node))
        anchored = isinstance(_first(self._node), Edge)
        self._safe = _safe_length(branching, size, anchored)
        self._price = 1 if branching is None else PRICE
        self._program = None if size > KEPT_SIZE else self._built()

    def __reduce__(self) -> tuple[type["Pattern"], tuple[str, Comparator]]:
        return Pattern, (self._text, self._comparator)

    def search(self, text: str, spend: Spend, capture: bool) -> Spans | None:
        """The spans of the match and its groups; without `capture` they need not be right."""
        if len(text) <= self._safe:
            spend(self._price)
            found = self._expression.search(text)
            if found is None:
                return None
            return [found.span(number) for number in range(self._groups + 1)]
        program = self._program or self._built()
        spend(1 + len(program.steps))
        if not holds(program, text, spend):
            return None
        return find(program, text, spend) if capture else [(0, len(text))]

    def _built(self) -> Program:
        return program_of(self._node, self._groups, self._flags)


def _first(node: Node) -> Node:
    """What a match begins with."""
    while isinstance(node, Sequence) and node.nodes:
        node = node.nodes[0]
    return node


def _without_end(node: Node) -> Node:
    """Without plain repeats at the end: nothing fails behind them, no way is tried again."""
    if not isinstance(node, Sequence):
        return node
    nodes = list(node.nodes)
    while nodes and isinstance(nodes[-1], Repeat) and _branching(nodes[-1].node) is None:
        nodes.pop()
    return Sequence(tuple(nodes))


def _safe_length(node: Node | None, size: int, anchored: bool) -> int:
    """The length up to which Python's matcher is asked: ways only grow with the text."""
    low, high = -1, 1
    while high < PATHS and _paths(node, size, high, anchored) <= PATHS:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        fits = _paths(node, size, middle, anchored) <= PATHS
        low, high = (middle, high) if fits else (low, middle)
    return low


def _paths(node: Node | None, size: int, length: int, anchored: bool) -> float:
    ways = 1.0 if node is None else _ways(node, length)
    return ways * size * (1 if anchored else length + 1) + length


def _branching(node: Node) -> Node | None:
    """What is left of it where there is but one way; None when nothing is."""
    match node:
        case Item() | Edge():
            return None
        case Group(inner, _):
            return _branching(inner)
        case Sequence(nodes):
            kept = tuple(one for inner in nodes if (one := _branching(inner)) is not None)
            return Sequence(kept) if kept else None
        case Repeat(inner, least, most, greedy):
            kept_inner = _branching(inner)
            if kept_inner is None and least == most:
                return None
            return Repeat(Sequence(()) if kept_inner is None else kept_inner, least, most, greedy)
    return Choice(tuple(_branching(inner) or Sequence(()) for inner in node.nodes))


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
            return f"(?:{source})" if "|" in source else source
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
