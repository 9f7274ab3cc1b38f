"""A milter that says what a test tells it to, and keeps what it heard.

Its side of the wire is written here anew, so that it is a second opinion.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CONTINUE = b"c"
HANG, CLOSE, DEAF = b"<hang>", b"<close>", b"<deaf>"
SILENT = {b"D", b"A", b"Q"}


def said(letter: bytes, data: bytes = b"") -> bytes:
    """One packet."""
    return struct.pack(">I", len(data) + 1) + letter + data


@dataclass(slots=True)
class MilterPeer:
    """`answers` are packets by the letter of what was heard; `c` to everything else. `wishes` and
    `actions` are what it agrees upon; `delay` is before each answer, in seconds.
    """

    answers: Mapping[bytes, bytes] = field(default_factory=dict)
    wishes: int = 0
    actions: int = 0x1FF
    version: int = 6
    macros: bytes = b""
    delay: float = 0.0
    heard: list[tuple[bytes, bytes]] = field(default_factory=list)
    connections: int = 0
    address: str = ""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def letters(self) -> str:
        """What was heard, without macros."""
        return b"".join(letter for letter, _ in self.heard if letter != b"D").decode()

    def all_of(self, letter: bytes) -> list[bytes]:
        return [data for heard, data in self.heard if heard == letter]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = struct.unpack(">I", await reader.readexactly(4))
                packet = await reader.readexactly(size)
                letter, data = packet[:1], packet[1:]
                self.heard.append((letter, data))
                if not await self._answer(letter, writer):
                    break
        writer.close()

    async def _answer(self, letter: bytes, writer: asyncio.StreamWriter) -> bool:
        answer = self.answers.get(letter)
        if answer == CLOSE or letter == b"Q":
            return False
        if answer == HANG:
            return True
        if answer == DEAF:
            await writer.wait_closed()
            return False
        if answer is None and letter == b"O":
            options = struct.pack(">III", self.version, self.actions, self.wishes)
            answer = said(b"O", options + self.macros)
        if answer is None and letter not in SILENT:
            answer = said(CONTINUE)
        if answer:
            await asyncio.sleep(self.delay)
            writer.write(answer)
            await writer.drain()
        return True


@asynccontextmanager
async def milter_peer(peer: MilterPeer) -> AsyncIterator[MilterPeer]:
    """Listens on a free port of the loopback address while the block runs."""
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.address = f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        for writer in peer.writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await server.wait_closed()
