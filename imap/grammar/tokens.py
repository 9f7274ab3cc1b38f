"""The tokens of a framed command: a cursor that every parser moves through the text.

Liberal in spacing only: one space may be several, and spaces may stand inside parentheses and at
the end. Invariant: whatever is wrong becomes a ParseError that says what was expected and where;
arguments of LOGIN and AUTHENTICATE are never quoted in it.
"""

import re
from typing import Final, NoReturn

from imap.grammar import utf7
from imap.grammar.frame import Frame, ParseError, Rejected, Status
from imap.grammar.values import (
    SAVED,
    STAR,
    Flag,
    Literal,
    SequenceSet,
    canonical_flag,
    canonical_mailbox,
)

MAX_NUMBER: Final = (1 << 32) - 1
MAX_NUMBER64: Final = (1 << 63) - 1

_ATOM_CHARS: Final = rb"!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~"
_SPACES: Final = re.compile(rb" +")
_MAYBE_SPACES: Final = re.compile(rb" *")
_ATOM: Final = re.compile(rb"[" + _ATOM_CHARS + rb"]+")
_ASTRING: Final = re.compile(rb"[" + _ATOM_CHARS + rb"\]]+")
_LIST_ATOM: Final = re.compile(rb"[" + _ATOM_CHARS + rb"\]%*]+")
_QUOTED: Final = re.compile(rb'"([^"\\\n]*(?:\\["\\][^"\\\n]*)*)"')
_ESCAPE: Final = re.compile(rb"\\(.)")
_NUMBER: Final = re.compile(rb"[0-9]{1,20}")
_FLAG: Final = re.compile(rb"\\?[" + _ATOM_CHARS + rb"]+")
_FLAGS: Final = re.compile(rb"\(( *(?:\\?[" + _ATOM_CHARS + rb"]+(?: +|(?=\))))*)\)")
_SET: Final = re.compile(rb"[0-9*][0-9*:,]*")
_SECRET: Final = frozenset({"LOGIN", "AUTHENTICATE"})
_SHOWN: Final = 20


