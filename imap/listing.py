"""Names of mailboxes as LIST orders and matches them (RFC 9051 §6.3.9). The separator is `/`."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

_INBOX: Final = re.compile(r"inbox(?=/|\Z)", re.IGNORECASE)
_RUN: Final = re.compile(r"[*%]{2,}")


def order(name: str) -> tuple[bool, str]:
    """Sorts INBOX and what is below it first."""
    return name != "INBOX" and not name.startswith("INBOX/"), name


def inbox_first(names: list[str]) -> list[str]:
    """Sorted names in that order."""
    inner = [name for name in names if name == "INBOX" or name.startswith("INBOX/")]
    if not inner:
        return names
    return inner + [name for name in names if name != "INBOX" and not name.startswith("INBOX/")]


def parents(name: str) -> Iterable[str]:
    """The names above a name, the nearest first."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


class Matcher:
    """Whether a name matches one of the patterns behind the reference.

    Work is bounded by pattern times name, whatever the wildcards.
    """

    __slots__ = ("_patterns",)

    def __init__(self, reference: str, patterns: Sequence[str]) -> None:
        self._patterns = [_test(_prepared(reference, pattern)) for pattern in patterns]

    def __call__(self, name: str) -> bool:
        return any(test(name) for test in self._patterns)


def _test(pattern: str) -> Callable[[str], bool]:
    """The quickest way to match a pattern: most have no wildcard, or one at the end."""
    start, wildcard = pattern[:-1], pattern[-1:]
    if "*" in start or "%" in start:
        return partial(_matches, pattern)
    if wildcard == "*":
        return lambda name: name.startswith(start)
    if wildcard == "%":
        return lambda name: name.startswith(start) and "/" not in name[len(start) :]
    return lambda name: name == pattern


def _prepared(reference: str, pattern: str) -> str:
    """The whole pattern, INBOX in upper case and each run of wildcards as one."""
    whole = pattern if pattern.startswith("/") else reference + pattern
    whole = _INBOX.sub("INBOX", whole, count=1) if _INBOX.match(whole) else whole
    return _RUN.sub(lambda run: "*" if "*" in run[0] else "%", whole)


def _matches(pattern: str, name: str) -> bool:
    """Follows all ways through the pattern at once: a set of positions in it."""
    here = _with_wildcards(pattern, {0})
    for char in name:
        after = set()
        for at in here:
            if at == len(pattern):
                continue
            if pattern[at] == "*" or (pattern[at] == "%" and char != "/"):
                after.add(at)
            elif pattern[at] == char:
                after.add(at + 1)
        here = _with_wildcards(pattern, after)
        if not here:
            return False
    return len(pattern) in here


def _with_wildcards(pattern: str, positions: set[int]) -> set[int]:
    """The positions, and those behind a wildcard that matches nothing."""
    return positions | {at + 1 for at in positions if pattern[at : at + 1] in ("*", "%")}
