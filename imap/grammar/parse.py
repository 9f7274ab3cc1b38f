"""The second of two stages: a whole frame becomes a command, by a table of names.

Each group of commands has a module with its part of the table. Invariant: a frame gives a command
or a ParseError with its tag, and nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Final

from imap.grammar import (
    acl,
    append,
    fetch,
    mailbox,
    metadata,
    notify,
    quota,
    search,
    session,
    sort,
    store,
)
from imap.grammar import list as listing
from imap.grammar.command import Command
from imap.grammar.frame import Frame, ParseError, Rejected
from imap.grammar.tokens import Cursor

_MODULES: Final = (
    acl,
    append,
    fetch,
    listing,
    mailbox,
    metadata,
    notify,
    quota,
    search,
    session,
    sort,
    store,
)
_PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {
    name: parser for module in _MODULES for name, parser in module.PARSERS.items()
}
_WITH_UID: Final = frozenset(
    {"COPY", "EXPUNGE", "FETCH", "MOVE", "REPLACE", "SEARCH", "SORT", "STORE", "THREAD"}
)


def parse(frame: Frame, utf8: bool = False, charsets: bool = True) -> Command:
    """The command of a frame; `utf8` says that mailbox names come in UTF-8, `charsets` that SEARCH
    may name a charset (RFC 9755 §3).
    """
    parser = _PARSERS.get(frame.name)
    if parser is None or (frame.uid and frame.name not in _WITH_UID):
        name = f"UID {frame.name[:40]}" if frame.uid else frame.name[:40]
        raise ParseError(Rejected(frame.tag, f"unknown command {name}"))
    cursor = Cursor(frame, utf8, charsets)
    command = parser(cursor)
    cursor.end()
    return command
