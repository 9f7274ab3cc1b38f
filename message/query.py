"""The language of a search box, as people know it from Gmail: text to a tree of conditions. Pure.

Words and "phrases" stand for text anywhere, `field:value` for one field, `-` and NOT negate, OR and
{braces} choose, (parentheses) group. What makes no sense is searched as text; only a query that is
too long or nested too deep is an error.
"""

import re
from dataclasses import dataclass, replace
from dataclasses import field as member
from datetime import UTC, date, datetime
from enum import Enum
from typing import Final, TypeAlias

MAX_LENGTH: Final = 2_000
MAX_DEPTH: Final = 20
_PLAIN: Final = 100
"""Words that are looked for of what cannot be read otherwise."""


Span: TypeAlias = tuple[int, int]
"""Where a condition stands in the text; (0, 0) where nowhere by itself."""

_NOWHERE: Final = (0, 0)


class QueryError(ValueError):
    """The text tells what is wrong."""


class Field(Enum):
    """Where a word is looked for; the value is the operator."""

    TEXT = "text"
    BODY = "body"
    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    SUBJECT = "subject"
    LABEL = "label"
    TAG = "tag"
    FILENAME = "filename"
    LIST = "list"
    MESSAGE_ID = "rfc822msgid"
    DELIVERED_TO = "deliveredto"


class State(Enum):
    """What `is:` and `has:` ask for; the value is the word behind them."""

    UNREAD = "unread"
    READ = "read"
    STARRED = "starred"
    UNSTARRED = "unstarred"
    IMPORTANT = "important"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"
    FORWARDED = "forwarded"
    DRAFT = "draft"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True)
