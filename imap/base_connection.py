"""What the connections of all servers in imap/ have in common: octets in to events, replies out,
timers, TLS, their end with a reason.

Invariants: input is pulled from the framer only when no command runs, so that limits and replies
keep their order; every wait has a bound (Timing); between two commands a connection holds no task,
no buffer and no thread. What the octets mean is for the subclasses.
"""

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast

from config.logging import Logger
from imap.base_session import BaseSession
from imap.outbox import Outbox
from imap.replies import Closing
from imap.shared import Shared
from net import eager

X = TypeVar("X", bound=Shared)
S = TypeVar("S", bound=BaseSession[Any, Any])
E = TypeVar("E")

# Every connection reads into the same memory: what comes is taken over before the loop goes on. A
# buffer of each one's own would cost ten times what an idle connection needs.
_INPUT: Final = memoryview(bytearray(64 * 1024))


class BaseConnection(asyncio.BufferedProtocol, ABC, Generic[X, S, E]):
    """The protocol object of one client: E are its events, S its session, X what all share."""

    __slots__ = (
        "_active",
        "_closing",
        "_commands",
        "_context",
        "_loop",
        "_more",
        "_on_lost",
        "_on_open",
        "_outbox",
        "_reading",
        "_task",
        "_timer",
        "_transport",
        "_unread",
        "name",
        "peer",
        "session",
        "tls",
    )

    session: S

    def __init__(
        self,
        context: X,
        name: str,
        on_open: Callable[[Any], None],
        on_lost: Callable[[Any], None],
        peer: str = "",
    ) -> None:
        self._context, self.name, self.peer = context, name, peer
        self._on_open, self._on_lost = on_open, on_lost
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(self._loop, self._free)
        self._commands = self._unread = 0
        self._closing = self.tls = False
        self._reading = True
        self._task: asyncio.Task[None] | None = None
        self._more: asyncio.Future[None] | None = None
        self._active = self._loop.time()

    @property
    def log(self) -> Logger:
        """Bound to the connection and its account when a line is due: most never write any."""
        login = self.session.login
        if login is None:
            return self._context.log.bind(connection=self.name)
        return self._context.log.bind(connection=self.name, account=login.address)

    # What subclasses know.

    @abstractmethod
    def greet(self) -> None:
        """Says hello with the capabilities."""

    @abstractmethod
    def logged_in(self) -> None:
        """Wider limits hold from here on."""

    @abstractmethod
    def logged_out(self) -> None:
        """The limits before login hold again, its time begins anew."""

    @abstractmethod
    def _receive(self, data: bytes) -> None:
        """Takes octets in."""

    @abstractmethod
    def _discard(self) -> int:
        """Forgets what was received but not used; how many octets it was."""

    @abstractmethod
    def _next_event(self) -> E | None:
        """Of what was received; None when there is none, or the connection ends."""

    @abstractmethod
    async def _handle(self, event: E) -> None:
        """Raises Closing when nothing may follow."""

    @abstractmethod
    def _bye_line(self, text: str, code: str) -> bytes:
        """BYE on the wire, b"" where it can't be said now."""

    @abstractmethod
    def _say_late(self) -> None:
        """Ends the connection, as nothing was asked for too long."""

    def _drop(self) -> None:
        """Gives back what half a command holds."""

    def _free(self) -> None:
        """The client reads again while no command waited for that."""

    @property
    def _pending(self) -> bool:
        """Whether more events may come out of what was received."""
        return False

    async def _work_aside(self) -> bool:
        """Does what is due beside events, if anything; whether there may be an event then."""
        return False

    @property
    def _late_at(self) -> float:
        """When what is under way has to have come, by the loop's clock."""
        return float("inf")

    def _stay(self) -> None:
        """Called now and then while the connection waits for its client."""

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio.Transport
        self._take(cast(asyncio.Transport, transport))
        name = transport.get_extra_info("peername")
        if not self.peer:  # else a proxy said who it is
            self.peer = str(name[0]) if isinstance(name, tuple) else ""
        self._timer = self._loop.call_later(self._context.timing.shortest, self._tick)
        self._on_open(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _INPUT

    def buffer_updated(self, nbytes: int) -> None:
        if self._closing:
            return
        self._receive(bytes(_INPUT[:nbytes]))
        if self._task is None:
            event = self._next_event()
            if event is not None or self._pending:
                self._task = eager.start(self._loop, self._serve(event))
        elif self._more is not None:
            self._wake()
        else:
            self._unread += nbytes
            if self._unread > self._context.bounds.input_buffer and self._reading:
                self._reading = False
                self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._outbox.pause()

    def resume_writing(self) -> None:
        self._outbox.resume()

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._outbox.close()
        self._timer.cancel()
        task = self._task
        if task is not None:
            task.cancel()
        else:
            self._drop()
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
    def blocked(self) -> bool:
        """Whether the client does not read what is sent."""
        return self._outbox.blocked_since is not None

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
        line = self._bye_line(text, code)
        if line:
            self.send(line)
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

    async def _wait(self) -> None:
        """Returns when octets come, or `_wake` is called."""
        self._read_on()
        self._more = self._loop.create_future()
        try:
            await self._more
        finally:
            self._more = None

    def _wake(self) -> None:
        """Lets a command go on that waits for more, if one does."""
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Upgrades; what came in behind the command is forgotten (RFC 9051 §11.1, RFC 5804 §2.2).

        Raises Closing.
        """
        self._reading = False
        self._transport.pause_reading()
        discarded = self._discard()
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
        except OSError as error:
            self.log.info("TLS handshake failed", error=str(error))
            self.abort()
            raise Closing from None
        assert transport is not None
        self._reading = True
        self._take(transport)

    @property
    def tls_session(self) -> ssl.SSLObject | None:
        """None without TLS."""
        found = self._transport.get_extra_info("ssl_object")
        return found if isinstance(found, ssl.SSLObject) else None

    def _take(self, transport: asyncio.Transport) -> None:
        self._transport = self._outbox.transport = transport
        transport.set_write_buffer_limits(self._context.bounds.write_buffer)
        self.tls = transport.get_extra_info("ssl_object") is not None

    async def _serve(self, event: E | None) -> None:
        """Handles events until the framer has no more."""
        self._outbox.begin()
        try:
            while not self._closing:
                if event is not None:
                    await self._handle(event)
                elif not await self._work_aside():
                    break
                await self.breathe()
                event = self._next_event()
        except Closing:
            pass
        except asyncio.CancelledError:
            self._drop()
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

    # Limits.

    def _may_ask(self) -> bool:
        """Counts a command before the login; False, and the end, when there were too many."""
        if self.session.login is None:
            self._commands += 1
            if self._commands > self._context.bounds.anonymous_commands:
                self.bye("Too many commands before login", linger=True)
                return False
        return True

    def _was_bad(self) -> None:
        """Counts a command that was none; too many in a row are the end."""
        self._commands += 1
        if self._commands > self._context.bounds.bad_commands:
            self.bye("Too many bad commands", linger=True)

    def _tick(self) -> None:
        """Checks every bound on waiting, then sleeps until the next may be reached."""
        timing, now = self._context.timing, self._loop.time()
        blocked_since = self._outbox.blocked_since
        if blocked_since is not None and now - blocked_since > timing.write:
            self.log.info("client does not read")
            self.abort()
            return
        left = limit = timing.login if self.session.login is None else timing.idle
        if self._task is None or self._more is not None:
            left = min(self._active + limit, self._late_at) - now
            if left <= 0:
                self._say_late()
                return
            self._stay()
        self._timer = self._loop.call_later(max(min(left, timing.step), 0.001), self._tick)
