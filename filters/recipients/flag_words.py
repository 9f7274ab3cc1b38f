"""Flags as Sieve scripts and IMAP write them (RFC 5232 §2). Pure."""

from collections.abc import Iterable
from typing import Final

from storage.values import Flags, System

_WORDS: Final = {
    System.SEEN: "\\Seen",
    System.ANSWERED: "\\Answered",
    System.FLAGGED: "\\Flagged",
    System.DELETED: "\\Deleted",
    System.DRAFT: "\\Draft",
}
_SYSTEM: Final = {word.lower(): flag for flag, word in _WORDS.items()}


def flags_of(words: Iterable[str]) -> Flags:
    """System flags that can't be stored are left out."""
    system, keywords = System(0), set[str]()
    for word in words:
        if word.startswith("\\"):
            system |= _SYSTEM.get(word.lower(), System(0))
        else:
            keywords.add(word)
    return Flags(system, frozenset(keywords))


def words_of(flags: Flags) -> tuple[str, ...]:
    """System flags first, keywords in order."""
    system = [word for flag, word in _WORDS.items() if flags.system & flag]
    return (*system, *sorted(flags.keywords))
