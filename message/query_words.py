"""A query told back: how the text of a search box was understood. Pure."""

from collections.abc import Mapping
from typing import Final

from message.query import (
    Age,
    AllOf,
    AnyOf,
    Day,
    Is,
    NoneOf,
    Query,
    Size,
    State,
    Word,
)

_AGES: Final = {"d": 86_400, "w": 7 * 86_400, "m": 30 * 86_400, "y": 365 * 86_400, "h": 3_600}
_SIZES: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_HAS: Final = frozenset({State.ATTACHMENT})


def told(query: Query) -> str:
    """The query with every AND, OR, NOT, quote and parenthesis that it means; "" for every message.

    Parsed again it means the same.
    """
    return "" if query == AllOf() else _told(query)


def _told(query: Query) -> str:
    if isinstance(query, AllOf):
        return " AND ".join(map(_inner, query.parts)) if query.parts else "in:anywhere"
    if isinstance(query, AnyOf):
        return " OR ".join(map(_inner, query.parts))
    if isinstance(query, NoneOf):
        return f"NOT {_inner(query.part)}"
    return _condition(query)


def _inner(query: Query) -> str:
    several = isinstance(query, AllOf | AnyOf) and query != AllOf()
    return f"({_told(query)})" if several else _told(query)


def _condition(query: Query) -> str:
    if isinstance(query, Word):
        return f'{query.field.value}:"{query.value.replace(chr(34), " ")}"'
    if isinstance(query, Is):
        return f"{'has' if query.state in _HAS else 'is'}:{query.state.value}"
    if isinstance(query, Day):
        return f"{'after' if query.since else 'before'}:{query.day.isoformat()}"
    if isinstance(query, Age):
        name = "older_than" if query.older else "newer_than"
        return f"{name}:{_shortest(query.seconds, _AGES, 6)}"
    assert isinstance(query, Size)
    name = "larger" if query.larger else "smaller"
    return f"{name}:{_shortest(query.octets, _SIZES, 12)}"


def _shortest(number: int, units: Mapping[str, int], digits: int) -> str:
    """In the first unit in which it has no more than so many digits."""
    for unit, size in units.items():
        if number % size == 0 and number // size < 10**digits:
            return f"{number // size}{unit}"
    return str(number)
