"""INPROGRESS: clients whose command takes long hear how far it has come (RFC 9585).

One timer of the server serves all: it looks at the commands under way, and the ones that it met
before are told of. A command only notes its numbers. An interval of 0 tells of every note at once.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imap.grammar.encode import NIL, quoted

if TYPE_CHECKING:
    from imap.session import Session


@dataclass(slots=True)
class Work:
    """A command under way; `done` of `total`, where it counts."""

    tag: str
    done: int | None = None
    total: int = 0
    met: bool = False

    def line(self) -> bytes:
        """The untagged response (§4). A `]` in the tag would end the code for simple clients."""
        tag = NIL if "]" in self.tag else quoted(self.tag.encode())
        done = NIL if self.done is None else b"%d" % self.done
        known = self.done is not None and self.done < self.total
        total = b"%d" % self.total if known else NIL
        return b"* OK [INPROGRESS (%s %s %s)] Still at it\r\n" % (tag, done, total)


class Progress:
    """The commands under way, by session."""

    __slots__ = ("_interval", "_loop", "_timer", "_working")

    def __init__(self, interval: float) -> None:
        self._interval: Final = interval
        self._working: dict[Session, Work] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begins to look."""
        self._loop = asyncio.get_running_loop()
        if self._interval:
            self._timer = self._loop.call_later(self._interval, self._tick)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()

    def begin(self, session: "Session", tag: str) -> None:
        """A command begins."""
        self._working[session] = Work(tag)

    def end(self, session: "Session") -> None:
        """It is over."""
        self._working.pop(session, None)

    def note(self, session: "Session", done: int, total: int) -> None:
        """How far the session's command has come."""
        work = self._working.get(session)
        if work is not None:
            work.done, work.total = done, total
            if not self._interval:
                session.send(work.line())

    def _tick(self) -> None:
        for session, work in self._working.items():
            if work.met and not session.connection.busy_writing:
                session.send(work.line())
            work.met = True
        if self._loop is not None:
            self._timer = self._loop.call_later(self._interval, self._tick)
