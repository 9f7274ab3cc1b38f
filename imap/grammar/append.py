"""Parsers of APPEND and REPLACE, and of what is known while a message still comes.

RFC 9051 §6.3.12, RFC 3502, RFC 4469 (CATENATE), RFC 8508, and RFC 6855 §4 (`UTF8 (~{n})`, which RFC
9755 took away and Thunderbird still sends).
"""

from collections.abc import Callable, Mapping
from typing import Final

from imap.grammar.append_commands import (
    Append,
    AppendMessage,
    Catenate,
    CatenatePart,
    CatenateText,
    CatenateUrl,
    Replace,
)
from imap.grammar.command import Command
from imap.grammar.dates import parse_date_time
from imap.grammar.frame import Frame, LiteralBegin
from imap.grammar.tokens import Cursor
from imap.grammar.values import Flag, Literal

MAX_PARTS: Final = 1000


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


def parse_replace(cursor: Cursor) -> Replace:
    """REPLACE and UID REPLACE, of one message by one."""
    cursor.space()
    sequence = cursor.sequence()
    ((low, high), *more) = sequence.ranges
    if more or low != high:
        raise cursor.error("expected the number of one message")
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    frame = cursor.frame
    return Replace(frame.tag, frame.uid, sequence, mailbox, _message(cursor))


def catenated(begin: LiteralBegin) -> bool:
    """Whether the literal that begins is a TEXT of CATENATE."""
    return begin.head.text[-10:].upper().rstrip(b" ").endswith((b" TEXT", b"(TEXT"))


def target_of(begin: LiteralBegin, utf8: bool = False) -> str:
    """The mailbox that an APPEND or REPLACE names whose literal begins. Raises ParseError."""
    head = begin.head
    cursor = Cursor(Frame(head.tag, head.name, head.uid, head.text, head.literals), utf8)
    cursor.space()
    if head.name == "REPLACE":
        cursor.sequence()
        cursor.space()
    return cursor.mailbox()


def _message(cursor: Cursor) -> AppendMessage:
    flags: tuple[Flag, ...] = ()
    if cursor.peek() == b"(":
        flags = cursor.flag_list()
        cursor.space()
    date = None
    if cursor.peek() == b'"':
        date = parse_date_time(cursor)
        cursor.space()
    word = cursor.next_word()
    if word == "CATENATE":
        return AppendMessage(_catenate(cursor), flags, date)
    if word == "UTF8":
        return AppendMessage(_utf8(cursor), flags, date, utf8=True)
    return AppendMessage(cursor.literal("a message as a literal"), flags, date)


def _catenate(cursor: Cursor) -> Catenate:
    cursor.word("CATENATE")
    cursor.space()
    cursor.open("parts such as TEXT or URL")
    parts = [_part(cursor)]
    while cursor.more():
        if len(parts) == MAX_PARTS:
            raise cursor.error(f"more than {MAX_PARTS} parts of a message")
        parts.append(_part(cursor))
    return Catenate(tuple(parts))


def _part(cursor: Cursor) -> CatenatePart:
    word = cursor.next_word()
    if word == "UTF8":
        return CatenateText(_utf8(cursor), utf8=True)
    if word not in ("TEXT", "URL"):
        cursor.fail("TEXT or URL")
    cursor.word(word)
    cursor.space()
    if word == "TEXT":
        return CatenateText(cursor.literal("a text as a literal"))
    url = cursor.astring("an IMAP URL")
    try:
        return CatenateUrl(url.decode("utf-8"))
    except UnicodeDecodeError:
        raise cursor.error("expected an IMAP URL in US-ASCII") from None


def _utf8(cursor: Cursor) -> Literal:
    """`UTF8 (~{n})`."""
    cursor.word("UTF8")
    cursor.space()
    cursor.open("a literal8")
    literal = cursor.literal("a message as a literal8")
    if not literal.binary:
        raise cursor.error("expected a literal8 (~{n}) behind UTF8")
    cursor.skip_spaces()
    cursor.expect(b")")
    return literal


PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {
    "APPEND": parse_append,
    "REPLACE": parse_replace,
}
