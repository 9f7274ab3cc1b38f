"""A scripted HTTPS server on loopback: answers by path and host, keeps what it was asked.

It speaks just enough HTTP/1.1, so that it can also speak it wrongly.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Asked:
    """One request: method, path, the Host field, all fields in lower case, and the body."""

    method: str
    path: str
    host: str
    fields: dict[str, str]
    body: bytes


@dataclass
class HttpsServer:
    """`answer` is the whole response; `stall` says nothing at all."""

    answer: bytes = b""
    stall: bool = False
    drip: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def serve(
        self, body: bytes, *, status: str = "200 OK", media_type: str = "text/plain", more: str = ""
    ) -> None:
        """Sets the answer."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\n{more}"
        self.answer = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def start(
        self, context: ssl.SSLContext | None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._server = await asyncio.start_server(self._serve, host, port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        fields = {k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in lines)}
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        method, path, _ = first.split(" ", 2)
        self.asked.append(Asked(method, path, fields.get("host", ""), fields, body))
        if self.stall:
            await reader.read()
            return
        if not self.drip:
            writer.write(self.answer)
            await writer.drain()
            return
        for octet in self.answer:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(self.drip)


@asynccontextmanager
async def https_server(
    context: ssl.SSLContext | None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[HttpsServer]:
    """A running server, closed at the end."""
    server = HttpsServer()
    await server.start(context, host, port)
    try:
        yield server
    finally:
        await server.close()
