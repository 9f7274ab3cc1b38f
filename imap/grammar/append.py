"""Parsers of APPEND and REPLACE, whole or as far as a message that still comes.

RFC 9051 §6.3.12, RFC 3502, RFC 4469 (CATENATE), RFC 8508, and RFC 6855 §4 (`UTF8 (~{n})`, which RFC
9755 took away and Thunderbird still sends).
"""

from collections.abc import Callable, Mapping
from typing import Final

from imap.grammar.command import (
    Append,
    AppendMessage,
    Catenate,
    CatenatePart,
    CatenateText,
    CatenateUrl,
    Command,
    Replace,
)
from imap.grammar.dates import parse_date_time
from imap.grammar.frame import LITERAL_MARK, Frame, LiteralBegin
from imap.grammar.tokens import Cursor
from imap.grammar.values import Flag, Literal

MAX_PARTS: Final = 1000


def parse_append(cursor: Cursor) -> Append:
    """APPEND of one message or more."""
    return _append(cursor, whole=True)


def parse_replace(cursor: Cursor) -> Replace:
    """REPLACE and UID REPLACE, of one message by one."""
    return _replace(cursor, whole=True)


def parse_begun(begin: LiteralBegin, utf8: bool = False) -> Append | Replace:
    """The command up to the message whose literal begins, which comes last.

    So that a mailbox that does not exist or a quota refuses it before it is sent. ParseError when
    the command is wrong so far: `Framer.refuse` then ends it.
    """
    head = begin.head
    literal = Literal(begin.size, None, begin.number, begin.binary)
    frame = Frame(
        head.tag, head.name, head.uid, head.text + LITERAL_MARK, (*head.literals, literal)
    )
    cursor = Cursor(frame, utf8)
    if head.name == "REPLACE":
        return _replace(cursor, whole=False)
    return _append(cursor, whole=False)


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


def _append(cursor: Cursor, *, whole: bool) -> Append:
    cursor.space()
    mailbox = cursor.mailbox()
    messages: list[AppendMessage] = []
    while not messages or not cursor.at_end():
        if not messages:
            cursor.space()
        messages.append(_message(cursor, whole))
    return Append(cursor.frame.tag, mailbox, tuple(messages))


def _replace(cursor: Cursor, *, whole: bool) -> Replace:
    cursor.space()
    sequence = cursor.sequence()
    ((low, high), *more) = sequence.ranges
    if more or low != high:
        raise cursor.error("expected the number of one message")
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    frame = cursor.frame
    return Replace(frame.tag, frame.uid, sequence, mailbox, _message(cursor, whole))


def _message(cursor: Cursor, whole: bool) -> AppendMessage:
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
        return AppendMessage(_catenate(cursor, whole), flags, date)
    if word == "UTF8":
        return AppendMessage(_utf8(cursor, whole), flags, date, utf8=True)
    return AppendMessage(cursor.literal("a message as a literal"), flags, date)


def _catenate(cursor: Cursor, whole: bool) -> Catenate:
    cursor.word("CATENATE")
    cursor.space()
    cursor.open("parts such as TEXT or URL")
    parts = [_part(cursor, whole)]
    while not _over(cursor, whole):
        if len(parts) == MAX_PARTS:
            raise cursor.error(f"more than {MAX_PARTS} parts of a message")
        parts.append(_part(cursor, whole))
    return Catenate(tuple(parts))


def _over(cursor: Cursor, whole: bool) -> bool:
    """Whether the list of parts ends here; while a part comes, its text has not come yet."""
    return not cursor.more() if whole or cursor.peek() else True


def _part(cursor: Cursor, whole: bool) -> CatenatePart:
    word = cursor.next_word()
    if word == "UTF8":
        return CatenateText(_utf8(cursor, whole), utf8=True)
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


def _utf8(cursor: Cursor, whole: bool) -> Literal:
    """`UTF8 (~{n})`."""
    cursor.word("UTF8")
    cursor.space()
    cursor.open("a literal8")
    literal = cursor.literal("a message as a literal8")
    if not literal.binary:
        raise cursor.error("expected a literal8 (~{n}) behind UTF8")
    if whole or cursor.peek():
        cursor.skip_spaces()
        cursor.expect(b")")
    return literal


PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {
    "APPEND": parse_append,
    "REPLACE": parse_replace,
}
