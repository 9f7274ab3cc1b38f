"""Flags of IMAP (RFC 5232): lists of them in a variable, and `:flags` of what files a message."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from filters.sieve.errors import Mistake
from filters.sieve.matching import Count, Matcher, matcher_of
from filters.sieve.signature import MATCH, Definition, Given, Option, TestDefinition, Type
from filters.sieve.state import Flow, Node, Run, Truth
from filters.sieve.strings import NAME, Reference, Texts
from filters.sieve.values import Values

FLAGS: Final = Option(":flags", Type.STRINGS, "imap4flags")
MAX_FLAGS: Final = 64
_SYSTEM: Final = {
    name.lower(): name for name in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
}
_KEYWORD: Final = re.compile(r"[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]{1,100}")


def read_flags(texts: Iterable[str]) -> list[str]:
    """The flags in texts that hold several each, those that IMAP knows, every one once (§3)."""
    found: dict[str, str] = {}
    for text in texts:
        for word in text.split():
            lower = word.lower()
            if lower in _SYSTEM:
                found.setdefault(lower, _SYSTEM[lower])
            elif _KEYWORD.fullmatch(word):
                found.setdefault(lower, word)
    return list(found.values())[:MAX_FLAGS]


def flags_for(run: Run, given: Texts | None) -> tuple[str, ...]:
    """What an action puts on the message: its own, else the internal variable's."""
    return tuple(run.flags if given is None else read_flags(given.of(run)))


def flags_of(given: Given) -> Texts | None:
    """The argument of `:flags`."""
    return given.compiler.texts(given, ":flags") if given.has(":flags") else None


def _stored(run: Run, variable: Reference | None) -> list[str]:
    return run.flags if variable is None else read_flags([run.variable(variable)])


@dataclass(frozen=True, slots=True)
class ChangeFlags:
    """setflag, addflag, removeflag; `variable` None is the internal one."""

    kind: str
    variable: Reference | None
    flags: Texts
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        given = read_flags(self.flags.of(run))
        present = _stored(run, self.variable)
        if self.kind == "addflag":
            given = read_flags([*present, *given])
        elif self.kind == "removeflag":
            gone = {flag.lower() for flag in given}
            given = [flag for flag in present if flag.lower() not in gone]
        if self.variable is None:
            run.flags = given
        else:
            run.set(self.variable, " ".join(given))
        return None


@dataclass(frozen=True, slots=True)
class HasFlag:
    variables: tuple[Reference, ...]
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        found = [flag for one in self.variables for flag in _stored(run, one)]
        values = Values(found if self.variables else list(run.flags))
        if isinstance(self.matcher, Count):
            return self.matcher.of(run, len(values.texts))
        return self.matcher.any(run, values)


def variable_name(name: str, given: Given, offset: int) -> Reference:
    """A name as `set` and the flag actions take it, "global.x" where that is allowed."""
    space, _, rest = name.rpartition(".")
    known = not space or (space.lower() == "global" and "include" in given.compiler.enabled)
    if not known or not NAME.fullmatch(rest):
        raise Mistake(f'"{name[:60]}" is no name of a variable', offset)
    return Reference(rest.lower(), bool(space))


def _variables(given: Given) -> tuple[Reference, ...]:
    written = given.strings(0)
    if written and "variables" not in given.compiler.enabled:
        raise Mistake('flags in a variable need require "variables"', written[0].offset)
    return tuple(variable_name(one.value, given, one.offset) for one in written)


def _change(given: Given) -> Node:
    variables = _variables(given)
    flags = given.compiler.texts(given, 1)
    return ChangeFlags(given.node.name, variables[0] if variables else None, flags, given.line)


COMMANDS: Final = tuple(
    Definition(name, _change, "imap4flags", positional=(Type.STRING, Type.STRINGS), optional=1)
    for name in ("setflag", "addflag", "removeflag")
)


def _has(given: Given) -> Truth:
    return HasFlag(_variables(given), matcher_of(given, 1, words=True))


TESTS: Final = (
    TestDefinition("hasflag", _has, "imap4flags", MATCH, (Type.STRINGS, Type.STRINGS), optional=1),
)
