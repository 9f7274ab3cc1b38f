"""set and string (RFC 5229)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from urllib.parse import quote

from filters.sieve.errors import Mistake
from filters.sieve.flags import variable_name
from filters.sieve.matching import Count, Matcher, matcher_of
from filters.sieve.signature import MATCH, Definition, Given, Option, TestDefinition, Type
from filters.sieve.state import Flow, Node, Run, Truth
from filters.sieve.strings import Reference, Text, Texts
from filters.sieve.values import Values

_GLOB_SPECIAL: Final = re.compile(r"([*?\\])")
_REGEX_SPECIAL: Final = re.compile(r"([\\^$.\[\]|()?*+{}])")
# In their order of precedence, the highest first (RFC 5229 §4.1).
MODIFIERS: Final[dict[str, tuple[int, Callable[[str], str]]]] = {
    ":lower": (40, str.lower),
    ":upper": (40, str.upper),
    ":lowerfirst": (30, lambda text: text[:1].lower() + text[1:]),
    ":upperfirst": (30, lambda text: text[:1].upper() + text[1:]),
    ":quotewildcard": (20, lambda text: _GLOB_SPECIAL.sub(r"\\\1", text)),
    ":quoteregex": (20, lambda text: _REGEX_SPECIAL.sub(r"\\\1", text)),
    ":encodeurl": (15, lambda text: quote(text, safe="-._~", errors="surrogateescape")),
    ":length": (10, lambda text: str(len(text))),
}
_NEEDS: Final = {":quoteregex": "regex", ":encodeurl": "enotify"}
MODIFIER_OPTIONS: Final = tuple(Option(name, needs=_NEEDS.get(name, "")) for name in MODIFIERS)


def modifiers_of(given: Given) -> tuple[str, ...]:
    """Those that are given, in the order in which they work; one of each precedence."""
    chosen = tuple(name for name in MODIFIERS if given.has(name))
    for before, after in pairwise(chosen):
        if MODIFIERS[before][0] == MODIFIERS[after][0]:
            raise Mistake(f"{after} can't stand beside {before}", given.options[after][1])
    return chosen


def modified(value: str, modifiers: tuple[str, ...]) -> str:
    """The value as they leave it."""
    for name in modifiers:
        value = MODIFIERS[name][1](value)
    return value


@dataclass(frozen=True, slots=True)
class Set:
    variable: Reference
    value: Text
    modifiers: tuple[str, ...]
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        run.set(self.variable, modified(self.value.of(run), self.modifiers))
        return None


@dataclass(frozen=True, slots=True)
class StringTest:
    """`:count` counts what is not empty (RFC 5229 §5)."""

    source: Texts
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        texts = list(self.source.of(run))
        if isinstance(self.matcher, Count):
            return self.matcher.of(run, sum(1 for text in texts if text))
        return self.matcher.any(run, Values(texts))


def _set(given: Given) -> Node:
    name = given.strings(0)[0]
    variable = variable_name(name.value, given, name.offset)
    if not variable.shared and variable.name not in given.compiler.shared_names:
        given.compiler.own_names.add(variable.name)
    return Set(variable, given.compiler.string(given, 1), modifiers_of(given), given.line)


def _string(given: Given) -> Truth:
    return StringTest(given.compiler.texts(given, 0), matcher_of(given, 1))


COMMANDS: Final = (
    Definition("set", _set, "variables", MODIFIER_OPTIONS, (Type.STRING, Type.STRING)),
)
TESTS: Final = (
    TestDefinition("string", _string, "variables", MATCH, (Type.STRINGS, Type.STRINGS)),
)
