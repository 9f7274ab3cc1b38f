"""The SMTP engine: aiosmtpd by subclass, the one file that knows it.

Overridden: how a connection lives, waits, reads and writes. A delivery is never interrupted by the
peer's going; timeouts say why; lines have no limit of 1,001 octets. The command loop is
smtp/conversation.py, the verbs are smtp/verbs.py and smtp/data.py. tests/smtp/test_engine.py pins
the private names used.
Invariants: every wait for the peer has a deadline, no wait for ourselves has one; replies are
written before the connection waits for input.
"""

import asyncio
import logging
import math
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import cast

from aiosmtpd.smtp import SMTP

from config.logging import Logger
from smtp.grammar import replies
from smtp.grammar.command import MAX_LINE
from smtp.grammar.reply import Reply
from smtp.intake import IntakeLimits
from smtp.session import Session
from smtp.timeouts import Timeouts

# Twice this may stand in a connection's buffer before reading pauses.
BUFFER = 64 * 1024
MAX_SKIPPED = 1024 * 1024


def quieten_library() -> None:
    """aiosmtpd logs every connection on its own logger; this server logs itself."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)


class Phase(Enum):
    """What a connection is doing, for a graceful stop."""

    WAITING = "waiting for a command"
    BUSY = "in a command"
    ENDED = "ended"


class Gone(Exception):
    """The peer is gone, or has been told to go."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What all connections of a listener share. `tls` gives the context for one handshake."""

    hostname: str
    timeouts: Timeouts
    limits: IntakeLimits
    tls: Callable[[], ssl.SSLContext] | None
    log: Logger


