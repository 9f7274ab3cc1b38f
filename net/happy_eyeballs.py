"""The first of several addresses that answers: staggered connects (RFC 8305 §5).

The next address is tried when the last one failed, or has not answered within DELAY; whoever is
connected first wins, the others are given up.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Mapping, Sequence

DELAY = 0.25
# Linux; the socket module names it from Python 3.12 on.
_BIND_ADDRESS_NO_PORT = 24
NO_SOURCES: Mapping[socket.AddressFamily, str] = {}


async def connect_first(
    addresses: Sequence[str],
    port: int,
    seconds: float,
    sources: Mapping[socket.AddressFamily, str] = NO_SOURCES,
) -> tuple[str, socket.socket]:
    """One of the numeric addresses, with a connected socket. Raises OSError: that of the last
    address that failed, or TimeoutError after so many seconds. `sources` are our own addresses
    to connect from, by family; the system chooses where there is none.
    """
    came = await _race(addresses, port, seconds, sources)
    if isinstance(came, BaseException):
        try:
            raise came
        finally:
            del came  # else it refers to itself by way of this frame
    return came


async def _race(
    addresses: Sequence[str],
    port: int,
    seconds: float,
    sources: Mapping[socket.AddressFamily, str],
) -> tuple[str, socket.socket] | BaseException:
    """The first connection, or why there is none. Raises TimeoutError."""
    waiting, tasks = deque(addresses), dict[asyncio.Task[socket.socket], str]()
    won: asyncio.Task[socket.socket] | None = None
    failure: BaseException = TimeoutError()
    try:
        async with asyncio.timeout(seconds):
            pending: set[asyncio.Task[socket.socket]] = set()
            while waiting or pending:
                if waiting:
                    address = waiting.popleft()
                    task = asyncio.create_task(_connect(address, port, sources))
                    tasks[task] = address
                    pending.add(task)
                done, pending = await asyncio.wait(
                    pending,
                    timeout=DELAY if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    error = task.exception()
                    if error is None:
                        won = task
                        return tasks[task], task.result()
                    failure = error
        return failure
    finally:
        for task in tasks:
            if task is not won:
                task.add_done_callback(_close)
                task.cancel()


def family_of(address: str) -> socket.AddressFamily:
    """Of a numeric address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


async def _connect(
    address: str, port: int, sources: Mapping[socket.AddressFamily, str]
) -> socket.socket:
    family = family_of(address)
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    try:
        if family in sources:
            bind_source(made, sources[family])
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


def bind_source(made: socket.socket, source: str) -> None:
    """Lets a socket connect from one of our addresses. The port is chosen at the connect, so that
    many connections to different peers may share one. Raises OSError.
    """
    with contextlib.suppress(OSError, AttributeError):
        made.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    made.bind((source, 0))


def _close(task: asyncio.Task[socket.socket]) -> None:
    """Of one that came second."""
    with contextlib.suppress(asyncio.CancelledError, OSError):
        task.result().close()
