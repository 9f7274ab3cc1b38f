"""Servers that speak clamd's protocol and misbehave, as no real clamd can be made to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

VERSION = b"ClamAV 1.4.6/27000/Sat Nov 28 00:00:00 2026"


@dataclass(slots=True)
class FalseClamd:
    """`verdict` is what it does behind INSTREAM, with what it read of the content if it did."""

    verdict: "Verdict"
    port: int = 0
    connections: int = 0
    scans: int = 0
    pings: bool = True
    version: bytes = VERSION
    writers: "set[asyncio.StreamWriter]" = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"tcp:127.0.0.1:{self.port}"

    def drop(self) -> None:
        """Ends all connections at once."""
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        number = 0
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                command = (await reader.readuntil(b"\0"))[:-1]
                if command == b"zIDSESSION":
                    continue
                number += 1
                if command == b"zVERSION":
                    writer.write(b"%d: %b\0" % (number, self.version))
                elif command == b"zPING":
                    if self.pings:
                        writer.write(b"%d: PONG\0" % number)
                elif command == b"zINSTREAM":
                    self.scans += 1
                    await self.verdict(Stream(reader, writer, number))
        writer.close()


@dataclass(slots=True)
class Stream:
    """One INSTREAM."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def chunk(self) -> bytes:
        """The next, b"" at the end."""
        size = int.from_bytes(await self.reader.readexactly(4))
        return await self.reader.readexactly(size)

    async def content(self) -> bytes:
        found = b""
        while chunk := await self.chunk():
            found += chunk
        return found

    def say(self, text: bytes) -> None:
        self.writer.write(b"%d: %b\0" % (self.number, text))


Verdict = Callable[[Stream], Awaitable[None]]


@asynccontextmanager
async def false_clamd(verdict: Verdict) -> AsyncIterator[FalseClamd]:
    """Serves on a port of the loopback address within the block."""
    false = FalseClamd(verdict)
    server = await asyncio.start_server(false.serve, "127.0.0.1", 0)
    false.port = server.sockets[0].getsockname()[1]
    try:
        yield false
    finally:
        server.close()
        false.drop()
        await server.wait_closed()


async def clean(stream: Stream) -> None:
    """As a real one says it."""
    await stream.content()
    stream.say(b"stream: OK")


async def hang(stream: Stream) -> None:
    """Takes everything and says nothing."""
    await stream.content()


async def deaf(_: Stream) -> None:
    """Stops reading."""
    await asyncio.Event().wait()


async def die(stream: Stream) -> None:
    """Goes in the middle of the content."""
    await stream.chunk()
    stream.writer.transport.abort()


async def leave(stream: Stream) -> None:
    """Goes politely, with nothing said."""
    await stream.content()
    stream.writer.close()


async def hasty(stream: Stream) -> None:
    """Calls clean what it has not seen."""
    stream.say(b"stream: OK")


async def endless(stream: Stream) -> None:
    """Talks without an end."""
    await stream.content()
    for _ in range(100):
        stream.writer.write(b"x" * 1000)
        await stream.writer.drain()


def saying(text: bytes) -> Verdict:
    """Answers the content with these words."""

    async def verdict(stream: Stream) -> None:
        await stream.content()
        stream.say(text)

    return verdict


def blurting(octets: bytes) -> Verdict:
    """Answers the content with these octets, whatever they are."""

    async def verdict(stream: Stream) -> None:
        await stream.content()
        stream.writer.write(octets)

    return verdict
