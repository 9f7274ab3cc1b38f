"""Keyword sets by number, and flag fields as text: what the high bits of a flag field mean.

One table an account, in the loop's thread. Keywords compare without case, the account's first
spelling stays (RFC 9051 §2.3.2).
"""

from collections.abc import Iterable, Sequence

from storage.schema import KEYWORD_SHIFT
from storage.values import Flags, System

_SYSTEM = (1 << KEYWORD_SHIFT) - 1
_TEXTS = 20_000
_NAMES = (
    (System.ANSWERED, "\\Answered"),
    (System.FLAGGED, "\\Flagged"),
    (System.DELETED, "\\Deleted"),
    (System.SEEN, "\\Seen"),
    (System.DRAFT, "\\Draft"),
)


class KeywordTable:
    """Number to keyword set; number 0 is the empty set. `sets` grows, numbers never change."""

    __slots__ = ("__weakref__", "_flags", "_texts", "sets")

    def __init__(self, sets: Sequence[frozenset[str]] = (frozenset(),)) -> None:
        self.sets = sets
        self._texts: dict[int, bytes] = {}
        self._flags: dict[int, Flags] = {}

    def words(self, number: int) -> frozenset[str]:
        return self.sets[number]

    def flags(self, field: int) -> Flags:
        """The field's flags as a value; cached."""
        flags = self._flags.get(field)
        if flags is None:
            if len(self._flags) >= _TEXTS:
                self._flags.clear()
            flags = Flags(System(field & _SYSTEM), self.sets[field >> KEYWORD_SHIFT])
            self._flags[field] = flags
        return flags

    def text(self, field: int) -> bytes:
        """The field's flags as IMAP writes them, without parentheses; cached."""
        text = self._texts.get(field)
        if text is None:
            if len(self._texts) >= _TEXTS:
                self._texts.clear()
            names = [name for flag, name in _NAMES if field & flag]
            names += sorted(self.sets[field >> KEYWORD_SHIFT])
            text = self._texts[field] = " ".join(names).encode()
        return text


class KeywordSets:
    """The writer's side: finds or makes the number of a set. Not shared between threads, but for
    `sets`, which only grows.
    """

    __slots__ = ("_numbers", "_spelling", "sets")

    def __init__(self, stored: Iterable[tuple[int, str]] = ()) -> None:
        self.sets: list[frozenset[str]] = [frozenset()]
        self._spelling: dict[str, str] = {}
        self._numbers: dict[frozenset[str], int] = {frozenset(): 0}
        for number, words in sorted(stored):
            while len(self.sets) < number:
                self.sets.append(frozenset())
            self._add(frozenset(words.split(" ")))

    def spell(self, words: Iterable[str]) -> frozenset[str]:
        """The words as the account spelled them first."""
        return frozenset(self._spelling.setdefault(word.casefold(), word) for word in words)

    def find(self, words: frozenset[str]) -> tuple[int, bool]:
        """The number of a set of spelled words, and whether it had to be made."""
        number = self._numbers.get(words)
        if number is not None:
            return number, False
        return self._add(words), True

    def _add(self, words: frozenset[str]) -> int:
        number = self._numbers[words] = len(self.sets)
        self.sets.append(words)
        for word in words:
            self._spelling.setdefault(word.casefold(), word)
        return number
