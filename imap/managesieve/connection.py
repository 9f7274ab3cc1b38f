"""One connection: octets in to commands, replies out, timers, TLS, its end with a reason.

Invariants: input is pulled from the framer only when no command runs, so that limits and replies
keep their order; every wait has a bound (context.Timing); between two commands a connection holds
no task and no thread; what scripts on their way take of Bounds.held is given back.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from config.logging import Logger
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

_SLICE: Final = 0.002


class Closing(Exception):
    """The connection ends; no reply follows."""


class Connection(asyncio.Protocol):
    """The protocol object of one client."""

    def __init__(
        self,
        context: Context,
        name: str,
        on_open: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
        peer: str = "",
    ) -> None:
        self._context, self.name, self.peer = context, name, peer
        self._on_open, self._on_lost = on_open, on_lost
        self._loop = asyncio.get_running_loop()
        self._framer = Framer()
        self._task: asyncio.Task[None] | None = None
        self._more: asyncio.Future[None] | None = None
        self._free = asyncio.Event()
        self._free.set()
        self._blocked_since: float | None = None
        self._active = self._since = self._loop.time()
        self._begun: float | None = None
        self._counted = self._unread = self._held = 0
        self._reading, self._closing = True, False
        self._last = self._ended = False
        self.tls = False
        self.session = Session(context, self)

    @property
    def log(self) -> Logger:
        """Bound to the connection and its account."""
        login = self.session.login
        bound = self._context.log.bind(connection=self.name)
        return bound if login is None else bound.bind(account=login.address)

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
        """Says hello with the capabilities (RFC 5804 §1.7)."""
        self.send(self.session.capabilities() + Reply("Ready").wire)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._framer.receive(data)
        self._unread += len(data)
        if self._more is not None:
            if not self._more.done():
                self._more.set_result(None)
        elif self._task is None:
            event = self._next_event()
            if event is not None:
                self._task = self._loop.create_task(self._serve(event))
        elif self._unread > self._context.bounds.input_buffer and self._reading:
            self._reading = False
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """What was sent before the end is still answered."""
        self._ended = self._task is not None and self._more is None
        return self._ended

    def pause_writing(self) -> None:
        self._blocked_since = self._loop.time()
        self._free.clear()

    def resume_writing(self) -> None:
        self._blocked_since = None
        self._free.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._timer.cancel()
        self._give_back()
        self.session.log_out()
        self._on_lost(self)
        if self._task is not None:
            self._task.cancel()
            self._task.add_done_callback(lambda _: self._let_go())
        else:
            self._let_go()

    def _let_go(self) -> None:
        """Behind the end no circle of references is left, so that the memory is free at once."""
        self._timer.cancel()
        del self.session.connection, self._transport

    # Sending.

    def send(self, data: bytes) -> None:
        if not self._closing:
            self._transport.write(data)

    def bye(self, text: str, *, code: bytes = b"", linger: bool = False) -> None:
        """Says BYE and closes.

        `linger`: the client is still sending. Closing at once would reset the connection and the
        reason would be lost, so that what comes is read and forgotten for a few seconds.
        """
        if self._closing:
            return
        self.send(Reply(text, code, Status.BYE).wire)
        if not linger or not self._transport.can_write_eof():
            self._close()
            return
        self._closing = True
        try:
            self._transport.write_eof()
            self._transport.resume_reading()
        except OSError:
            self._transport.abort()
        self._abort_later()

    def finish_behind(self) -> None:
        """Closes when the reply to the command under way was sent."""
        self._last = True

    def _close(self) -> None:
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
        self._counted = 0
        self._framer.limits = AFTER_LOGIN

    def logged_out(self) -> None:
        """The limits before login hold again, its time begins anew."""
        self._counted = 0
        self._framer.limits = BEFORE_LOGIN

    async def next_answer(self) -> bytes | None:
        """The answer to a challenge of AUTHENTICATE; None when it is none. Raises Closing."""
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

    async def _wait(self) -> None:
        self._read_on()
        self._more = self._loop.create_future()
        try:
            await self._more
        finally:
            self._more = None

    def _next_event(self) -> Event | None:
        if self._closing:
            return None
        event = self._framer.next_event()
        if event is not None or self._framer.idle:
            self._begun = None
        elif self._begun is None:
            self._begun = self._loop.time()
        return event

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Upgrades; what came in behind the command is forgotten (RFC 5804 §2.2).

        Raises Closing.
        """
        self._reading = False
        self._transport.pause_reading()
        discarded = self._framer.discard_buffer()
        if discarded:
            self.log.warning("input behind STARTTLS discarded", octets=discarded)
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
        self._transport = transport
        transport.set_write_buffer_limits(self._context.bounds.write_buffer)
        self.tls = transport.get_extra_info("ssl_object") is not None

    async def _serve(self, event: Event | None) -> None:
        """Handles events until the framer has no more."""
        self._since = self._loop.time()
        try:
            while event is not None and not self._closing:
                await self._handle(event)
                await self._breathe()
                event = self._next_event()
        except Closing:
            pass
        except Exception:
            self.log.exception("connection failed")
            self.bye("Internal error", linger=True)
        finally:
            self._task = None
        if self._ended:
            self._close()
        self._read_on()

    async def _breathe(self) -> None:
        """Waits while the client does not read; lets others run after 2 ms of work."""
        if self._blocked_since is not None:
            await self._free.wait()
        elif self._loop.time() - self._since > _SLICE:
            await asyncio.sleep(0)
        else:
            return
        self._since = self._loop.time()

    def _read_on(self) -> None:
        self._unread = 0
        if not self._reading and not self._closing:
            self._reading = True
            self._transport.resume_reading()

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
            self._give_back()
        if self._last:
            self._close()

    async def _answer(self, event: Frame | Rejected) -> None:
        if self.session.login is None:
            self._counted += 1
            if self._counted > self._context.bounds.anonymous_commands:
                self.bye("Too many commands before login", linger=True)
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
            self._counted = 0
        self.send((await commands.run(self.session, command)).wire)

    def _refuse(self, text: str, code: str = "") -> None:
        self.send(commands.no(text, code.encode()).wire)
        if self.session.login is not None:
            self._counted += 1
            if self._counted > self._context.bounds.bad_commands:
                self.bye("Too many bad commands", linger=True)

    # What scripts on their way may take of the memory.

    def _hold(self, size: int) -> None:
        if self._context.held + size > self._context.bounds.held:
            self._framer.refuse("Server busy, try again later", "TRYLATER")
            return
        self._held += size
        self._context.held += size

    def _give_back(self) -> None:
        self._context.held -= self._held
        self._held = 0

    # Time.

    def _tick(self) -> None:
        """Checks every bound on waiting, then sleeps until the next may be reached."""
        timing, now = self._context.timing, self._loop.time()
        if self._blocked_since is not None and now - self._blocked_since > timing.write:
            self.log.info("client does not read")
            self.abort()
            return
        limit = timing.login if self.session.login is None else timing.idle
        left = limit
        if self._task is None or self._more is not None:
            left = self._active + limit - now
            if self._begun is not None:
                left = min(left, self._begun + timing.command - now)
            if left <= 0:
                self.bye("Nothing was asked for too long", code=b"TRYLATER", linger=True)
                return
        delay = min(left, timing.command, timing.write)
        self._timer = self._loop.call_later(max(delay, 0.001), self._tick)
