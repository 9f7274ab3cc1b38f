"""One TCP connection to a peer: bytes out, replies in. Every wait and every buffer is bounded.

A connection has one timer, which is left alone while deadlines only move away: at its time it looks
what the deadline is by then. Invariants: a reply that nobody asked for before TLS starts ends the
connection (injection); after an error the connection is dead and says so on every further use.
"""

import asyncio
import contextlib
import math
import os
import socket
import ssl
from collections import deque
from typing import cast

from net.happy_eyeballs import connect_first, family_of
from net.peer_chain import peer_chain
from smtp.outbound.peer_reply import BadReply, PeerReply, ReplyParser

_PAUSE_REPLIES = 256


class ConnectionFailed(Exception):
    """Connecting, talking or TLS failed; the text says how, in words for a reply."""


class HandshakeFailed(ConnectionFailed):
    """TLS could not be started; `error` is what the TLS library says, if it was asked."""

    def __init__(self, text: str, error: BaseException | None = None) -> None:
        super().__init__(text)
        self.error = error


class Connection(asyncio.Protocol):
    """Made by `connect`. One task uses it at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._replies: deque[PeerReply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._failure = ""
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._replies += self._parser.feed(data)
        except BadReply as error:
            self._fail(f"the peer answered with {error}")
        if len(self._replies) > _PAUSE_REPLIES:
            self._fail("the peer sent replies without being asked")
        self._wake()

    def eof_received(self) -> bool:
        self._fail("the peer closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection broke: {exc}" if exc else "the peer closed the connection")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # Called by the client.

    @property
    def alive(self) -> bool:
        return not self._failure

    def write(self, data: bytes) -> None:
        """Buffers bytes; raises ConnectionFailed when the connection is dead."""
        if self._failure or self._transport is None:
            raise ConnectionFailed(self._failure)
        self._transport.write(data)

    async def drain(self, seconds: float) -> None:
        """Returns when the peer has taken most of what was written."""
        if not self._writable.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._writable.wait()
            except TimeoutError:
                self._fail("the peer took no data in time")
        if self._failure:
            raise ConnectionFailed(self._failure)

    async def reply(self, seconds: float) -> PeerReply:
        """The next reply, in order; raises ConnectionFailed."""
        if not self._replies:
            self._allow(seconds)
            try:
                while not self._replies:
                    if self._failure:
                        raise ConnectionFailed(self._failure)
                    self._waiter = self._loop.create_future()
                    await self._waiter
            finally:
                self._deadline = math.inf
        return self._replies.popleft()

    def early_reply(self) -> PeerReply | None:
        """A reply that came before anybody waited for it."""
        return self._replies.popleft() if self._replies else None

    async def start_tls(self, context: ssl.SSLContext, hostname: str, seconds: float) -> None:
        """Turns TLS on; raises HandshakeFailed, also when plain replies wait already."""
        if self._replies or self._parser.pending or self._transport is None:
            self._fail("the peer sent more before TLS")
            raise HandshakeFailed(self._failure)
        try:
            secured = await self._loop.start_tls(
                self._transport,
                self,
                context,
                server_hostname=hostname,
                ssl_handshake_timeout=seconds,
            )
        except (OSError, ssl.SSLError) as error:
            self._fail(f"TLS failed: {reason(error)}")
            raise HandshakeFailed(self._failure, error) from None
        if secured is None:
            self._fail("TLS failed: the connection broke")
            raise HandshakeFailed(self._failure)
        self._transport = secured

    @property
    def own_address(self) -> str:
        """Where the connection comes from, "" when that is not known."""
        name = self._transport.get_extra_info("sockname") if self._transport else None
        return str(name[0]) if name else ""

    @property
    def tls_version(self) -> str:
        """As the TLS library names it, such as "TLSv1.3"; "" without TLS."""
        tls = self._transport.get_extra_info("ssl_object") if self._transport else None
        return str(tls.version()) if tls is not None else ""

    def peer_chain(self) -> list[bytes]:
        """The certificates that the peer showed, its own first, in DER; unverified."""
        assert self._transport is not None
        return peer_chain(self._transport.get_extra_info("ssl_object"))

    def close(self) -> None:
        """Ends the connection at once; never raises."""
        self._fail("closed")

    def _allow(self, seconds: float) -> None:
        self._deadline = at = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() > at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and not self._failure:
            self._timer = self._loop.call_at(at, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._loop.time() >= self._deadline:
            self._fail("the peer did not answer in time")
        elif self._deadline < math.inf:
            self._timer = self._loop.call_at(self._deadline, self._look_at_time)

    def _fail(self, text: str) -> None:
        self._failure = self._failure or text
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._writable.set()
        self._wake()
        if self._transport is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def connect(
    address: str,
    port: int,
    seconds: float,
    *,
    tls: ssl.SSLContext | None = None,
    hostname: str = "",
    made: socket.socket | None = None,
    source: str = "",
) -> Connection:
    """A connection to a numeric address, with TLS from the start if `tls` is given; over the
    socket `made` if it is connected already, else from our own address `source` if that is given.
    """
    loop = asyncio.get_running_loop()
    name = hostname if tls else None
    try:
        async with asyncio.timeout(seconds):
            if made is None and source:
                _, made = await connect_first(
                    [address], port, seconds, {family_of(address): source}
                )
            if made is not None:
                _, connection = await loop.create_connection(
                    Connection, sock=made, ssl=tls, server_hostname=name
                )
            else:
                _, connection = await loop.create_connection(
                    Connection, address, port, ssl=tls, server_hostname=name
                )
    except TimeoutError:
        raise ConnectionFailed("no connection in time") from None
    except (OSError, ssl.SSLError) as error:
        raise ConnectionFailed(f"no connection: {reason(error)}") from None
    return connection


def reason(error: OSError) -> str:
    """An error of the system in words for a reply."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "handshake").replace("_", " ").lower()
    return os.strerror(error.errno) if error.errno else type(error).__name__
