"""The second stage: a Frame becomes a command, or the answer of an exchange of AUTHENTICATE.

Octets in, values out; every way to fail is a ParseError whose text may be sent (RFC 5804 §4).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from imap.managesieve.grammar import command as commands
from imap.managesieve.grammar.command import Command
from imap.managesieve.grammar.frame import Frame

# Atoms are text in upper case, numbers whole numbers, strings octets.
Token: TypeAlias = str | int | bytes

_TOKEN: Final = re.compile(
    rb' *(?:"((?:[^"\\\0\r\n]|\\["\\])*+)"|(\n)|([0-9]{1,20})|([A-Za-z][A-Za-z0-9_.-]*))(?= |\Z)'
)
_ESCAPE: Final = re.compile(rb"\\(.)")
_MAX_NUMBER: Final = 1 << 32


class ParseError(Exception):
    """What came follows no rule; the text says which one was expected."""


def tokens(frame: Frame) -> list[Token]:
    """The words of a line. Raises ParseError."""
    text, at, literals = frame.text.rstrip(b" "), 0, iter(frame.literals)
    found: list[Token] = []
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ParseError(f"Not understood at octet {at + 1}: a word, a number or a string")
        quoted, literal, number, atom = match.groups()
        if quoted is not None:
            found.append(_ESCAPE.sub(rb"\1", quoted))
        elif literal is not None:
            found.append(next(literals))
        elif number is not None:
            found.append(int(number))
        else:
            found.append(atom.decode().upper())
        at = match.end()
    return found


def parse(frame: Frame) -> Command:
    """Raises ParseError."""
    words = tokens(frame)
    if not words or not isinstance(words[0], str):
        raise ParseError("A command was expected")
    known = _TABLE.get(words[0])
    if known is None:
        raise ParseError("There is no such command")
    make, kinds, optional = known
    given = words[1:]
    if not len(kinds) - optional <= len(given) <= len(kinds):
        raise ParseError(f"{words[0]} {_wanted(kinds, optional)}")
    try:
        read = [kind(word) for kind, word in zip(kinds, given, strict=False)]
    except (TypeError, ValueError) as error:
        text = str(error) or _wanted(kinds, optional)
        raise ParseError(f"{words[0]} {text}") from None
    made: Command = make(*read)
    return made


def answer(frame: Frame) -> bytes | None:
    """What the client says in an exchange of AUTHENTICATE: one string; None for anything else."""
    try:
        words = tokens(frame)
    except ParseError:
        return None
    return words[0] if len(words) == 1 and isinstance(words[0], bytes) else None


def _string(word: Token) -> bytes:
    if not isinstance(word, bytes):
        raise TypeError
    return word


def _name(word: Token) -> str:
    try:
        return _string(word).decode()
    except UnicodeDecodeError:
        raise ValueError("takes names in UTF-8") from None


def _number(word: Token) -> int:
    if not isinstance(word, int):
        raise TypeError
    if word > _MAX_NUMBER:
        raise ValueError(f"takes numbers up to {_MAX_NUMBER}")
    return word


_Kind: TypeAlias = Callable[[Token], Any]
_WORDS: Final[dict[_Kind, str]] = {_string: "a string", _name: "a string", _number: "a number"}


def _wanted(kinds: Sequence[_Kind], optional: int) -> str:
    words = [_WORDS[kind] for kind in kinds]
    needed, rest = words[: len(words) - optional], words[len(words) - optional :]
    text = "takes " + (" and ".join(needed) or "nothing")
    return f"{text}, perhaps {' and '.join(rest)}" if rest else text


# Name of the command: what it becomes, its arguments, how many of them may be missing.
_TABLE: Final[dict[str, tuple[Callable[..., Command], tuple[_Kind, ...], int]]] = {
    "AUTHENTICATE": (commands.Authenticate, (_name, _string), 1),
    "STARTTLS": (commands.StartTls, (), 0),
    "LOGOUT": (commands.Logout, (), 0),
    "CAPABILITY": (commands.Capability, (), 0),
    "HAVESPACE": (commands.HaveSpace, (_name, _number), 0),
    "PUTSCRIPT": (commands.PutScript, (_name, _string), 0),
    "LISTSCRIPTS": (commands.ListScripts, (), 0),
    "SETACTIVE": (commands.SetActive, (_name,), 0),
    "GETSCRIPT": (commands.GetScript, (_name,), 0),
    "DELETESCRIPT": (commands.DeleteScript, (_name,), 0),
    "RENAMESCRIPT": (commands.RenameScript, (_name, _name), 0),
    "CHECKSCRIPT": (commands.CheckScript, (_string,), 0),
    "NOOP": (commands.Noop, (_string,), 1),
    "UNAUTHENTICATE": (commands.Unauthenticate, (), 0),
}
