"""UDP sockets connected to one name server; each has one question under way at a time.

Whoever guesses at an answer has to guess its port (RFC 5452 §9.2), so each question has a socket of
its own. Only from a name server on this machine nobody outside can pretend to send: there a socket
that brought an answer and nothing else is used again, which spares four system calls and more of
the loop's book-keeping a question.
"""

import asyncio
import socket
import weakref

from net.dns_message import Question, answers
from net.dns_names import is_loopback

MAX_DATAGRAM = 4096
# Above it somebody guesses ids; TCP can't be guessed at (RFC 5452 §9.3).
MAX_STRAY = 16
# Sockets kept without a question.
MAX_IDLE = 16

Address = tuple[str, int]


class Port:
    """One socket. `strays` counts datagrams that answered nothing."""

    def __init__(self, server: Address, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.strays = 0
        self._question: Question | None = None
        self._answer: asyncio.Future[bytes | None] | None = None
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._socket = sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        # a loop that ends takes the port with it
        self._close = weakref.finalize(self, sock.close)
        try:
            # connected: the kernel drops what comes from elsewhere
            sock.connect(server)
        except OSError:
            self._close()
            raise
        loop.add_reader(sock.fileno(), self._readable)

    @property
    def closed(self) -> bool:
        return not self._close.alive

    async def ask(self, question: Question, until: float) -> bytes | None:
        """As `Ports.ask`."""
        self._question, self._answer = question, self.loop.create_future()
        timer = self.loop.call_at(until, self._expired)
        try:
            self._socket.send(question.wire)
            return await self._answer
        finally:
            timer.cancel()
            self._question = self._answer = None

    def close(self) -> None:
        if not self.closed:
            self.loop.remove_reader(self._socket.fileno())
            self._close()

    def _expired(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(TimeoutError())

    def _readable(self) -> None:
        question, answer = self._question, self._answer
        try:
            wire = self._socket.recv(MAX_DATAGRAM)
        except BlockingIOError:
            return
        except OSError as error:
            if answer is not None and not answer.done():
                # without this frame, which refers to the answer
                answer.set_exception(error.with_traceback(None))
            self.close()
            return
        if question is None or answer is None or answer.done():
            self.close()
        elif answers(wire, question):
            answer.set_result(wire)
        else:
            self.strays += 1
            if self.strays >= MAX_STRAY:
                answer.set_result(None)


class Ports:
    """Those of one name server."""

    def __init__(self, server: Address) -> None:
        self._server = server
        self._most = MAX_IDLE if is_loopback(server[0]) else 0
        self._idle: list[Port] = []

    async def ask(self, question: Question, until: float) -> bytes | None:
        """The first datagram that answers, None after too many that don't.

        `until` is a time of the loop's clock. Raises OSError, of which TimeoutError is one.
        """
        port = self._take()
        try:
            wire = await port.ask(question, until)
        except BaseException:
            # of a server that was silent or not there nothing is kept
            port.close()
            self.close()
            raise
        if port.strays or len(self._idle) >= self._most:
            port.close()
        else:
            self._idle.append(port)
        return wire

    def close(self) -> None:
        """Closes those without a question."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> Port:
        loop = asyncio.get_running_loop()
        while self._idle:
            port = self._idle.pop()
            if port.loop is loop and not port.closed:
                return port
        return Port(self._server, loop)
