"""What the framer gives out, and its limits.

A Frame is a command, or an answer in an exchange of AUTHENTICATE, cut out of the stream but not
parsed. In `text` each literal is the single byte LF (never legal there otherwise), its value the
next of `literals`.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

LITERAL_MARK: Final = b"\n"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in octets.

    `line` is one line without its literals, `literal` one literal, `command` all of a command,
    `discard` what is thrown away of one command before the connection is given up. A literal with
    which a command has more than `quiet` is announced before it is taken.
    """

    line: int = 16 * 1024
    literal: int = 256 * 1024
    command: int = 288 * 1024
    discard: int = 16 * 1024 * 1024
    quiet: int = 16 * 1024


BEFORE_LOGIN: Final = Limits(literal=16 * 1024, command=32 * 1024, discard=64 * 1024)
AFTER_LOGIN: Final = Limits()


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole line with its literals."""

    text: bytes = field(repr=False)
    literals: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Large:
    """A literal of `size` octets is about to come; Framer.refuse throws it away."""

    size: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A command that is over without being run: `NO (code) text`."""

    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Fatal:
    """The stream cannot be followed any further: say BYE and close. Nothing comes after it."""

    text: str


Event: TypeAlias = Frame | Large | Rejected | Fatal
