"""One connection: events in to commands, replies out, IDLE, COMPRESS. What it has in common with
others stands in base_connection.py.
"""

from typing import Any, Final

from imap import dispatch
from imap.base_connection import BaseConnection
from imap.compression import BadDeflate
from imap.context import Context
from imap.grammar.frame import (
    BEFORE_LOGIN,
    Continuation,
    Event,
    Fatal,
    Frame,
    Limits,
    Line,
    LiteralBegin,
    LiteralData,
    ParseError,
    Rejected,
    Status,
)
from imap.grammar.parse import parse
from imap.grammar.values import NO_MESSAGES
from imap.inbox import Inbox
from imap.intake import Intake
from imap.quick_fetch import quick_fetch
from imap.replies import Bad, Closing, rejection
from imap.session import Session
from imap.upload import Upload

_PROGRESS: Final = 1024


class Connection(BaseConnection[Context, Session, Event]):
    """The protocol object of one client."""

    __slots__ = ("_inbox", "_intake", "mid_literal")

    def __init__(self, context: Context, *args: Any) -> None:
        super().__init__(context, *args)
        self._inbox = Inbox()
        self.mid_literal = False
        self.session = Session(context, self)
        self._intake = Intake(context, self.session, self._inbox.framer)

    def greet(self) -> None:
        """With the capabilities (RFC 9051 §7.1)."""
        self.send(b"* OK [%s] Ready\r\n" % self.session.capabilities())
        self.flush()

    # Sending.

    @property
    def upload(self) -> Upload | None:
        """What the command under way has streamed."""
        return self._intake.upload

    def keep_upload(self, upload: Upload) -> None:
        """Discards it with the others when the command is over."""
        self._intake.upload = upload

    @property
    def busy_writing(self) -> bool:
        """Whether nothing may be sent from aside: amid a literal, or to who does not read."""
        return self.mid_literal or self.blocked

    def _free(self) -> None:
        if self.session.idling:
            self.session.push()

    def _bye_line(self, text: str, code: str) -> bytes:
        if self.mid_literal:
            return b""
        mark = f"[{code}] " if code else ""
        return f"* BYE {mark}{text}\r\n".encode()

    # Receiving.

    def _receive(self, data: bytes) -> None:
        self._inbox.receive(data)

    def _discard(self) -> int:
        return self._inbox.framer.discard_buffer()

    def _drop(self) -> None:
        self._intake.drop()

    def logged_in(self) -> None:
        self._commands = 0
        self._inbox.framer.limits = Limits(append=self._context.settings.limits.message_size)

    def logged_out(self) -> None:
        self._commands = 0
        self._inbox.framer.limits = BEFORE_LOGIN

    async def next_line(self) -> bytes:
        """The client's next line as it is, an answer of AUTHENTICATE. Raises as `line_or_wake`."""
        while (line := await self.line_or_wake()) is None:
            pass
        return line

    async def line_or_wake(self) -> bytes | None:
        """As `next_line`, for IDLE: None when `attend` or half a line came meanwhile.

        Raises Bad when it is too long, Closing when the connection is over.
        """
        self._inbox.framer.expect_line()
        self.flush()
        event = self._next_event()
        if event is None and self._pending:
            await self.breathe()
        elif event is None and not self._closing:
            await self._wait()
            event = self._next_event()
        if event is None:
            if self._closing:
                raise Closing
            return None
        self._active = self._loop.time()
        if isinstance(event, Line):
            return event.data
        if isinstance(event, Rejected):
            raise Bad(event.text)
        self.bye("Too much input", linger=True)
        raise Closing

    def attend(self) -> None:
        """Has the session tell what is due: at once where no command runs, else behind it."""
        if self._closing:
            return
        if self._task is None:
            self._task = self._loop.create_task(self._serve(None))
        else:
            self._wake()

    def unread(self, line: bytes) -> None:
        """Puts a line back: it is a command."""
        self._inbox.framer.unread(line)

    def _next_event(self) -> Event | None:
        try:
            return None if self._closing else self._inbox.next_event()
        except BadDeflate as error:
            self.log.info("input is not compressed", error=str(error))
            self.bye("This is not compressed by DEFLATE", linger=True)
            return None

    @property
    def _pending(self) -> bool:
        return self._inbox.pending

    async def _work_aside(self) -> bool:
        if self.session.due:
            await self.session.tell()
            return True
        return self._inbox.pending

    @property
    def compressed(self) -> bool:
        """Whether COMPRESS is in use."""
        return self._inbox.compression is not None

    def compress(self) -> None:
        """Compresses what is sent from here on, and takes what comes as compressed (RFC 4978)."""
        self._inbox.compress(self._outbox.compress(self._context.compressed))

    async def _handle(self, event: Event) -> None:
        if isinstance(event, Frame):
            self._active = self._loop.time()
            if quick_fetch(self.session, event):
                self._commands = 0
                return
            try:
                await self._command(event)
            finally:
                self._intake.drop()
        elif isinstance(event, LiteralData):
            if len(event.data) >= _PROGRESS:
                self._active = self._loop.time()
            await self._intake.add(event.data)
        elif isinstance(event, LiteralBegin):
            await self._intake.begin(event)
        elif isinstance(event, Continuation):
            self.send(b"+ Go on\r\n")
            self.flush()
        elif isinstance(event, Rejected):
            self._intake.drop()
            self._reject(event)
        elif isinstance(event, Fatal):
            self.bye(event.text, linger=True)

    async def _command(self, frame: Frame) -> None:
        if not self._may_ask():
            return
        try:
            command = parse(frame, self.session.utf8, charsets=not self.session.mode.accept)
        except ParseError as error:
            if error.rejected.forgets_result and self.session.selected is not None:
                self.session.selected.saved = NO_MESSAGES
            self._reject(error.rejected)
            return
        if self.session.login is not None:
            self._commands = 0
        await dispatch.run(self.session, command)

    def _reject(self, rejected: Rejected) -> None:
        self.send(rejection(rejected))
        if rejected.status is Status.BAD:
            self._was_bad()

    # Time.

    def _say_late(self) -> None:
        self.bye("Autologout, nothing was asked for too long")

    def _stay(self) -> None:
        if self.session.idling and not self.blocked:
            self.send(b"* OK Still here\r\n")
