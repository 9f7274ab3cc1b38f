"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS: values, parsers, responses (RFC 4314 §3, §7).

Identifiers and rights are text as it came: what they mean, and whether they mean anything, is asked
by the handlers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from imap.grammar.encode import astring, mailbox
from imap.grammar.tokens import Cursor


@dataclass(frozen=True, slots=True)
class SetAcl:
    """SETACL (RFC 4314 §3.1); `sign` is "+", "-" or "" for rights that replace."""

    tag: str
    mailbox: str
    identifier: str
    sign: str
    rights: str


@dataclass(frozen=True, slots=True)
class DeleteAcl:
    """DELETEACL (RFC 4314 §3.2)."""

    tag: str
    mailbox: str
    identifier: str


@dataclass(frozen=True, slots=True)
class GetAcl:
    """GETACL (RFC 4314 §3.3)."""

    tag: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class ListRights:
    """LISTRIGHTS (RFC 4314 §3.4)."""

    tag: str
    mailbox: str
    identifier: str


@dataclass(frozen=True, slots=True)
class MyRights:
    """MYRIGHTS (RFC 4314 §3.5)."""

    tag: str
    mailbox: str


AclCommand: TypeAlias = SetAcl | DeleteAcl | GetAcl | ListRights | MyRights


def acl_line(name: str, entries: Iterable[tuple[str, str]], utf8: bool = False) -> bytes:
    """ACL with pairs of identifier and rights (RFC 4314 §3.6)."""
    words = [b" %s %s" % (_text(identifier), _text(rights)) for identifier, rights in entries]
    return b"* ACL %s%s\r\n" % (mailbox(name, utf8), b"".join(words))


def listrights_line(
    name: str, identifier: str, required: str, optional: Iterable[str], utf8: bool = False
) -> bytes:
    """LISTRIGHTS; each string of `optional` is granted as a whole (RFC 4314 §3.7)."""
    words = [_text(identifier), _text(required), *[_text(rights) for rights in optional]]
    return b"* LISTRIGHTS %s %s\r\n" % (mailbox(name, utf8), b" ".join(words))


def myrights_line(name: str, rights: str, utf8: bool = False) -> bytes:
    """MYRIGHTS (RFC 4314 §3.8)."""
    return b"* MYRIGHTS %s %s\r\n" % (mailbox(name, utf8), _text(rights))


def parse_setacl(cursor: Cursor) -> SetAcl:
    """SETACL."""
    name, identifier = _named(cursor)
    cursor.space()
    rights = _utf8(cursor, cursor.astring("rights such as lrs"), "rights such as lrs")
    sign = rights[:1] if rights[:1] in ("+", "-") else ""
    return SetAcl(cursor.frame.tag, name, identifier, sign, rights.removeprefix(sign))


def parse_deleteacl(cursor: Cursor) -> DeleteAcl:
    """DELETEACL."""
    return DeleteAcl(cursor.frame.tag, *_named(cursor))


def parse_getacl(cursor: Cursor) -> GetAcl:
    """GETACL."""
    cursor.space()
    return GetAcl(cursor.frame.tag, cursor.mailbox())


def parse_listrights(cursor: Cursor) -> ListRights:
    """LISTRIGHTS."""
    return ListRights(cursor.frame.tag, *_named(cursor))


def parse_myrights(cursor: Cursor) -> MyRights:
    """MYRIGHTS."""
    cursor.space()
    return MyRights(cursor.frame.tag, cursor.mailbox())


def _named(cursor: Cursor) -> tuple[str, str]:
    """A mailbox and an identifier."""
    cursor.space()
    name = cursor.mailbox()
    cursor.space()
    return name, _utf8(cursor, cursor.astring("an identifier"), "an identifier in UTF-8")


def _utf8(cursor: Cursor, octets: bytes, what: str) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise cursor.error(f"expected {what}") from None


def _text(text: str) -> bytes:
    return astring(text.encode("utf-8", "replace"))


PARSERS: Final[Mapping[str, Callable[[Cursor], AclCommand]]] = {
    "DELETEACL": parse_deleteacl,
    "GETACL": parse_getacl,
    "LISTRIGHTS": parse_listrights,
    "MYRIGHTS": parse_myrights,
    "SETACL": parse_setacl,
}
