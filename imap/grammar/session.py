"""Parsers of the commands about the session itself.

RFC 9051 §6.1, §6.2, §6.3.1; RFC 2971; RFC 4978. Also those of the selected state that take no
arguments. Passwords stay out of every error text.
"""

from binascii import Error, a2b_base64
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from imap.grammar.command import Command
from imap.grammar.mailbox_commands import Namespace
from imap.grammar.message_commands import Check, Close, Idle, Unselect
from imap.grammar.session_commands import (
    Authenticate,
    Capability,
    Compress,
    Enable,
    GetJmapAccess,
    Id,
    Login,
    Logout,
    Noop,
    StartTls,
    Unauthenticate,
)
from imap.grammar.tokens import Cursor

Parser: TypeAlias = Callable[[Cursor], Command]


def parse_authenticate(cursor: Cursor) -> Authenticate:
    """AUTHENTICATE; the initial response is base64, "=" an empty one (RFC 4959)."""
    cursor.space()
    mechanism = cursor.word("the name of a mechanism")
    if cursor.at_end():
        return Authenticate(cursor.frame.tag, mechanism)
    # Base64 may hold "/", "+" and "=", all of which are characters of an atom.
    initial = cursor.atom("an initial response in base64")
    try:
        octets = b"" if initial == "=" else a2b_base64(initial, strict_mode=True)
    except Error:
        raise cursor.error("expected an initial response in base64") from None
    return Authenticate(cursor.frame.tag, mechanism, octets)


def parse_compress(cursor: Cursor) -> Compress:
    """COMPRESS."""
    cursor.space()
    return Compress(cursor.frame.tag, cursor.word("the name of a mechanism such as DEFLATE"))


def parse_login(cursor: Cursor) -> Login:
    """LOGIN."""
    cursor.space()
    user = cursor.astring("a user name")
    cursor.space()
    return Login(cursor.frame.tag, _text(user), _text(cursor.astring("a password")))


def parse_enable(cursor: Cursor) -> Enable:
    """ENABLE."""
    names: list[str] = []
    while not names or not cursor.at_end():
        if not names:
            cursor.space()
        names.append(cursor.word("the name of a capability"))
    return Enable(cursor.frame.tag, tuple(names))


def parse_id(cursor: Cursor) -> Id:
    """ID with pairs in parentheses, or NIL."""
    cursor.space()
    if cursor.next_word() == "NIL":
        cursor.word("NIL")
        return Id(cursor.frame.tag, None)
    cursor.open("pairs of name and value, or NIL")
    pairs: list[tuple[str, str | None]] = []
    while cursor.more():
        name = cursor.string("the name of a value as a string")
        cursor.space()
        value = cursor.nstring("the value as a string, or NIL")
        pairs.append((_text(name), None if value is None else _text(value)))
    return Id(cursor.frame.tag, tuple(pairs))


def _text(octets: bytes) -> str:
    """What people type: UTF-8, and what cannot be that as ISO 8859-1."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _bare(kind: Callable[[str], Command]) -> Parser:
    """The parser of a command without arguments."""
    return lambda cursor: kind(cursor.frame.tag)


PARSERS: Final[Mapping[str, Parser]] = {
    "AUTHENTICATE": parse_authenticate,
    "CAPABILITY": _bare(Capability),
    "CHECK": _bare(Check),
    "CLOSE": _bare(Close),
    "COMPRESS": parse_compress,
    "ENABLE": parse_enable,
    "ID": parse_id,
    "IDLE": _bare(Idle),
    "LOGIN": parse_login,
    "LOGOUT": _bare(Logout),
    "NAMESPACE": _bare(Namespace),
    "NOOP": _bare(Noop),
    "STARTTLS": _bare(StartTls),
    "UNAUTHENTICATE": _bare(Unauthenticate),
    "GETJMAPACCESS": _bare(GetJmapAccess),
    "UNSELECT": _bare(Unselect),
}
