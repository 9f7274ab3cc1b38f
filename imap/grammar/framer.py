"""The first of two stages: cuts the bytes of a connection into commands with their literals.

Knows lines, tags, command names and literal marks, and nothing else of the grammar, so that no
syntax error can put it out of step. Events are made when they are pulled: what the caller does
between two pulls (limits, refuse, expect_line) governs what comes next.
Invariants: work is linear in the octets received, memory is bounded by Limits, and any division of
the same octets gives the same events (streamed data only in other pieces).
Only CRLF ends a line; bare CR, bare LF and NUL make the command BAD (RFC 9051 §2.2, §9).
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from imap.grammar.frame import (
    BEFORE_LOGIN,
    LITERAL_MARK,
    Continuation,
    Event,
    Fatal,
    Frame,
    Limits,
    Line,
    LiteralBegin,
    LiteralData,
    LiteralEnd,
    Rejected,
    Status,
)
from imap.grammar.line_buffer import LineBuffer
from imap.grammar.values import Literal

# A tag may hold what an astring may, but no "+" (RFC 9051 §9). The last group takes the
# whole rest, so that one match also proves the line free of NUL, CR and LF.
_TAG: Final = rb"([!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,255})"
_HEAD: Final = re.compile(
    _TAG + rb" +(?:([Uu][Ii][Dd]) +(?=[A-Za-z]))?([A-Za-z0-9._\-]+)([^\0\r\n]*)"
)
_TAG_ONLY: Final = re.compile(_TAG + rb"(?= |\Z)")
_TEXT: Final = re.compile(rb"[^\0\r\n]*")
# "+" needs no continuation (RFC 7888); "-" is taken alike, since some read LITERAL- that way.
_MARK: Final = re.compile(rb"(~?)\{(\d{1,20})([+-]?)\}\Z")
# How many words precede the message of a command at least.
_BEFORE_MESSAGE: Final = {"APPEND": 1, "REPLACE": 2}
_URL: Final = re.compile(rb"[ (][Uu][Rr][Ll] +\Z")
_NUL: Final = "NUL in a literal that is no literal8"


class _State(Enum):
    COMMAND = auto()
    TEXT = auto()
    MEMORY = auto()
    STREAM = auto()
    SKIP = auto()
    RAW = auto()
    CLOSED = auto()


class Framer:
    """One connection's framer: `feed` bytes, take events. `limits` may be replaced at any time."""

    limits: Limits
    _input: LineBuffer
    _queue: list[Event]
    _state: _State
    _raw_limit: int
    # The literal at hand:
    _size: int
    _remaining: int
    _binary: bool
    _nul: bool
    # The command at hand:
    _head: Frame | None
    _text: list[bytes]
    _literals: list[Literal]
    _streams: int
    _used: int
    _discarded: int
    _rejection: Rejected | None

    __slots__ = (
        "_binary",
        "_discarded",
        "_head",
        "_input",
        "_literals",
        "_nul",
        "_queue",
        "_raw_limit",
        "_rejection",
        "_remaining",
        "_size",
        "_state",
        "_streams",
        "_text",
        "_used",
        "limits",
    )

    def __init__(self, limits: Limits = BEFORE_LOGIN) -> None:
        self.limits = limits
        self._input = LineBuffer()
        self._queue = []
        self._raw_limit = self._size = self._remaining = 0
        self._binary = self._nul = False
        self._reset()

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take bytes in and give the events that they complete, each made when it is pulled."""
        self.receive(data)
        return iter(self.next_event, None)

    def receive(self, data: bytes) -> None:
        """Take bytes in."""
        if self._state is not _State.CLOSED:
            self._input.receive(data)

    def next_event(self) -> Event | None:
        """The next event, or None when more bytes are needed."""
        while True:
            if self._queue:
                return self._queue.pop(0)
            before = self._state
            event: Event | None = None
            if before is _State.COMMAND or before is _State.TEXT:
                event = self._line()
            elif before is _State.STREAM:
                event = self._stream()
            elif before is _State.MEMORY:
                self._memory()
            elif before is _State.SKIP:
                self._skip()
            elif before is _State.RAW:
                event = self._raw()
            else:
                return None
            # Without an event and without a step into another state, only more bytes help.
            if event is not None or (self._state is before and not self._queue):
                return event

    # What the connection may ask between two events.

    def refuse(self, text: str, code: str | None = None, status: Status = Status.NO) -> None:
        """Give up the command whose literal is being streamed; Rejected follows at its end.

        Before the continuation of a synchronising literal the command ends here; otherwise the rest
        of it is discarded, so that the connection stays in step.
        """
        if self._head is None or self._rejection is not None:
            return
        self._reject(text, code, status)
        if self._queue:
            self._queue[:] = [self._finish_rejected()]
        elif self._state is _State.STREAM:
            self._skip_literal(self._remaining)

    def expect_line(self, limit: int = 16 * 1024) -> None:
        """Let the next event be a Line (DONE of IDLE, an answer of AUTHENTICATE)."""
        self._state = _State.RAW
        self._raw_limit = limit

    def unread(self, line: bytes) -> None:
        """Put back a Line that was a command after all (a client that leaves IDLE without DONE)."""
        self._input.unread(line + b"\r\n")

    def discard_buffer(self) -> int:
        """Forget what was received but not used, as STARTTLS demands; how many octets it was."""
        return self._input.clear()

    def take_buffer(self) -> bytes:
        """Take out what was received but not used: behind COMPRESS it is compressed."""
        return self._input.take(len(self._input))

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two commands with nothing received of the next."""
        return self._state is _State.COMMAND and not len(self._input)

    # Lines.

    def _line(self) -> Event | None:
        """Take a line of a command."""
        line = self._input.cut(self.limits.line)
        if self._input.overlong:
            return self._overlong(line)
        if line is None:
            return None
        mark = _MARK.search(line) if line.endswith(b"}") else None
        text = line if mark is None else line[: mark.start()]
        if self._state is _State.COMMAND:
            self._begin(text)
        elif self._rejection is None:
            self._continue(text)
        return self._end() if mark is None else self._literal(mark)

    def _overlong(self, line: bytes | None) -> Event | None:
        """Take (the end of) a line over the limit, of which most is gone already."""
        if self._input.dropped + self._discarded > self.limits.discard:
            return self._fatal()
        if line is None:
            return None
        self._discarded += self._input.dropped
        if self._head is None:
            self._head = _tag_alone(self._input.head)
        self._input.resume()
        self._reject(f"line longer than {self.limits.line} octets", "TOOBIG")
        mark = _MARK.search(line)
        return self._end() if mark is None else self._literal(mark)

    def _begin(self, line: bytes) -> None:
        """Read tag and name at the head of a command; reject it when they are not there."""
        self._used = len(line)
        head = _HEAD.match(line)
        if head is not None and head.end() == len(line):
            tag, uid, name, text = head.groups()
            self._head = Frame(tag.decode(), name.decode().upper(), uid is not None, text)
            return
        self._head = _tag_alone(line)
        self._reject(_complaint(line, self._head.tag != ""))

    def _continue(self, line: bytes) -> None:
        """Take the text behind a literal."""
        self._used += len(line)
        if _TEXT.fullmatch(line) is None:
            self._reject(_bare(line))
        elif self._used > self.limits.command:
            self._reject(f"command longer than {self.limits.command} octets", "TOOBIG")
        else:
            self._text.append(line)

    def _end(self) -> Event:
        """The command is complete."""
        if self._rejection is not None:
            return self._finish_rejected()
        frame = self._frame()
        self._reset()
        return frame

    def _frame(self) -> Frame:
        """What was read of the command so far."""
        head = self._head
        assert head is not None
        if not self._literals:
            return head
        text = LITERAL_MARK.join((head.text, *self._text))
        return Frame(head.tag, head.name, head.uid, text, tuple(self._literals))

    # Literals.

    def _literal(self, mark: re.Match[bytes]) -> Event | None:
        """A literal was announced: stream it, keep it, or throw it away."""
        size, waits = int(mark[2]), not mark[3]
        streamed = self._is_streamed()
        self._check_size(size, streamed)
        if self._rejection is not None:
            if waits:
                return self._finish_rejected()
            self._skip_literal(size)
            return None
        self._binary, self._nul = bool(mark[1]), False
        self._size = self._remaining = size
        if not streamed:
            self._used += size
            self._state = _State.MEMORY
            return Continuation() if waits else None
        self._state = _State.STREAM
        if waits:
            self._queue.append(Continuation())
        return LiteralBegin(self._streams, size, self._binary, self._frame())

    def _is_streamed(self) -> bool:
        """Whether it is (a part of) the message of an APPEND or REPLACE.

        Not so the mailbox name, which only the number of REPLACE precedes, and a URL of CATENATE.
        """
        head = self._head
        if self.limits.append is None or head is None or (head.uid and head.name == "APPEND"):
            return False
        before = _BEFORE_MESSAGE.get(head.name)
        if before is None or (not self._literals and len(head.text.split(None, before)) < before):
            return False
        text = self._text[-1] if self._text else head.text
        return _URL.search(text) is None

    def _check_size(self, size: int, streamed: bool) -> None:
        limits = self.limits
        if streamed and limits.append is not None:
            if size > limits.append:
                self._reject(f"message larger than {limits.append} octets", "TOOBIG", Status.NO)
        elif size > limits.literal:
            self._reject(f"literal larger than {limits.literal} octets", "TOOBIG")
        elif self._used + size > limits.command:
            self._reject(f"command longer than {limits.command} octets", "TOOBIG")

    def _skip_literal(self, size: int) -> None:
        """Throw the rest of a literal away; too much of that ends the connection."""
        self._discarded += size
        if self._discarded > self.limits.discard:
            self._queue.append(self._fatal())
            return
        self._remaining = size
        self._state = _State.SKIP

    def _memory(self) -> None:
        """Take a literal that is held in memory, once it is there as a whole."""
        if len(self._input) < self._size:
            return
        data = self._input.take(self._size)
        if not self._binary and b"\0" in data:
            self._reject(_NUL)
        self._literals.append(Literal(len(data), data, None, self._binary))
        self._state = _State.TEXT

    def _stream(self) -> Event | None:
        """Give out what there is of a streamed literal."""
        if self._remaining == 0:
            return self._stream_end()
        data = self._input.take(self._remaining)
        if not data:
            return None
        self._remaining -= len(data)
        self._nul = self._nul or b"\0" in data
        return LiteralData(data)

    def _stream_end(self) -> Event:
        number = self._streams
        if self._nul and not self._binary:
            self._reject(_NUL, None, Status.NO)
        self._literals.append(Literal(self._size, None, number, self._binary))
        self._streams += 1
        self._state = _State.TEXT
        return LiteralEnd(number)

    def _skip(self) -> None:
        """Discard octets of a literal."""
        self._remaining -= self._input.skip(self._remaining)
        if not self._remaining:
            self._state = _State.TEXT

    # Lines asked for, and ends.

    def _raw(self) -> Event | None:
        line = self._input.cut(self._raw_limit)
        overlong = self._input.overlong
        if overlong and self._input.dropped > self.limits.discard:
            return self._fatal()
        if line is None:
            return None
        self._input.resume()
        self._reset()
        if overlong:
            return Rejected(None, f"line longer than {self._raw_limit} octets", "TOOBIG")
        return Line(line)

    def _reject(self, text: str, code: str | None = None, status: Status = Status.BAD) -> None:
        """Mark the command as lost; the first reason is the one that is told."""
        if self._rejection is None:
            tag = self._head.tag if self._head is not None else ""
            self._rejection = Rejected(tag or None, text, code, status)

    def _finish_rejected(self) -> Rejected:
        rejection = self._rejection
        assert rejection is not None
        self._reset()
        return rejection

    def _fatal(self) -> Fatal:
        self._state = _State.CLOSED
        self._input.clear()
        return Fatal("too much input that cannot be used")

    def _reset(self) -> None:
        """Be ready for the next command."""
        self._state = _State.COMMAND
        self._head = self._rejection = None
        self._text = []
        self._literals = []
        self._streams = self._used = self._discarded = 0


def _tag_alone(line: bytes) -> Frame:
    """A head of which only the tag is known, "" when there is none."""
    found = _TAG_ONLY.match(line)
    return Frame(found[1].decode() if found else "", "", False, b"")


def _bare(line: bytes) -> str:
    return "NUL in the command" if b"\0" in line else "bare CR or LF in the command"


def _complaint(line: bytes, has_tag: bool) -> str:
    """Why a line does not begin a command."""
    if _TEXT.fullmatch(line) is None:
        return _bare(line)
    if not line.strip():
        return "empty line where a command was expected"
    if not has_tag:
        return "expected a tag at the start of the line"
    return "expected a command name behind the tag"
