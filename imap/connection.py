"""One connection: bytes in to commands, replies out, timers, TLS, COMPRESS, its end with a reason.

Invariants: input is pulled from the framer only when no command runs, so that limits, continuations
and replies keep their order; every wait has a bound (context.Timing); between two commands a
connection holds no task, no buffer and no thread.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from config.logging import Logger
from imap import dispatch
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
from imap.outbox import Outbox
from imap.quick_fetch import quick_fetch
from imap.replies import Bad, Closing, rejection
from imap.session import Session
from imap.upload import Upload
from net import eager

_PROGRESS: Final = 1024
# Every connection reads into the same memory: what comes is taken over before the loop goes on. A
# buffer of each one's own would cost ten times what an idle connection needs.
_INPUT: Final = memoryview(bytearray(64 * 1024))


class Connection(asyncio.BufferedProtocol):
    """The protocol object of one client."""

    __slots__ = (
        "_active",
        "_closing",
        "_commands",
        "_context",
        "_inbox",
        "_intake",
        "_loop",
        "_on_lost",
        "_on_open",
        "_outbox",
        "_reading",
        "_task",
        "_timer",
        "_transport",
        "_unread",
        "mid_literal",
        "name",
        "peer",
        "session",
        "tls",
    )

    def __init__(
        self,
        context: Context,
        name: str,
        on_open: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
        peer: str = "",
    ) -> None:
        self._context, self.name = context, name
        self._on_open, self._on_lost = on_open, on_lost
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox()
        self._outbox = Outbox(self._loop, self._free)
        self._commands = self._unread = 0
        self._closing = False
        self._reading = True
        self._task: asyncio.Task[None] | None = None
        self._active = self._loop.time()
        self.mid_literal = self.tls = False
        self.peer = peer
        self.session = Session(context, self)
        self._intake = Intake(context, self.session, self._inbox.framer)

    @property
    def log(self) -> Logger:
        """Bound to the connection and its account when a line is due: most never write any."""
        login = self.session.login
        if login is None:
            return self._context.log.bind(connection=self.name)
        return self._context.log.bind(connection=self.name, account=login.address)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio.Transport
        self._take(cast(asyncio.Transport, transport))
        name = transport.get_extra_info("peername")
        if not self.peer:  # else a proxy said who it is
            self.peer = str(name[0]) if isinstance(name, tuple) else ""
        self._timer = self._loop.call_later(self._context.timing.shortest, self._tick)
        self._on_open(self)

    def greet(self) -> None:
        """Says hello with the capabilities (RFC 9051 §7.1)."""
        self.send(b"* OK [%s] Ready\r\n" % self.session.capabilities())
        self.flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _INPUT

    def buffer_updated(self, nbytes: int) -> None:
        if self._closing:
            return
        self._inbox.receive(bytes(_INPUT[:nbytes]))
        if self._task is None:
            event = self._next_event()
            if event is not None or self._inbox.pending:
                self._task = eager.start(self._loop, self._serve(event))
        elif self._inbox.waiting:
            self._inbox.wake()
        else:
            self._unread += nbytes
            if self._unread > self._context.bounds.input_buffer and self._reading:
                self._reading = False
                self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._outbox.pause()

    def resume_writing(self) -> None:
        self._outbox.resume()

    def _free(self) -> None:
        """The client reads again while no command waited for that."""
        if self.session.idling:
            self.session.push()

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._outbox.close()
        self._timer.cancel()
        task = self._task
        if task is not None:
            task.cancel()
        else:
            self._intake.drop()
        self.session.close()
        self._on_lost(self)
        if task is not None:
            task.add_done_callback(lambda _: self._let_go())
        else:
            self._let_go()

    def _let_go(self) -> None:
        """Behind the end: no circle of references is left, so that the memory is free at once. Else
        a collection finds thousands of connections, and the loop stands still for it.
        """
        self._timer.cancel()
        self._outbox.transport = None
        del self.session.connection, self._transport

    # Sending.

    @property
    def upload(self) -> Upload | None:
        """What the command under way has streamed."""
        return self._intake.upload

    def keep_upload(self, upload: Upload) -> None:
        """Discards it with the others when the command is over."""
        self._intake.upload = upload

    @property
    def blocked(self) -> bool:
        """Whether the client does not read what is sent."""
        return self._outbox.blocked_since is not None

    @property
    def busy_writing(self) -> bool:
        """Whether nothing may be sent from aside: amid a literal, or to who does not read."""
        return self.mid_literal or self.blocked

    def send(self, data: bytes) -> None:
        self._outbox.send(data)

    def flush(self) -> None:
        self._outbox.flush()

    async def breathe(self) -> None:
        """Waits while the client does not read; lets others run after 2 ms of work."""
        await self._outbox.breathe()

    def bye(self, text: str, *, code: str = "", linger: bool = False) -> None:
        """Says BYE and closes; in the middle of a literal it only closes.

        `linger`: the client is still sending. Closing at once would reset the connection and the
        reason would be lost, so that what comes is read and forgotten for a few seconds.
        """
        if self._closing:
            return
        if not self.mid_literal:
            mark = f"[{code}] " if code else ""
            self.send(f"* BYE {mark}{text}\r\n".encode())
        if not linger or not self._transport.can_write_eof():
            self.finish()
            return
        self._outbox.finish()
        self._closing = True
        try:
            self._transport.write_eof()
            self._transport.resume_reading()
        except OSError:
            self._transport.abort()
        self._abort_later()

    def finish(self) -> None:
        """Sends what was gathered and closes."""
        self._outbox.finish()
        self._closing = True
        self._transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(self._context.timing.farewell, self.abort)

    def abort(self) -> None:
        """Closes without waiting for anything."""
        self._closing = True
        self._transport.abort()

    # Receiving.

    def logged_in(self) -> None:
        """Wider limits hold from here on."""
        self._commands = 0
        self._inbox.framer.limits = Limits(append=self._context.settings.limits.message_size)

    def logged_out(self) -> None:
        """The limits before login hold again, its time begins anew."""
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
        if event is None and self._inbox.pending:
            await self.breathe()
        elif event is None and not self._closing:
            self._read_on()
            await self._inbox.wait()
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
            self._inbox.wake()

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
    def compressed(self) -> bool:
        """Whether COMPRESS is in use."""
        return self._inbox.compression is not None

    def compress(self) -> None:
        """Compresses what is sent from here on, and takes what comes as compressed (RFC 4978)."""
        self._inbox.compress(self._outbox.compress(self._context.compressed))

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Upgrades; what came in behind the command is forgotten (RFC 9051 §11.1)."""
        self._reading = False
        self._transport.pause_reading()
        discarded = self._inbox.framer.discard_buffer()
        if discarded:
            self.log.warning("input behind STARTTLS discarded", octets=discarded)
        self.flush()
        try:
            transport = await self._loop.start_tls(
                self._transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self._context.timing.handshake,
            )
        except (OSError, ssl.SSLError) as error:
            self.log.info("TLS handshake failed", error=str(error))
            self.abort()
            raise Closing from None
        assert transport is not None
        self._reading = True
        self._take(transport)

    def _take(self, transport: asyncio.Transport) -> None:
        self._transport = self._outbox.transport = transport
        transport.set_write_buffer_limits(self._context.bounds.write_buffer)
        self.tls = transport.get_extra_info("ssl_object") is not None

    async def _serve(self, event: Event | None) -> None:
        """Handles events until the framer has no more."""
        self._outbox.begin()
        try:
            while not self._closing:
                if event is not None:
                    await self._handle(event)
                elif self.session.due:
                    await self.session.tell()
                elif not self._inbox.pending:
                    break
                await self.breathe()
                event = self._next_event()
        except Closing:
            pass
        except asyncio.CancelledError:
            self._intake.drop()
            raise
        except Exception:
            self.log.exception("connection failed")
            self.bye("Internal error")
        finally:
            self._task = None
        self.flush()
        self._read_on()

    def _read_on(self) -> None:
        self._unread = 0
        if not self._reading and not self._closing:
            self._reading = True
            self._transport.resume_reading()

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
        if self.session.login is None:
            self._commands += 1
            if self._commands > self._context.bounds.anonymous_commands:
                self.bye("Too many commands before login", linger=True)
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
            self._commands += 1
            if self._commands > self._context.bounds.bad_commands:
                self.bye("Too many bad commands", linger=True)

    # Time.

    def _tick(self) -> None:
        """Checks every bound on waiting, then sleeps until the next may be reached."""
        timing, now = self._context.timing, self._loop.time()
        blocked_since = self._outbox.blocked_since
        if blocked_since is not None and now - blocked_since > timing.write:
            self.log.info("client does not read")
            self.abort()
            return
        limit = timing.login if self.session.login is None else timing.idle
        left = limit
        if self._task is None or self._inbox.waiting:
            left = self._active + limit - now
            if left <= 0:
                self.bye("Autologout, nothing was asked for too long")
                return
            if self.session.idling and not self.blocked:
                self.send(b"* OK Still here\r\n")
        delay = min(left, timing.write, timing.still_here)
        self._timer = self._loop.call_later(max(delay, 0.001), self._tick)
