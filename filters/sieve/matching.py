"""Match types (RFC 5228 §2.7.1, RFC 5231, RFC 6134): values against keys by a comparator."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from filters.sieve.comparators import (
    ASCII_CASEMAP,
    ASCII_NUMERIC,
    BASIC,
    COMPARATORS,
    Comparator,
)
from filters.sieve.environment import Ask, Question
from filters.sieve.errors import Mistake
from filters.sieve.glob import Glob, Span
from filters.sieve.lists import plain_name
from filters.sieve.pattern import Pattern
from filters.sieve.pattern_syntax import PatternError
from filters.sieve.signature import Given
from filters.sieve.strings import Texts
from filters.sieve.values import Values

if TYPE_CHECKING:
    from filters.sieve.state import Run

Relation: TypeAlias = Callable[[tuple[int, str], tuple[int, str]], bool]
_PLAIN: Final = (":is", ":contains", ":matches")
_TYPES: Final = (*_PLAIN, ":regex", ":value", ":count", ":list")
_ORDERS: Final[dict[str, Relation]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


class Matcher(Protocol):
    """Whether a value matches; sets the match variables when the script has variables."""

    def any(self, run: "Run", values: Values) -> bool: ...


def forms(keys: tuple[str, ...], comparator: Comparator) -> tuple[str, ...]:
    """Keys as they are compared."""
    return tuple([comparator.form(key) for key in keys])


@dataclass(frozen=True, slots=True)
class Is:
    """`:is`."""

    keys: Texts
    comparator: Comparator
    fixed: frozenset[str] | None

    def any(self, run: "Run", values: Values) -> bool:
        fixed = self.fixed
        if fixed is None:
            fixed = frozenset(forms(self.keys.of(run), self.comparator))
        run.left -= 1 + values.weight // 16
        return not fixed.isdisjoint(values.form(self.comparator))


@dataclass(frozen=True, slots=True)
class Contains:
    """`:contains`."""

    keys: Texts
    comparator: Comparator
    fixed: tuple[str, ...] | None

    def any(self, run: "Run", values: Values) -> bool:
        fixed = self.fixed
        if fixed is None:
            fixed = forms(self.keys.of(run), self.comparator)
        run.spend(1 + values.weight * len(fixed) // 16)
        for value in values.form(self.comparator):
            for key in fixed:
                if key in value:
                    return True
        return False


@dataclass(frozen=True, slots=True)
class Matches:
    """`:matches`; `capture`: what the wildcards took is kept for ${1} and so on."""

    keys: Texts
    comparator: Comparator
    fixed: tuple[Glob, ...] | None
    capture: bool

    def any(self, run: "Run", values: Values) -> bool:
        fixed = self.fixed
        if fixed is None:
            fixed = tuple([self._made(run, key) for key in self.keys.of(run)])
        run.spend(1 + sum([values.weight * key.price for key in fixed]) // 16)
        for number, value in enumerate(values.form(self.comparator)):
            for key in fixed:
                spans = key.match(value)
                if spans is not None:
                    if self.capture:
                        text = values.texts[number]
                        run.matched_spans(text, originals(text, value, spans, self.comparator))
                    return True
        return False

    def _made(self, run: "Run", key: str) -> Glob:
        run.spend(10 + len(key))
        return Glob(key, self.comparator.form)


def originals(text: str, form: str, spans: list[Span], comparator: Comparator) -> list[Span]:
    """Spans of a form as those of its text, character by character where their lengths differ."""
    if len(text) == len(form):
        return spans
    ends: list[int] = [0]
    for number, char in enumerate(text):
        ends.extend([number + 1] * len(comparator.form(char)))
    if len(ends) != len(form) + 1:
        return spans
    return [(ends[start], ends[end]) for start, end in spans]


@dataclass(frozen=True, slots=True)
class Regex:
    """`:regex`, with the bounds of pattern.py."""

    keys: Texts
    comparator: Comparator
    fixed: tuple[Pattern, ...] | None
    capture: bool

    def any(self, run: "Run", values: Values) -> bool:
        fixed = self.fixed
        if fixed is None:
            fixed = tuple([self._made(run, key) for key in self.keys.of(run)])
        run.spend(values.weight * len(fixed))
        for value in values.texts:
            for pattern in fixed:
                spans = pattern.search(value, run.spend, self.capture)
                if spans is not None:
                    if self.capture:
                        run.matched_groups(value, spans)
                    return True
        return False

    def _made(self, run: "Run", key: str) -> Pattern:
        run.spend(100 + len(key))
        try:
            return Pattern(key, self.comparator)
        except PatternError:
            return Pattern("[^\\s\\S]", self.comparator)


@dataclass(frozen=True, slots=True)
class Value:
    """`:value` (RFC 5231 §4.1): the order of each value and each key."""

    keys: Texts
    comparator: Comparator
    holds: Relation

    def any(self, run: "Run", values: Values) -> bool:
        order, holds = self.comparator.order, self.holds
        keys = [order(form) for form in forms(self.keys.of(run), self.comparator)]
        run.spend(values.weight * len(keys))
        for form in values.form(self.comparator):
            value = order(form)
            for key in keys:
                if holds(value, key):
                    return True
        return False


@dataclass(frozen=True, slots=True)
class Count:
    """`:count` (RFC 5231 §4.2): how many there are; other tests ask `Count.of` directly."""

    keys: Texts
    comparator: Comparator
    holds: Relation

    def any(self, run: "Run", values: Values) -> bool:
        return self.of(run, len(values.texts))

    def of(self, run: "Run", number: int) -> bool:
        order = self.comparator.order
        count = order(self.comparator.form(str(number)))
        return any(self.holds(count, order(self.comparator.form(key))) for key in self.keys.of(run))


@dataclass(frozen=True, slots=True)
class Listed:
    """`:list` (RFC 6134 §2.2): a value stands in a list that lives outside. Asked is in which lists
    a value stands, so that a hundred rules about one sender ask once.
    """

    keys: Texts
    capture: bool

    def any(self, run: "Run", values: Values) -> bool:
        texts = values.texts[: run.limits.listed]
        run.spend(1 + len(texts))
        answers = run.ask_all([Question(Ask.LISTED, text) for text in texts])
        for name in map(plain_name, self.keys.of(run)):
            for value, lists in zip(texts, answers, strict=True):
                if isinstance(lists, frozenset) and name in lists:
                    if self.capture:
                        run.matched_spans(value, [])
                    return True
        return False


def comparator_of(given: Given) -> Comparator:
    """The one that is asked for; raises Mistake."""
    if not given.has(":comparator"):
        return ASCII_CASEMAP
    name = given.constant(":comparator", "the name of a comparator").lower()
    found = COMPARATORS.get(name)
    if found is None:
        raise Mistake(f'the comparator "{name}" is unknown', given.offset(":comparator"))
    if name not in BASIC and f"comparator-{name}" not in given.compiler.enabled:
        raise Mistake(
            f'the comparator needs require "comparator-{name}"', given.offset(":comparator")
        )
    return found


def matcher_of(given: Given, position: int, capture: bool = True, words: bool = False) -> Matcher:
    """The match that a test is given, with its keys at that argument; raises Mistake. `words`: what
    stands between blanks is a key of its own.
    """
    keys = given.compiler.texts(given, position)
    comparator = comparator_of(given)
    kind = given.chosen(_TYPES, ":is")
    if words and kind in _PLAIN:
        keys = keys.words()
    capture = capture and "variables" in given.compiler.enabled
    if kind in (":value", ":count"):
        return _relational(given, kind, keys, comparator)
    if kind == ":list":
        return Listed(keys, capture)
    if kind != ":is" and not comparator.substring:
        raise Mistake(f"{kind} can't be done with {comparator.name}", given.options[kind][1])
    if kind == ":regex":
        return _regex(given, position, keys, comparator, capture)
    return _plain(kind, keys, comparator, capture)


def _plain(kind: str, keys: Texts, comparator: Comparator, capture: bool) -> Matcher:
    made = keys.constant
    if kind == ":contains":
        return Contains(keys, comparator, None if made is None else forms(made, comparator))
    if kind == ":matches":
        globs = None if made is None else tuple([Glob(key, comparator.form) for key in made])
        return Matches(keys, comparator, globs, capture)
    return Is(keys, comparator, None if made is None else frozenset(forms(made, comparator)))


def _regex(
    given: Given, position: int, keys: Texts, comparator: Comparator, capture: bool
) -> Matcher:
    if keys.constant is None:
        return Regex(keys, comparator, None, capture)
    patterns = []
    for key, written in zip(keys.constant, given.strings(position), strict=True):
        try:
            patterns.append(Pattern(key, comparator))
        except PatternError as error:
            raise Mistake(f"the regular expression can't be used: {error}",
                          written.offset) from error  # fmt: skip
    return Regex(keys, comparator, tuple(patterns), capture)


def _relational(given: Given, kind: str, keys: Texts, comparator: Comparator) -> Matcher:
    name = given.constant(kind, "the relation").lower()
    holds = _ORDERS.get(name)
    if holds is None:
        raise Mistake(f'"{name}" is none of gt, ge, lt, le, eq, ne', given.offset(kind))
    if kind == ":count":
        # Counts are numbers, whatever the comparator says (RFC 5231 §4.2 expects ascii-numeric).
        return Count(keys, ASCII_NUMERIC, holds)
    return Value(keys, comparator, holds)
