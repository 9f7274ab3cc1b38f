"""Parsers of the commands that name a mailbox (RFC 9051 §6.3; RFC 6154 §3; RFC 7162 §3.1.8).

Not LIST and LSUB, which name patterns, nor APPEND.
"""

from collections.abc import Callable, Mapping
from typing import Final

from imap.grammar.command import Command
from imap.grammar.mailbox_commands import (
    Create,
    Delete,
    Rename,
    Select,
    Status,
    StatusItem,
    Subscribe,
    Unsubscribe,
)
from imap.grammar.resync import Resync, parse_resync
from imap.grammar.tokens import Cursor

SPECIAL_USE: Final = (
    "\\All",
    "\\Archive",
    "\\Drafts",
    "\\Flagged",
    "\\Important",
    "\\Junk",
    "\\Sent",
    "\\Trash",
)
_CANONICAL: Final = {name.lower(): name for name in SPECIAL_USE}
_STATUS_ITEMS: Final = {item.value: item for item in StatusItem}


def parse_select(cursor: Cursor) -> Select:
    """SELECT and EXAMINE, with the parameters CONDSTORE and QRESYNC."""
    cursor.space()
    mailbox, condstore = cursor.mailbox(), False
    resync: Resync | None = None
    if not cursor.at_end():
        cursor.open("parameters such as CONDSTORE")
        while cursor.more():
            word = cursor.word("the parameter CONDSTORE or QRESYNC")
            if word == "CONDSTORE":
                condstore = True
            elif word == "QRESYNC" and resync is None:
                resync = parse_resync(cursor)
            else:
                raise cursor.error("the parameters known are CONDSTORE and QRESYNC, each once")
    return Select(cursor.frame.tag, mailbox, cursor.frame.name == "EXAMINE", condstore, resync)


def parse_create(cursor: Cursor) -> Create:
    """CREATE, with `(USE (attributes))`; attributes of RFC 6154 come in their usual case."""
    cursor.space()
    mailbox, use = cursor.mailbox(), list[str]()
    if not cursor.at_end():
        cursor.open("the parameter USE")
        if cursor.word("the parameter USE") != "USE":
            raise cursor.error("the only parameter known is USE")
        cursor.space()
        cursor.open("attributes such as \\Drafts")
        while cursor.more():
            cursor.expect(b"\\", "an attribute such as \\Drafts")
            attribute = "\\" + cursor.atom("an attribute such as \\Drafts")
            use.append(_CANONICAL.get(attribute.lower(), attribute))
        cursor.skip_spaces()
        cursor.expect(b")")
    return Create(cursor.frame.tag, mailbox, tuple(use))


def parse_rename(cursor: Cursor) -> Rename:
    """RENAME."""
    cursor.space()
    source = cursor.mailbox("the present name of a mailbox")
    cursor.space()
    return Rename(cursor.frame.tag, source, cursor.mailbox("the name it is to have"))


def parse_status(cursor: Cursor) -> Status:
    """STATUS."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    return Status(cursor.frame.tag, mailbox, status_items(cursor))


def status_items(cursor: Cursor) -> tuple[StatusItem, ...]:
    """The items of STATUS and of LIST's RETURN (STATUS ...), at least one."""
    cursor.open("items such as MESSAGES")
    items: list[StatusItem] = []
    while not items or cursor.more():
        word = cursor.word("an item of STATUS such as MESSAGES")
        if word not in _STATUS_ITEMS:
            raise cursor.error(f"unknown item of STATUS {word}")
        items.append(_STATUS_ITEMS[word])
    return tuple(dict.fromkeys(items))


def _named(kind: Callable[[str, str], Command]) -> Callable[[Cursor], Command]:
    """The parser of a command whose only argument is a mailbox."""

    def parse(cursor: Cursor) -> Command:
        cursor.space()
        return kind(cursor.frame.tag, cursor.mailbox())

    return parse


PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {
    "CREATE": parse_create,
    "DELETE": _named(Delete),
    "EXAMINE": parse_select,
    "RENAME": parse_rename,
    "SELECT": parse_select,
    "STATUS": parse_status,
    "SUBSCRIBE": _named(Subscribe),
    "UNSUBSCRIBE": _named(Unsubscribe),
}
