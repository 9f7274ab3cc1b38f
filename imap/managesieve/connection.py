"""One connection: events in to commands and their replies. What it has in common with others stands
in imap/base_connection.py.

Invariant: what scripts on their way take of Bounds.held is given back.
"""

from typing import Any

from imap.base_connection import BaseConnection
from imap.managesieve import commands
from imap.managesieve.context import Context
from imap.managesieve.grammar.encode import Reply, Status
from imap.managesieve.grammar.frame import (
    AFTER_LOGIN,
    BEFORE_LOGIN,
    Event,
    Fatal,
    Frame,
    Large,
    Rejected,
)
from imap.managesieve.grammar.framer import Framer
from imap.managesieve.grammar.parse import ParseError, answer, parse
from imap.managesieve.session import Session
from imap.replies import Closing


class Connection(BaseConnection[Context, Session, Event]):
    """The protocol object of one client."""

    __slots__ = ("_begun", "_ended", "_framer", "_held")

    def __init__(self, context: Context, *args: Any) -> None:
        super().__init__(context, *args)
        self._framer = Framer()
        self._begun: float | None = None
        self._held = 0
        self._ended = False
        self.session = Session(context, self)

    def greet(self) -> None:
        """With the capabilities (RFC 5804 §1.7)."""
        self.send(self.session.capabilities() + Reply("Ready").wire)

    def eof_received(self) -> bool:
        """What was sent before the end is still answered; TLS ends in both directions at once."""
        self._ended = not self.tls and self._task is not None and self._more is None
        return self._ended

    def _bye_line(self, text: str, code: str) -> bytes:
        return Reply(text, code.encode(), Status.BYE).wire

    # Receiving.

    def _receive(self, data: bytes) -> None:
        self._framer.receive(data)

    def _discard(self) -> int:
        return self._framer.discard_buffer()

    def logged_in(self) -> None:
        self._commands = 0
        self._framer.limits = AFTER_LOGIN

    def logged_out(self) -> None:
        self._commands = 0
        self._framer.limits = BEFORE_LOGIN

    async def next_answer(self) -> bytes | None:
        """The answer to a challenge of AUTHENTICATE; None when it is none. Raises Closing."""
        self.flush()
        while (event := self._next_event()) is None or isinstance(event, Large):
            if self._closing or self._ended:
                raise Closing
            if event is None:
                await self._wait()
        if isinstance(event, Fatal):
            self.bye(event.text, linger=True)
            raise Closing
        self._active = self._loop.time()
        return answer(event) if isinstance(event, Frame) else None

    def _next_event(self) -> Event | None:
        if self._closing:
            return None
        event = self._framer.next_event()
        if event is not None or self._framer.idle:
            self._begun = None
        elif self._begun is None:
            self._begun = self._loop.time()
        return event

    async def _serve(self, event: Event | None) -> None:
        await super()._serve(event)
        if self._ended and not self._closing:
            self.finish()

    async def _handle(self, event: Event) -> None:
        if isinstance(event, Large):
            self._hold(event.size)
            return
        self._active = self._loop.time()
        if isinstance(event, Fatal):
            self.bye(event.text, linger=True)
            return
        try:
            await self._answer(event)
        finally:
            self._drop()

    async def _answer(self, event: Frame | Rejected) -> None:
        if not self._may_ask():
            return
        if isinstance(event, Rejected):
            self._refuse(event.text, event.code)
            return
        try:
            command = parse(event)
        except ParseError as error:
            self._refuse(str(error))
            return
        if self.session.login is not None:
            self._commands = 0
        self.send((await commands.run(self.session, command)).wire)

    def _refuse(self, text: str, code: str = "") -> None:
        self.send(commands.no(text, code.encode()).wire)
        if self.session.login is not None:
            self._was_bad()

    # What scripts on their way may take of the memory.

    def _hold(self, size: int) -> None:
        if self._context.held + size > self._context.bounds.held:
            self._framer.refuse("Server busy, try again later", "TRYLATER")
            return
        self._held += size
        self._context.held += size

    def _drop(self) -> None:
        self._context.held -= self._held
        self._held = 0

    # Time.

    @property
    def _late_at(self) -> float:
        if self._begun is None:
            return float("inf")
        return self._begun + self._context.timing.command

    def _say_late(self) -> None:
        self.bye("Nothing was asked for too long", code="TRYLATER", linger=True)
