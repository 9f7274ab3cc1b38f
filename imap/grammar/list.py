"""Parsers of LIST, LSUB and XLIST.

RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 9590.
"""

from collections.abc import Callable, Mapping
from typing import Final

from imap.grammar.command import Command
from imap.grammar.mailbox import status_items
from imap.grammar.mailbox_commands import List, ListReturn, ListSelect, Lsub, StatusItem, Xlist
from imap.grammar.metadata import entries
from imap.grammar.tokens import Cursor

_SELECT: Final = {option.value: option for option in ListSelect}
_RETURN: Final = {option.value: option for option in ListReturn}
# RFC 5258 §3: RECURSIVEMATCH modifies another option, and REMOTE is none that it can modify.
_MODIFIERS: Final = frozenset({ListSelect.RECURSIVEMATCH, ListSelect.REMOTE})


def parse_list(cursor: Cursor) -> List:
    """LIST, old or extended."""
    cursor.space()
    selection = _selection(cursor)
    reference = cursor.decoded(cursor.astring("a reference name"), "a reference name")
    cursor.space()
    patterns, many = _patterns(cursor)
    returns: frozenset[ListReturn] = frozenset()
    status: tuple[StatusItem, ...] = ()
    metadata: tuple[str, ...] = ()
    returning = not cursor.at_end()
    if returning:
        if cursor.word("RETURN or the end of the command") != "RETURN":
            raise cursor.error("expected RETURN or the end of the command behind the pattern")
        cursor.space()
        returns, status, metadata = _returns(cursor)
    extended = selection is not None or many or returning
    return List(
        cursor.frame.tag,
        reference,
        patterns,
        selection or frozenset(),
        returns,
        status,
        extended,
        metadata,
    )


def _plain(kind: Callable[[str, str, str], Command]) -> Callable[[Cursor], Command]:
    """The parser of LSUB and XLIST."""

    def parse(cursor: Cursor) -> Command:
        cursor.space()
        reference = cursor.decoded(cursor.astring("a reference name"), "a reference name")
        cursor.space()
        return kind(cursor.frame.tag, reference, cursor.pattern())

    return parse


def _selection(cursor: Cursor) -> frozenset[ListSelect] | None:
    """The selection options, None when there are no parentheses."""
    if cursor.peek() != b"(":
        return None
    cursor.open("selection options")
    found: set[ListSelect] = set()
    while cursor.more():
        word = cursor.word("a selection option such as SUBSCRIBED")
        if word not in _SELECT:
            raise cursor.error(f"unknown selection option {word}")
        found.add(_SELECT[word])
    if ListSelect.RECURSIVEMATCH in found and found <= _MODIFIERS:
        raise cursor.error("RECURSIVEMATCH needs another selection option such as SUBSCRIBED")
    cursor.space()
    return frozenset(found)


def _patterns(cursor: Cursor) -> tuple[tuple[str, ...], bool]:
    """The patterns, and whether they came as a list."""
    if cursor.peek() != b"(":
        return (cursor.pattern(),), False
    cursor.open("patterns")
    patterns = [cursor.pattern()]
    while cursor.more():
        patterns.append(cursor.pattern())
    return tuple(patterns), True


def _returns(
    cursor: Cursor,
) -> tuple[frozenset[ListReturn], tuple[StatusItem, ...], tuple[str, ...]]:
    """The return options; those with an argument are apart."""
    cursor.open("return options")
    found: set[ListReturn] = set()
    status: tuple[StatusItem, ...] = ()
    metadata: tuple[str, ...] = ()
    while cursor.more():
        word = cursor.word("a return option such as CHILDREN")
        if word == "STATUS":
            cursor.space()
            status = status_items(cursor)
        elif word == "METADATA":
            cursor.space()
            metadata = entries(cursor)
        elif word in _RETURN:
            found.add(_RETURN[word])
        else:
            raise cursor.error(f"unknown return option {word}")
    return frozenset(found), status, metadata


PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {
    "LIST": parse_list,
    "LSUB": _plain(Lsub),
    "XLIST": _plain(Xlist),
}
