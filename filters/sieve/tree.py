"""The syntax tree (RFC 5228 §8.2), before anything is known of what its names mean.

`offset` is the place in the text, in characters; it doesn't count when trees are compared.
"""

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    """K, M and G multiplied out."""

    value: int
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class String:
    """Escapes and dot-stuffing undone; line ends are CRLF."""

    value: str
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Strings:
    """A list in brackets; it may be empty."""

    items: tuple[String, ...]
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Tag:
    """`name` in lower case, with its colon."""

    name: str
    offset: int = field(default=0, compare=False)


Argument: TypeAlias = Number | String | Strings | Tag


@dataclass(frozen=True, slots=True)
class Test:
    """`name` in lower case; `listed`: its tests stand in parentheses."""

    name: str
    arguments: tuple[Argument, ...] = ()
    tests: tuple["Test", ...] = ()
    listed: bool = False
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Command:
    """`block` is None where a semicolon stands."""

    name: str
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Test, ...] = ()
    listed: bool = False
    block: tuple["Command", ...] | None = None
    offset: int = field(default=0, compare=False)
