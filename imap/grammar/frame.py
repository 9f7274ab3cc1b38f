"""What the framer gives out: whole commands and the events on the way to them, and its limits.

A Frame is a command cut out of the stream but not parsed. In `text` each literal is the single byte
LF (never legal there otherwise), its value the next of `literals`.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from imap.grammar.values import Literal

LITERAL_MARK: Final = b"\n"


class Status(Enum):
    """The word that answers a refused command."""

    NO = "NO"
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in octets.

    `line` is one line of text without its literals, `literal` one literal held in memory, `command`
    all text and memory of one command. `append` bounds a streamed message (None: nothing is
    streamed), `discard` what is thrown away of one command before the connection is given up.
    """

    line: int = 64 * 1024
    literal: int = 64 * 1024
    command: int = 1024 * 1024
    append: int | None = 64 * 1024 * 1024
    discard: int = 256 * 1024 * 1024


# Room for an initial response of 12,288 octets (auth/sasl/exchange.py).
BEFORE_LOGIN: Final = Limits(16 * 1024, 8 * 1024, 16 * 1024, None, 64 * 1024)
AFTER_LOGIN: Final = Limits()


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole command: `name` in upper case without the UID prefix, `text` what follows it."""

    tag: str
    name: str
    uid: bool
    text: bytes = field(repr=False)
    literals: tuple[Literal, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A command that is over without being run: to be answered `tag status [code] text`.

    `tag` None means that none could be read; the answer is untagged. What was streamed of the
    command is to be thrown away, with `forgets_result` the saved result of SEARCH too (RFC 5182
    §2.1).
    """

    tag: str | None
    text: str
    code: str | None = None
    status: Status = Status.BAD
    forgets_result: bool = False


@dataclass(frozen=True, slots=True)
class Continuation:
    """The client waits for `+` before it sends a literal."""


@dataclass(frozen=True, slots=True)
class LiteralBegin:
    """A message literal is about to be streamed; `head` is the command so far.

    Whoever does not want it calls `Framer.refuse` before taking the next event.
    """

    number: int
    size: int
    binary: bool
    head: Frame


@dataclass(frozen=True, slots=True)
class LiteralData:
    """Some octets of the literal being streamed, never empty."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LiteralEnd:
    """The streamed literal is complete."""

    number: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was asked for by `Framer.expect_line`, without its CRLF."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fatal:
    """The stream cannot be followed any further: say BYE and close. Nothing comes after it."""

    text: str


Event: TypeAlias = (
    Frame | Rejected | Continuation | LiteralBegin | LiteralData | LiteralEnd | Line | Fatal
)


class ParseError(Exception):
    """A command that does not follow the grammar; `rejected` is the answer it gets."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.text)
        self.rejected = rejected

    @property
    def tag(self) -> str | None:
        """The tag of the command, None when it could not be read."""
        return self.rejected.tag

    @property
    def text(self) -> str:
        """What was expected, and where."""
        return self.rejected.text
