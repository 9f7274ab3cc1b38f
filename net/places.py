"""Where a service of another process listens: `unix:/path` or `tcp:host:port`."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.fields import Endpoint, parse_endpoint
from net.listener import ListenError, address_of, bind
from net.sealed import MOST

DIAL_SECONDS: Final = 3.0
BUFFER: Final = MOST
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """One of the two is set."""

    path: Path | None = None
    endpoint: Endpoint | None = None

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path is not None else f"tcp:{self.endpoint}"


def parse_place(text: str) -> Place:
    """Raises ValueError."""
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest.startswith("/") and "\0" not in rest:
        return Place(path=Path(rest))
    if kind == "tcp":
        return Place(endpoint=parse_endpoint(rest))
    raise ValueError('a place such as "unix:/run/mailserver/auth.sock" or "tcp:127.0.0.1:2600"')


async def dial(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises OSError, TimeoutError."""
    async with asyncio.timeout(DIAL_SECONDS):
        if place.endpoint is not None:
            at = place.endpoint
            return await asyncio.open_connection(at.host, at.port, limit=BUFFER)
        assert place.path is not None
        with _short(place.path) as path:
            return await asyncio.open_unix_connection(path, limit=BUFFER)


async def listen(place: Place, serve: Serve) -> tuple[asyncio.Server, Place]:
    """Listens, and where: the port that the system chose. A socket file that a killed process left
    is replaced. Raises ListenError.
    """
    if place.endpoint is not None:
        bound = bind(place.endpoint)[0]
        server = await asyncio.start_server(serve, sock=bound, limit=BUFFER)
        return server, Place(endpoint=address_of(bound))
    assert place.path is not None
    try:
        bound = await asyncio.to_thread(_bind, place.path)
    except OSError as error:
        raise ListenError(f"{place.path}: {error.strerror}") from None
    return await asyncio.start_unix_server(serve, sock=bound, limit=BUFFER), place


def _bind(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    bound = socket.socket(socket.AF_UNIX)
    previous = os.umask(0o177)
    try:
        with _short(path) as short:
            with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(short)
                raise OSError(98, "another process listens there")
            path.unlink(missing_ok=True)
            bound.bind(short)
        bound.listen(64)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    finally:
        os.umask(previous)
    return bound


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path below the 108 octets of sockaddr_un, through a descriptor of its folder."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