class Engine(SMTP):
    """One connection. `policy` decides; the engine reads, writes and keeps time."""

    line_length_limit = BUFFER

    def __init__(self, wiring: Wiring, policy: Session, on_end: Callable[["Engine"], None]) -> None:
        super().__init__(
            None,
            data_size_limit=None,
            enable_SMTPUTF8=True,
            hostname=wiring.hostname,
            ident="ESMTP",
            loop=asyncio.get_running_loop(),
        )
        self.wiring, self.policy, self._on_end = wiring, policy, on_end
        self.phase = Phase.BUSY
        self.over_tls = False
        # What has arrived and was not taken; the reader never replaces it.
        self.buffer: bytearray = self._stream_reader._buffer  # type: ignore[attr-defined]
        self._out: list[bytes] = []
        self._gathered = 0
        self._deadline = math.inf
        self._awaited = ""
        self._allowed = 0.0
        self._errors = self._ends = 0
        self._parting: Reply | None = None
        self._is_cut_off = False
        self._pausing: asyncio.Future[None] | None = None

    def __dir__(self) -> Iterable[str]:
        """Nothing while the library's constructor looks for verbs: 0.1 ms a connection, for tables
        of bound methods that make the connection refer to itself. Verbs are found by name.
        """
        return super().__dir__() if hasattr(self, "wiring") else ()

    # -- the connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if transport.get_extra_info("ssl_object") is not None:
            self.secured(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The handler notices by itself: what it is delivering is delivered."""
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self.transport = None
        if self._pausing is not None and not self._pausing.done():
            self._pausing.set_result(None)
        if self._handler_coroutine is None:
            self._on_end(self)
        self.let_go()

    def eof_received(self) -> bool | None:
        """What was sent before the peer's end of file is still answered."""
        return asyncio.StreamReaderProtocol.eof_received(self)

    def say_goodbye(self, parting: Reply) -> None:
        """Ends the connection: at once when it waits for a command, else after the command."""
        self._parting = parting
        if self.phase is Phase.WAITING:
            self._part(parting)

    def cut_off(self, parting: Reply) -> None:
        """As say_goodbye, but wherever the peer is waited for, within a message too."""
        self._is_cut_off = True
        self.say_goodbye(parting)
        if self.phase is Phase.BUSY and self._deadline != math.inf:
            self._part(parting)

    def let_go(self) -> None:
        """Behind the ends of conversation and connection: drops what refers back to this object, so
        that its memory is free at once. Else a collection finds thousands of them, and the loop
        stands still for it.
        """
        self._ends += 1
        if self._ends == 2:
            self._client_connected_cb = None
            self._stream_writer = None
            self._handler_coroutine = None
            del self._writer
            self._forget_error()

    def _forget_error(self) -> None:
        """Of a connection that broke: it refers to the frame that waited, and so to this object."""
        self._reader._exception = None  # type: ignore[attr-defined]
        closed: asyncio.Future[None] = self._closed  # type: ignore[has-type]
        self._closed = self.loop.create_future()
        if closed.done() and not closed.cancelled():
            closed.exception()  # else it is told of as one that nobody read

    def never_began(self) -> None:
        """The TLS handshake failed: there was no conversation."""
        self.phase = Phase.ENDED
        self._client_connected_cb = None
        self._on_end(self)

    def abort_quietly(self) -> None:
        """After a failed handshake nothing can be said."""
        self.phase = Phase.ENDED
        if self.transport is not None:
            self._transport_now().abort()

    def abort(self) -> None:
        """Ends the connection without a word."""
        if self.transport is not None:
            self._transport_now().abort()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()

    async def ended(self) -> None:
        """Returns when nothing of the connection is left."""
        if self._handler_coroutine is not None:
            await asyncio.wait([self._handler_coroutine])

    def secured(self, transport: asyncio.BaseTransport) -> None:
        self.over_tls = True
        cipher = transport.get_extra_info("cipher") or ("", "", 0)
        session = transport.get_extra_info("ssl_object")
        self.policy.secured(
            f"{cipher[1]} {cipher[0]}".strip(),
            session if isinstance(session, ssl.SSLObject) else None,
        )

    # -- time

    def _reset_timeout(self, duration: float | None = None) -> None:
        """The library's own timer is not used."""

    def allow(self, seconds: float, awaited: str) -> None:
        """From here on the peer has so many seconds for what the text names."""
        self._allowed, self._awaited = seconds, awaited
        self._deadline = self.loop.time() + seconds
        handle = self._timeout_handle
        if handle is None or handle.cancelled() or handle.when() > self._deadline:
            if handle is not None:
                handle.cancel()
            self._timeout_handle = self.loop.call_at(self._deadline, self._timeout_cb)

    def stop_clock(self) -> None:
        """The peer is not waited for."""
        self._deadline = math.inf

    def _timeout_cb(self) -> None:
        self._timeout_handle = None
        if self.transport is None or self._deadline is math.inf:
            return
        if self.loop.time() < self._deadline:
            self._timeout_handle = self.loop.call_at(self._deadline, self._timeout_cb)
            return
        self.policy.log.info("timed out", awaited=self._awaited, seconds=self._allowed)
        self._part(replies.timed_out(self.hostname, self._awaited, self._allowed))

    def _part(self, parting: Reply) -> None:
        """Says why, closes, and wakes the handler that waits for input."""
        self.send(parting)
        self._close()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()

    def _close(self) -> None:
        self.phase = Phase.ENDED
        self._deadline = math.inf
        if self.transport is None:
            return
        self._write()
        transport = self._transport_now()
        if transport.is_closing():
            return
        transport.close()
        self.loop.call_later(self.wiring.timeouts.linger, transport.abort)

    def close_after_reply(self) -> None:
        """For QUIT: what was gathered is written, then the connection ends."""
        self._close()

    # -- output

    def send(self, reply: Reply) -> None:
        """Gathers a reply; it is written before the connection waits for input."""
        self._out.append(reply.wire)
        self._gathered += len(reply.wire)
        # not 503: a client that pipelines gets one for each command behind a refused MAIL
        self._errors += reply.code in (500, 501, 502, 504)

    def send_line(self, line: bytes) -> None:
        """Gathers a line of an AUTH exchange."""
        self._out.append(line)

    async def flush(self) -> None:
        """Writes what was gathered and waits while the peer is slow to take it."""
        self._write()
        if self._paused:  # type: ignore[attr-defined]
            self.allow(self.wiring.timeouts.reply, "no reply taken")
            try:
                await self._drain_helper()  # type: ignore[attr-defined]
            except ConnectionError:
                raise Gone from None
            self.stop_clock()

    def _write(self) -> None:
        if self._out and self.transport is not None:
            self._transport_now().write(b"".join(self._out))
        self._out.clear()
        self._gathered = 0

    def _transport_now(self) -> asyncio.Transport:
        if self.transport is None:
            raise Gone
        return cast(asyncio.Transport, self.transport)  # uvloop's are no subclasses

    # -- input

    async def more(self) -> None:
        """Writes what was gathered and waits for more input. Raises Gone at its end."""
        if self._out:
            await self.flush()
        reader = self._reader
        if self._is_cut_off and self._parting is not None:
            self.send(self._parting)
            self._close()
            raise Gone
        if reader.at_eof() or reader._eof or self.transport is None:  # type: ignore[attr-defined]
            raise Gone
        size = len(self.buffer)
        try:
            await reader._wait_for_data("more")  # type: ignore[attr-defined]
        except OSError:  # reset by the peer
            raise Gone from None
        if len(self.buffer) == size:
            raise Gone

    async def speaks_within(self, seconds: float) -> bool:
        """Whether something comes in that time. Raises Gone at the end of the input."""
        self.phase = Phase.WAITING
        try:
            async with asyncio.timeout(seconds):
                await self.more()
        except TimeoutError:
            return False
        finally:
            if self.phase is Phase.WAITING:
                self.phase = Phase.BUSY
        return True

    async def pause(self, seconds: float) -> None:
        """Lets the peer wait; ends early when it goes or is told to go."""
        self.phase = Phase.WAITING
        self._pausing = self.loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._pausing
        except TimeoutError:
            pass
        finally:
            self._pausing = None
            if self.phase is Phase.WAITING:
                self.phase = Phase.BUSY
        if self.transport is None:
            raise Gone

    def taken(self) -> None:
        """To be called after bytes were removed from the buffer."""
        self._reader._maybe_resume_transport()  # type: ignore[attr-defined]

    async def line(self, limit: int = MAX_LINE) -> bytes | None:
        """The next line with its LF; None for one that was too long and has been skipped."""
        buffer, scanned = self.buffer, 0
        while True:
            at = buffer.find(b"\n", scanned)
            if 0 <= at < limit:
                line = bytes(buffer[: at + 1])
                del buffer[: at + 1]
                return line
            if at >= 0 or len(buffer) >= limit:
                await self._skip_line()
                return None
            scanned = len(buffer)
            await self.more()

    async def _skip_line(self) -> None:
        skipped, buffer = 0, self.buffer
        while True:
            at = buffer.find(b"\n")
            taken = at + 1 if at >= 0 else len(buffer)
            del buffer[:taken]
            self.taken()
            if at >= 0:
                return
            skipped += taken
            if skipped > MAX_SKIPPED:
                self.send(replies.LINE_TOO_LONG)
                self._close()
                raise Gone
            await self.more()
