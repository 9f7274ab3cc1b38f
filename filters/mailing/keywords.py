"""Keywords as JMAP has them (RFC 8621 §4.1.1), and the flags of IMAP that they are. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from storage.values import Flags, System

SYSTEM: Final = {
    "$seen": System.SEEN,
    "$answered": System.ANSWERED,
    "$flagged": System.FLAGGED,
    "$draft": System.DRAFT,
}
MOST: Final = 100
_WORD: Final = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,255}")


def flags_of(words: Iterable[str]) -> Flags:
    """Raises ValueError for what IMAP cannot carry."""
    system, others = System(0), set[str]()
    for word in words:
        if not _WORD.fullmatch(word):
            raise ValueError(f"{word[:40]!r} is no keyword")
        key = word.lower()
        if key in SYSTEM:
            system |= SYSTEM[key]
        else:
            others.add(key)
    if len(others) > MOST:
        raise ValueError(f"more than {MOST} keywords")
    return Flags(system, frozenset(others))


def words_of(flags: Flags) -> tuple[str, ...]:
    """Lower case, sorted."""
    system = [word for word, flag in SYSTEM.items() if flags.system & flag]
    return tuple(sorted([*system, *(word.lower() for word in flags.keywords)]))
