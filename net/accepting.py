"""Accepting connections one by one: at a listening socket, and behind a proxy that is believed.

A proxy of listen.proxy_protocol_from has to send a PROXY header before anything else, TLS included;
who connects is then whom the header names. Invariants: others are never asked for one, and what
they send is never taken for one; no more is read than the header, in HEADER_SECONDS.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Sequence

from config.fields import Network
from config.logging import Logger
from net.networks import parse_address
from net.proxy_protocol import MAX_HEADER, NotProxied, ProxyHeader, parse_header

# Accepted in one turn of the loop, so that others get theirs.
BURST = 64
HEADER_SECONDS = 10.0
HANDSHAKE_SECONDS = 30.0
# Connections of proxies that may owe their header at a time.
MAX_OWED = 1024
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE = 1.0

Name = tuple[str, int]
"""Address and port of who connects."""


class Acceptor:
    """`arrived` is given each connection with who it is from; it owns the socket from then on."""

    def __init__(
        self,
        listening: socket.socket,
        arrived: Callable[[socket.socket, Name], None],
        proxies: Sequence[Network],
        log: Logger,
    ) -> None:
        self._socket, self._arrived, self._proxies, self._log = listening, arrived, proxies, log
        self._loop = asyncio.get_running_loop()
        self._owed: set[asyncio.Task[None]] = set()
        self._resume()

    def close(self) -> None:
        """Stops accepting; headers are no longer waited for."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for task in self._owed:
            task.cancel()

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(BURST):
            try:
                accepted, name = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._log.error("no more connections can be accepted", reason=str(error))
                self._loop.remove_reader(self._socket.fileno())
                self._loop.call_later(_PAUSE, self._resume)
                return
            accepted.setblocking(False)
            if self._proxies and self._is_proxy(name[0]):
                self._ask(accepted, name[:2])
            else:
                self._arrived(accepted, name[:2])

    def _is_proxy(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._proxies)

    def _ask(self, accepted: socket.socket, proxy: Name) -> None:
        if len(self._owed) >= MAX_OWED:
            accepted.close()
            return
        task = self._loop.create_task(self._introduce(accepted, proxy))
        self._owed.add(task)
        task.add_done_callback(self._owed.discard)

    async def _introduce(self, accepted: socket.socket, proxy: Name) -> None:
        try:
            async with asyncio.timeout(HEADER_SECONDS):
                header = await read_header(accepted)
        except (NotProxied, TimeoutError) as error:
            accepted.close()
            reason = str(error) or f"no PROXY header within {HEADER_SECONDS:g} seconds"
            self._log.warning("proxy refused", peer=proxy[0], reason=reason)
        except (OSError, EOFError):  # looks whether the port is open, and goes
            accepted.close()
        except BaseException:
            accepted.close()
            raise
        else:
            self._arrived(accepted, header.source or proxy)


async def read_header(accepted: socket.socket) -> ProxyHeader:
    """Takes the header from a non-blocking socket and nothing behind it.

    Raises NotProxied, EOFError, OSError.
    """
    got = b""
    while True:
        await _readable(accepted)
        try:
            piece = accepted.recv(MAX_HEADER, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            continue
        if not piece:
            raise EOFError
        header = parse_header(got + piece)
        got += accepted.recv(len(piece) if header is None else header.length - len(got))
        if header is not None:
            return header


async def _readable(accepted: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(accepted.fileno(), lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(accepted.fileno())


class Serving:
    """Connects `make`'s protocol to each connection of a listening socket, under TLS if asked."""

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[Name], asyncio.BaseProtocol],
        tls: ssl.SSLContext | None,
        proxies: Sequence[Network],
        log: Logger,
    ) -> None:
        self._make, self._tls = make, tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._acceptor = Acceptor(listening, self._arrived, proxies, log)

    def close(self) -> None:
        """Stops accepting; handshakes under way are broken off."""
        self._acceptor.close()
        for task in self._tasks:
            task.cancel()

    def _arrived(self, accepted: socket.socket, name: Name) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.get_running_loop().create_task(self._connect(accepted, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, accepted: socket.socket, name: Name) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._make(name),
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self._tls is not None else None,
            )
        except (OSError, TimeoutError):  # a handshake that failed
            accepted.close()
        except BaseException:
            accepted.close()
            raise
