"""Parsers of STORE, COPY, MOVE and EXPUNGE (RFC 9051 §6.4.3, §6.4.6 to §6.4.9; RFC 7162 §3.1.3)."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from imap.grammar.command import Command
from imap.grammar.gmail import StoreLabels, parse_labels
from imap.grammar.message_commands import Copy, Expunge, Move, Store, StoreMode
from imap.grammar.tokens import MAX_NUMBER64, Cursor
from imap.grammar.values import Flag

_MODE: Final = re.compile(rb"([+-]?)(FLAGS|X-GM-LABELS)(\.SILENT)?(?= |$)", re.IGNORECASE)
_MODES: Final = {mode.value.encode(): mode for mode in StoreMode}


def parse_store(cursor: Cursor) -> Store | StoreLabels:
    """STORE and UID STORE, of flags or of Gmail's labels."""
    cursor.space()
    sequence = cursor.sequence()
    cursor.space()
    since = None
    if cursor.peek() == b"(":
        since = _unchanged_since(cursor)
        cursor.space()
    mode = cursor.match(_MODE, "FLAGS, +FLAGS or -FLAGS, with .SILENT or without")
    cursor.space()
    tag, uid, silent = cursor.frame.tag, cursor.frame.uid, mode[3] is not None
    if mode[2].upper() != b"FLAGS":
        if since is not None:
            raise cursor.error("labels have no UNCHANGEDSINCE")
        return StoreLabels(tag, uid, sequence, mode[1].decode(), parse_labels(cursor), silent)
    return Store(tag, uid, sequence, _MODES[mode[1]], _flags(cursor), silent, since)


def _unchanged_since(cursor: Cursor) -> int:
    cursor.open("the modifier UNCHANGEDSINCE")
    if cursor.word("the modifier UNCHANGEDSINCE") != "UNCHANGEDSINCE":
        raise cursor.error("the only modifier known is UNCHANGEDSINCE")
    cursor.space()
    since = cursor.number("a modseq", MAX_NUMBER64)
    cursor.skip_spaces()
    cursor.expect(b")")
    return since


def _flags(cursor: Cursor) -> tuple[Flag, ...]:
    """Flags in parentheses, or bare and at least one."""
    if cursor.peek() == b"(":
        return cursor.flag_list()
    flags = [cursor.flag()]
    while not cursor.at_end():
        flags.append(cursor.flag())
    return tuple(flags)


def parse_copy(cursor: Cursor) -> Copy | Move:
    """COPY and MOVE, with UID or without."""
    cursor.space()
    sequence = cursor.sequence()
    cursor.space()
    kind = Move if cursor.frame.name == "MOVE" else Copy
    return kind(cursor.frame.tag, cursor.frame.uid, sequence, cursor.mailbox())


def parse_expunge(cursor: Cursor) -> Expunge:
    """EXPUNGE, which takes nothing, and UID EXPUNGE, which takes a set (RFC 4315 §2.1)."""
    if not cursor.frame.uid:
        return Expunge(cursor.frame.tag)
    cursor.space()
    return Expunge(cursor.frame.tag, True, cursor.sequence())


PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {
    "COPY": parse_copy,
    "EXPUNGE": parse_expunge,
    "MOVE": parse_copy,
    "STORE": parse_store,
}
