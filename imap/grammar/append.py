"""Parser of APPEND (RFC 9051 §6.3.12; RFC 3502), whole or as far as a message that still comes."""

from collections.abc import Callable, Mapping
from typing import Final

from imap.grammar.command import Append, AppendMessage, Command
from imap.grammar.dates import parse_date_time
from imap.grammar.frame import LITERAL_MARK, Frame, LiteralBegin
from imap.grammar.tokens import Cursor
from imap.grammar.values import Flag, Literal


def parse_append(cursor: Cursor) -> Append:
    """APPEND of one message or more."""
    cursor.space()
    mailbox = cursor.mailbox()
    messages: list[AppendMessage] = []
    while not messages or not cursor.at_end():
        if not messages:
            cursor.space()
        messages.append(_message(cursor))
    return Append(cursor.frame.tag, mailbox, tuple(messages))


def parse_begun(begin: LiteralBegin, utf8: bool = False) -> Append:
    """The command up to the message whose literal begins, which comes last in `messages`.

    So that a mailbox that does not exist or a quota refuses it before it is sent. ParseError when
    the command is wrong so far: `Framer.refuse` then ends it.
    """
    head = begin.head
    literal = Literal(begin.size, None, begin.number, begin.binary)
    frame = Frame(
        head.tag, head.name, head.uid, head.text + LITERAL_MARK, (*head.literals, literal)
    )
    return parse_append(Cursor(frame, utf8))


def _message(cursor: Cursor) -> AppendMessage:
    flags: tuple[Flag, ...] = ()
    if cursor.peek() == b"(":
        flags = cursor.flag_list()
        cursor.space()
    date = None
    if cursor.peek() == b'"':
        date = parse_date_time(cursor)
        cursor.space()
    return AppendMessage(cursor.literal("a message as a literal"), flags, date)


PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {"APPEND": parse_append}