class Word:
    """A substring in a field."""

    field: Field
    value: str
    span: Span = member(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Is:
    """A state of the message."""

    state: State
    span: Span = member(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Day:
    """Came on the day or later, or (`since` False) before it."""

    since: bool
    day: date
    span: Span = member(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Age:
    """Came longer ago than this, or (`older` False) not so long."""

    older: bool
    seconds: int
    span: Span = member(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Size:
    """Larger or (`larger` False) smaller than this many octets."""

    larger: bool
    octets: int
    span: Span = member(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of them; without any, every message."""

    parts: tuple["Query", ...] = ()
    span: Span = member(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of them at least."""

    parts: tuple["Query", ...]
    span: Span = member(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Not this."""

    part: "Query"
    span: Span = member(default=_NOWHERE, compare=False)


Query: TypeAlias = Word | Is | Day | Age | Size | AllOf | AnyOf | NoneOf

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<open>[({])|(?P<close>[)}])|(?P<minus>-)(?=[^\s)}])|"
    r'(?P<operator>[A-Za-z][A-Za-z0-9_]*):(?=[^\s)}])|"(?P<phrase>[^"]*)"?|(?P<word>[^\s(){}"]+))'
)
_FIELDS: Final = {field.value: field for field in Field} | {"in": Field.LABEL}
_STATES: Final = {state.value: state for state in State} | {
    "seen": State.READ,
    "unseen": State.UNREAD,
    "flagged": State.STARRED,
    "star": State.STARRED,
    "replied": State.ANSWERED,
    "attachments": State.ATTACHMENT,
}
_DAYS: Final = {"before": False, "older": False, "after": True, "newer": True}
_AGES: Final = {"older_than": True, "newer_than": False}
_SIZES: Final = {"larger": True, "larger_than": True, "size": True} | dict.fromkeys(
    ("smaller", "smaller_than"), False
)
_AGE: Final = re.compile(r"(\d{1,6})([hdwmy])")
_SECONDS: Final = {"h": 3_600, "d": 86_400, "w": 7 * 86_400, "m": 30 * 86_400, "y": 365 * 86_400}
_SIZE: Final = re.compile(r"(\d{1,12})([KkMmGg]?)[Bb]?")
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_DATE: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4})")


def parse_query(text: str) -> Query:
    """The tree of a query. Raises QueryError."""
    if len(text) > MAX_LENGTH:
        raise QueryError(f"a query has at most {MAX_LENGTH} characters")
    return _Parser(text).group("")


def plain_words(text: str) -> Query:
    """The words of the beginning of a text, whatever they are, as a query."""
    found: list[Query] = []
    at = 0
    for word in text[:MAX_LENGTH].split()[:_PLAIN]:
        at = text.index(word, at)
        found.append(Word(Field.TEXT, word, (at, at + len(word))))
        at += len(word)
    return AllOf(tuple(found))


def names_place(query: Query) -> bool:
    """Whether a query says where it looks: by a label, or anywhere."""
    if isinstance(query, AllOf | AnyOf):
        anywhere = isinstance(query, AllOf) and not query.parts and query.span != _NOWHERE
        return anywhere or any(map(names_place, query.parts))
    if isinstance(query, NoneOf):
        return names_place(query.part)
    return isinstance(query, Word) and query.field is Field.LABEL


class _Parser:
    """Takes tokens from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = [found for found in _TOKEN.finditer(text) if found.lastgroup]
        self._at = 0
        self._depth = 0

    def group(self, bracket: str, field: Field = Field.TEXT) -> Query:
        """What stands up to the closing bracket, which is taken, or the end."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryError(f"a query is nested at most {MAX_DEPTH} deep")
        parts: list[Query] = []
        either = False
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token["close"]:
                self._at += 1
                if bracket:
                    break
                continue
            word = token["word"]
            if word == "OR" and parts and self._more():
                self._at += 1
                either = True
                continue
            if word == "AND":
                self._at += 1
                continue
            part = self._one(field)
            if either:
                parts[-1] = _any((parts[-1], part))
                either = False
            else:
                parts.append(part)
        self._depth -= 1
        if bracket == "{" and parts:
            return _any(tuple(parts))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _more(self) -> bool:
        """Whether something stands behind the present token that OR may choose."""
        following = self._tokens[self._at + 1 : self._at + 2]
        return bool(following) and not following[0]["close"]

    def _one(self, field: Field) -> Query:
        """The next condition."""
        if self._at >= len(self._tokens):
            return AllOf()
        token = self._tokens[self._at]
        self._at += 1
        if token["minus"] or token["word"] == "NOT":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise QueryError(f"a query is nested at most {MAX_DEPTH} deep")
            part = self._one(field)
            self._depth -= 1
            return NoneOf(part, self._since(token))
        if token["open"]:
            return self.group(token["open"], field)
        if token["operator"]:
            return replace(self._operator(token["operator"]), span=self._since(token))
        value = token["phrase"] if token["word"] is None else token["word"]
        return Word(field, value, self._since(token))

    def _since(self, token: re.Match[str]) -> Span:
        """From a token to the last one that was taken."""
        start = token.end() - len(token[0].lstrip())
        return start, self._tokens[self._at - 1].end()

    def _operator(self, name: str) -> Query:
        """`name:` with what follows, or the text that it is when it means nothing."""
        lower = name.lower()
        token = self._tokens[self._at]
        if lower in _FIELDS and token["open"]:
            self._at += 1
            return self.group(token["open"], _FIELDS[lower])
        value = self._value()
        known = _condition(lower, value)
        return Word(Field.TEXT, f"{name}:{value}") if known is None else known

    def _value(self) -> str:
        """What stands behind the colon, up to a space: a phrase, or words with signs in them."""
        token = self._tokens[self._at]
        self._at += 1
        if token["phrase"] is not None:
            return token["phrase"]
        value = token[0].strip()
        end = token.end()
        while self._at < len(self._tokens) and not token["open"]:
            token = self._tokens[self._at]
            if token.start() != end or token[0][:1].isspace() or token["open"] or token["close"]:
                break
            value, end = value + token[0], token.end()
            self._at += 1
        return value


def _any(parts: tuple[Query, ...]) -> Query:
    flat: list[Query] = []
    for part in parts:
        flat += part.parts if isinstance(part, AnyOf) else (part,)
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat))


def _condition(name: str, value: str) -> Query | None:
    """The meaning of an operator with its value, None if it has none."""
    if name in _FIELDS:
        if name == "in" and value.lower() == "anywhere":
            return AllOf()
        return Word(_FIELDS[name], value)
    if name in ("is", "has"):
        state = _STATES.get(value.lower())
        return None if state is None else Is(state)
    if name in _DAYS:
        day = _day(value)
        return None if day is None else Day(_DAYS[name], day)
    if name in _AGES:
        found = _AGE.fullmatch(value.lower())
        if found is None or not int(found[1]):
            return None
        return Age(_AGES[name], int(found[1]) * _SECONDS[found[2]])
    if name in _SIZES:
        found = _SIZE.fullmatch(value)
        return found and Size(_SIZES[name], int(found[1]) * _UNITS[found[2].lower()])
    return None


def _day(value: str) -> date | None:
    """2026-01-31, 2026/1/31, 1/31/2026, or seconds since 1970."""
    try:
        if value.isascii() and value.isdigit() and len(value) > 6:
            return datetime.fromtimestamp(int(value), UTC).date()
        found = _DATE.fullmatch(value)
        if found is None:
            return None
        year, month, day = found.group(1, 2, 3) if found[1] else found.group(6, 4, 5)
        return date(int(year), int(month), int(day))
    except (ValueError, OverflowError, OSError):
        return None
