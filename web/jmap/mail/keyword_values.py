"""Keywords of an Email as flags of IMAP, and which of them rights allow (RFC 8621 §4.1.1). Pure."""

import re
from typing import Any, Final

from auth.rights import Rights
from storage.values import Flags, Settable, System
from web.jmap.errors import SetError, invalid_properties
from web.jmap.mail.email import KEYWORDS

MAX_KEYWORDS: Final = 100
_WORD: Final = re.compile(r"[!-~]{1,255}")
_NOT_IN_IMAP: Final = frozenset('(){]%*"\\')
_SYSTEM: Final = {name: flag for flag, name in KEYWORDS.items()}


def flags_of(wanted: Any) -> Flags:
    """Keywords that IMAP can carry. Raises SetError."""
    if not isinstance(wanted, dict) or not all(one is True for one in wanted.values()):
        raise invalid_properties("an object of keywords, each true, is needed", "keywords")
    if len(wanted) > MAX_KEYWORDS:
        raise SetError("tooManyKeywords")
    system, words = System(0), set[str]()
    for word in wanted:
        if not _WORD.fullmatch(word) or not _NOT_IN_IMAP.isdisjoint(word):
            raise invalid_properties("no keyword that IMAP can carry", "keywords")
        if (flag := _SYSTEM.get(word.lower())) is not None:
            system |= flag
        else:
            words.add(word.lower())
    return Flags(system, frozenset(words))


def settable(rights: Rights) -> Settable:
    """The flags that these rights allow (RFC 4314 §4), without \\Deleted."""
    system = System.SEEN if "s" in rights else System(0)
    if "w" in rights:
        system |= System.ANSWERED | System.FLAGGED | System.DRAFT
    return Settable(system, keywords="w" in rights)
