"""Regular expressions of scripts read into a tree: POSIX extended ones (IEEE 1003.2), with the
short classes (\\d, \\w, \\s), lazy repeats and (?:...) that people write.

Back references and look-around are refused: no automaton can do them in bounded time.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

MAX_LENGTH: Final = 1000
MAX_REPEAT: Final = 255
MAX_DEPTH: Final = 30
_CLASSES: Final = {
    "alpha": r"^\W\d_",
    "digit": r"\d",
    "alnum": r"^\W_",
    "space": r"\s",
    "upper": "A-Z",
    "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~",
    "blank": r" \t",
    "xdigit": "0-9A-Fa-f",
    "cntrl": r"\x00-\x1f\x7f",
    "print": r"^\x00-\x1f\x7f",
    "graph": r"^\x00-\x20\x7f",
}
_SHORT: Final = frozenset("dDwWsS")
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t"}
_BOUNDS: Final = re.compile(r"\{(\d{1,3})(?:(,)(\d{1,3})?)?\}", re.ASCII)


class PatternError(ValueError):
    """The expression can't be used; its message says why."""


@dataclass(frozen=True, slots=True)
class Item:
    """One character; `source` is an expression of Python's for it."""

    source: str


@dataclass(frozen=True, slots=True)
class Edge:
    """The start or the end of the text."""

    end: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Group:
    """`number` counts from 1."""

    node: "Node"
    number: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """`most` is None without a bound."""

    node: "Node"
    least: int
    most: int | None
    greedy: bool = True


Node: TypeAlias = Item | Edge | Sequence | Choice | Group | Repeat


def read_pattern(text: str) -> tuple[Node, int]:
    """The tree and the number of groups; raises PatternError."""
    if len(text) > MAX_LENGTH:
        raise PatternError(f"it is longer than {MAX_LENGTH} characters")
    reader = _Reader(text)
    node = reader.choice(0)
    if reader.at < len(text):
        raise PatternError('there is a ")" without a "("')
    return node, reader.groups


class _Reader:
    __slots__ = ("at", "groups", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = 0

    def choice(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise PatternError(f"its groups are nested more than {MAX_DEPTH} deep")
        nodes = [self._sequence(depth)]
        while self._next() == "|":
            self.at += 1
            nodes.append(self._sequence(depth))
        return nodes[0] if len(nodes) == 1 else Choice(tuple(nodes))

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _sequence(self, depth: int) -> Node:
        nodes: list[Node] = []
        while self._next() not in ("", "|", ")"):
            nodes.append(self._repeats(self._atom(depth)))
        return nodes[0] if len(nodes) == 1 else Sequence(tuple(nodes))

    def _repeats(self, node: Node) -> Node:
        while (bounds := self._bounds()) is not None:
            if isinstance(node, (Edge, Repeat)):
                what = "an anchor" if isinstance(node, Edge) else "what is repeated already"
                raise PatternError(f"it repeats {what}")
            greedy = self._next() != "?"
            if not greedy:
                self.at += 1
            node = Repeat(node, *bounds, greedy)
        return node

    def _bounds(self) -> tuple[int, int | None] | None:
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self._next())
        if simple is not None:
            self.at += 1
            return simple
        found = _BOUNDS.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        least = int(found[1])
        most = int(found[3]) if found[3] else None if found[2] else least
        if least > MAX_REPEAT or (most is not None and not least <= most <= MAX_REPEAT):
            raise PatternError(f"the bounds of {found[0]} are not between 0 and {MAX_REPEAT}")
        return least, most

    def _atom(self, depth: int) -> Node:
        char = self._next()
        self.at += 1
        if char == "(":
            return self._group(depth)
        if char == "[":
            return Item(self._bracket())
        if char == ".":
            return Item("[^\\n]|\\n")
        if char in "^$":
            return Edge(char == "$")
        if char == "\\":
            return Item(self._escape())
        if char in "*+?":
            raise PatternError(f'there is nothing before "{char}" to repeat')
        return Item(re.escape(char))

    def _group(self, depth: int) -> Node:
        number = 0
        if self.text.startswith("?:", self.at):
            self.at += 2
        elif self._next() == "?":
            raise PatternError('groups that begin with "(?" are not supported, but for "(?:"')
        else:
            self.groups = number = self.groups + 1
        node = self.choice(depth + 1)
        if self._next() != ")":
            raise PatternError('there is a "(" without a ")"')
        self.at += 1
        return Group(node, number) if number else node

    def _escape(self) -> str:
        char = self._next()
        self.at += 1
        if char == "":
            raise PatternError("it ends with a backslash")
        if char in _SHORT:
            return "\\" + char
        if char.isdigit():
            raise PatternError("back references are not supported")
        if char.isalpha() and char not in _CONTROLS:
            raise PatternError(f"\\{char} is not supported")
        return re.escape(_CONTROLS.get(char, char))

    def _bracket(self) -> str:
        start = self.at
        negated = self._next() == "^"
        self.at += negated
        parts: list[str] = []
        first = True
        while (char := self._next()) != "]" or first:
            if char == "":
                raise PatternError('there is a "[" without a "]"')
            first = False
            parts.append(self._member(char))
        self.at += 1
        inside = [part for part in parts if not part.startswith("^")]
        outside = [f"[{part}]" for part in parts if part.startswith("^")]
        choices = ([f"[{''.join(inside)}]"] if inside else []) + outside
        source = "|".join(choices)
        try:
            re.compile(source)
        except re.error as error:
            raise PatternError(f"[{self.text[start : self.at]} is no list of characters") from error
        return f"(?!{source})(?:.|\\n)" if negated else source

    def _member(self, char: str) -> str:
        """A member of a bracket as a source; a class that is the rest of another begins with ^."""
        if self.text.startswith("[:", self.at):
            end = self.text.find(":]", self.at)
            name = self.text[self.at + 2 : end] if end >= 0 else ""
            if name not in _CLASSES:
                raise PatternError(f'the class "[:{name[:20]}:]" is unknown')
            self.at = end + 2
            return _CLASSES[name]
        if self.text.startswith(("[=", "[."), self.at):
            raise PatternError("equivalence classes and collating symbols are not supported")
        low = self._single(char)
        if len(low) == 2 and low[1] in _SHORT:
            return low
        if self._next() == "-" and self.text[self.at + 1 : self.at + 2] not in ("", "]"):
            self.at += 1
            high = self._single(self._next())
            if len(high) == 2 and high[1] in _SHORT:
                raise PatternError("a range ends with a class")
            return f"{low}-{high}"
        return low

    def _single(self, char: str) -> str:
        self.at += 1
        if char == "\\" and self._next() and (
            not self._next().isalnum() or self._next() in _SHORT or self._next() in _CONTROLS
        ):  # fmt: skip
            char = self._next()
            self.at += 1
            if char in _SHORT:
                return "\\" + char
            char = _CONTROLS.get(char, char)
        return "\\" + char if char in "\\]^-[&~|" else "\\n" if char == "\n" else char
