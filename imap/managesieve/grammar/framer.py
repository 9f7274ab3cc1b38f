"""The first of two stages: cuts the octets of a connection into lines with their literals.

Knows lines and literal marks and nothing else, so that no syntax error can put it out of step.
Invariants: work is linear in the octets received, memory is bounded by Limits, and any division of
the same octets gives the same events. Only CRLF ends a line; bare CR, bare LF and NUL outside of
literals are refused (RFC 5804 §4).
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from imap.grammar.line_buffer import LineBuffer
from imap.managesieve.grammar.frame import (
    BEFORE_LOGIN,
    LITERAL_MARK,
    Event,
    Fatal,
    Frame,
    Large,
    Limits,
    Rejected,
)

# The client's literals are all of this form: nothing has to be answered before their octets come.
_MARK: Final = re.compile(rb"\{(\d{1,20})\+\}\Z")
_TEXT: Final = re.compile(rb"[^\0\r\n]*")
_TOO_LARGE: Final = "QUOTA/MAXSIZE"


class _State(Enum):
    LINE = auto()
    LITERAL = auto()
    SKIP = auto()
    CLOSED = auto()


class Framer:
    """One connection's. `limits` may be replaced between two commands."""

    _state: _State
    _text: list[bytes]
    _literals: list[bytes]
    _rejected: Rejected | None

    __slots__ = (
        "_discarded",
        "_input",
        "_literals",
        "_rejected",
        "_size",
        "_state",
        "_text",
        "_used",
        "limits",
    )

    def __init__(self, limits: Limits = BEFORE_LOGIN) -> None:
        self.limits = limits
        self._input = LineBuffer()
        self._size = 0
        self._reset()

    def feed(self, data: bytes) -> Iterator[Event]:
        """Takes octets in and gives the events that they complete, each made when it is pulled."""
        self.receive(data)
        return iter(self.next_event, None)

    def receive(self, data: bytes) -> None:
        if self._state is not _State.CLOSED:
            self._input.receive(data)

    def next_event(self) -> Event | None:
        """The next event, None when more octets are needed."""
        while True:
            before = self._state
            if before is _State.LINE:
                event = self._line()
            elif before is _State.LITERAL:
                event = self._literal()
            elif before is _State.SKIP:
                event = self._skip()
            else:
                return None
            if event is not None or self._state is before:
                return event

    def refuse(self, text: str, code: str) -> None:
        """Gives up the command whose literal was announced: its octets are thrown away."""
        if self._state is _State.LITERAL:
            self._reject(text, code)
            self._state = _State.SKIP

    def discard_buffer(self) -> int:
        """Forgets what was received but not used, as STARTTLS demands; how many octets it was."""
        return self._input.clear()

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two commands with nothing received of the next."""
        begun = bool(self._text or self._literals) or self._rejected is not None
        return self._state is _State.LINE and not begun and not len(self._input)

    def _line(self) -> Event | None:
        line = self._input.cut(self.limits.line)
        if self._input.overlong:
            if self._input.dropped + self._discarded > self.limits.discard:
                return self._fatal()
            if line is None:
                return None
            self._discarded += self._input.dropped
            self._input.resume()
            self._reject(f"Line longer than {self.limits.line} octets")
        if line is None:
            return None
        mark = _MARK.search(line) if line.endswith(b"+}") else None
        self._take(line if mark is None else line[: mark.start()])
        return self._end() if mark is None else self._announced_literal(int(mark[1]))

    def _take(self, text: bytes) -> None:
        self._used += len(text)
        if _TEXT.fullmatch(text) is None:
            self._reject("NUL, CR or LF in a command")
        elif self._used > self.limits.command:
            self._reject(f"Command longer than {self.limits.command} octets")
        else:
            self._text.append(text)

    def _announced_literal(self, size: int) -> Event | None:
        limits, self._size = self.limits, size
        if size > limits.literal:
            self._reject(f"Not more than {limits.literal} octets are taken", _TOO_LARGE)
        elif self._used + size > limits.command:
            self._reject(f"Command longer than {limits.command} octets", _TOO_LARGE)
        if self._rejected is not None:
            self._discarded += size
            if self._discarded > limits.discard:
                return self._fatal()
            self._state = _State.SKIP
            return None
        self._used += size
        self._state = _State.LITERAL
        return Large(size) if self._used > limits.quiet else None

    def _literal(self) -> Event | None:
        if len(self._input) >= self._size:
            self._literals.append(self._input.take(self._size))
            self._state = _State.LINE
        return None

    def _skip(self) -> Event | None:
        self._size -= self._input.skip(self._size)
        if not self._size:
            self._state = _State.LINE
        return None

    def _end(self) -> Event:
        made: Event = Frame(LITERAL_MARK.join(self._text), tuple(self._literals))
        made = self._rejected or made
        self._reset()
        return made

    def _reject(self, text: str, code: str = "") -> None:
        """Marks the command as lost; the first reason is told, and nothing more is kept of it."""
        if self._rejected is None:
            self._rejected = Rejected(text, code)
        self._text, self._literals = [], []

    def _fatal(self) -> Fatal:
        self._reset()
        self._state = _State.CLOSED
        self._input.clear()
        return Fatal("Too much input that cannot be used")

    def _reset(self) -> None:
        self._state = _State.LINE
        self._text, self._literals = [], []
        self._rejected = None
        self._used = self._discarded = 0