class Cursor:
    """A position in a frame. Each method takes a token and moves on, or raises ParseError."""

    __slots__ = ("_literal", "charsets", "frame", "position", "text", "utf8")

    def __init__(self, frame: Frame, utf8: bool = False, charsets: bool = True) -> None:
        self.frame = frame
        self.text = frame.text
        self.position = 0
        self.utf8, self.charsets = utf8, charsets
        self._literal = 0

    # Errors.

    def fail(self, expected: str) -> NoReturn:
        """Raise for the present position: `expected` names what should stand there."""
        raise self.error(f"expected {expected} {self._where()}")

    def error(self, text: str, code: str | None = None, status: Status = Status.BAD) -> ParseError:
        """The error with a text of its own."""
        prefix = "UID " if self.frame.uid else ""
        full = f"{prefix}{self.frame.name}: {text}"
        return ParseError(Rejected(self.frame.tag, full, code, status))

    def _where(self) -> str:
        rest = self.text[self.position : self.position + _SHOWN]
        if not rest:
            return "at the end"
        place = f"at octet {self.position + 1} of the arguments"
        if self.frame.name in _SECRET:
            return place
        if rest.startswith(b"\n"):
            return f"{place}, found a literal"
        shown = rest.partition(b"\n")[0].decode("ascii", "replace").replace("\ufffd", "?")
        return f"{place}, found {shown!r}"

    # Spaces and single characters.

    def space(self) -> None:
        """One space or more."""
        found = _SPACES.match(self.text, self.position)
        if found is None:
            self.fail("a space")
        self.position = found.end()

    def skip_spaces(self) -> None:
        """Any spaces there are."""
        if self.text[self.position : self.position + 1] == b" ":
            self.position = _MAYBE_SPACES.match(self.text, self.position).end()  # type: ignore[union-attr]

    def peek(self) -> bytes:
        """The next octet, empty at the end."""
        return self.text[self.position : self.position + 1]

    def accept(self, token: bytes) -> bool:
        """Take the token if it stands here; case matters."""
        if self.text.startswith(token, self.position):
            self.position += len(token)
            return True
        return False

    def expect(self, token: bytes, what: str | None = None) -> None:
        """Take the token, which must stand here."""
        if not self.accept(token):
            self.fail(what or f'"{token.decode()}"')

    def open(self, what: str) -> None:
        """An opening parenthesis and spaces behind it."""
        self.expect(b"(", f"( before {what}")
        self.skip_spaces()

    def more(self) -> bool:
        """Between the members of a list: whether another follows; takes the parenthesis if not."""
        self.skip_spaces()
        return not self.accept(b")")

    def at_end(self) -> bool:
        """Whether nothing but spaces is left."""
        self.skip_spaces()
        return self.position == len(self.text)

    def end(self) -> None:
        """The end of the command; spaces before CRLF are let pass."""
        if not self.at_end():
            self.fail("the end of the command")

    # Words and numbers.

    def atom(self, what: str) -> str:
        """An atom, as it was written."""
        return self._match(_ATOM, what).decode("ascii")

    def word(self, what: str) -> str:
        """An atom in upper case."""
        return self._match(_ATOM, what).upper().decode("ascii")

    def next_word(self) -> str:
        """The atom that stands here in upper case, not taken; "" if there is none."""
        found = _ATOM.match(self.text, self.position)
        return "" if found is None else found[0].upper().decode("ascii")

    def number(self, what: str, largest: int = MAX_NUMBER, smallest: int = 0) -> int:
        """A number within its bounds."""
        start = self.position
        value = int(self._match(_NUMBER, what))
        if not smallest <= value <= largest:
            self.position = start
            self.fail(f"{what} between {smallest} and {largest}")
        return value

    def match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        """What the pattern finds here."""
        found = pattern.match(self.text, self.position)
        if found is None:
            self.fail(what)
        self.position = found.end()
        return found

    def _match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        found = pattern.match(self.text, self.position)
        if found is None:
            self.fail(what)
        self.position = found.end()
        return found[0]

    # Strings.

    def literal(self, what: str) -> Literal:
        """A literal, streamed or not."""
        self.expect(b"\n", what)
        self._literal += 1
        return self.frame.literals[self._literal - 1]

    def string(self, what: str) -> bytes:
        """A quoted string or a literal."""
        if self.peek() == b"\n":
            return self._literal_data(what)
        value = self.match(_QUOTED, what)[1]
        return _ESCAPE.sub(rb"\1", value) if b"\\" in value else value

    def astring(self, what: str) -> bytes:
        """An atom, in which "]" may stand, a quoted string or a literal."""
        found = _ASTRING.match(self.text, self.position)
        if found is None:
            return self.string(what)
        self.position = found.end()
        return found[0]

    def nstring(self, what: str) -> bytes | None:
        """A string or NIL."""
        if self.next_word() == "NIL":
            self.position += 3
            return None
        return self.string(what)

    def _literal_data(self, what: str) -> bytes:
        literal = self.literal(what)
        if literal.data is None or literal.binary:
            raise self.error(f"expected {what}, found a literal for messages")
        return literal.data

    # Mailboxes.

    def mailbox(self, what: str = "a mailbox name") -> str:
        """A mailbox name, decoded; INBOX in upper case."""
        return canonical_mailbox(self.decoded(self.astring(what), what))

    def pattern(self, what: str = "a mailbox pattern") -> str:
        """A name with % and *, decoded (list-mailbox of RFC 9051 §9)."""
        found = _LIST_ATOM.match(self.text, self.position)
        if found is None:
            return canonical_mailbox(self.decoded(self.string(what), what))
        self.position = found.end()
        return canonical_mailbox(self.decoded(found[0], what))

    def decoded(self, octets: bytes, what: str) -> str:
        """A name out of modified UTF-7, or out of UTF-8 in that mode."""
        try:
            return octets.decode("utf-8") if self.utf8 else utf7.decode(octets)
        except UnicodeDecodeError:
            raise self.error(f"expected {what} in modified UTF-7 or UTF-8") from None

    # Sets and flags.

    def sequence(self) -> SequenceSet:
        """A set of numbers such as 1:4,7,9:*, or `$` (RFC 9051 §9)."""
        if self.accept(b"$"):
            return SAVED
        found = _SET.match(self.text, self.position)
        if found is None:
            self.fail("a set of message numbers such as 1:4,7")
        try:
            ranges = tuple([_range(part) for part in found[0].split(b",")])
        except ValueError:
            self.fail("a set of numbers from 1 to 4294967295 such as 1:4,7")
        self.position = found.end()
        return SequenceSet(ranges)

    def flag(self, what: str = "a flag") -> Flag:
        """One flag, system flags in their usual case."""
        return canonical_flag(self._match(_FLAG, what).decode("ascii"))

    def flag_list(self) -> tuple[Flag, ...]:
        """Flags in parentheses, perhaps none."""
        found = _FLAGS.match(self.text, self.position)
        if found is None:
            self.fail("a list of flags in parentheses")
        self.position = found.end()
        return tuple([canonical_flag(flag) for flag in found[1].decode("ascii").split()])


def _range(part: bytes) -> tuple[int, int]:
    """One member of a set; ValueError if it is none."""
    first, colon, second = part.partition(b":")
    low = _end(first)
    high = _end(second) if colon else low
    return (low, high) if low <= high else (high, low)


def _end(octets: bytes) -> int:
    if octets == b"*":
        return STAR
    number = int(octets)
    if not 0 < number <= MAX_NUMBER:
        raise ValueError(octets)
    return number
