"""A DNS server on loopback that says whatever a test tells it to, octet by octet.

`udp` and `tcp` make of a query the messages to send: datagrams, or chunks of one stream without the
length, which `stream` puts before a message.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from config.fields import Endpoint
from tests.support.dns_server import port_of_both

Answers = Callable[[bytes], Iterable[bytes]]
ANSWER = 0x8180
POINTER = b"\xc0\x0c"


def message(
    query: bytes, records: Iterable[bytes] = (), *, flags: int = ANSWER, count: int | None = None
) -> bytes:
    """An answer to a query: its id and question, and these records; `count` as claimed."""
    question = query[12 : query.index(b"\0", 12) + 5]
    answers = list(records)
    claimed = len(answers) if count is None else count
    header = query[:2] + struct.pack("!HHHHH", flags, 1, claimed, 0, 0)
    return header + question + b"".join(answers)


def record(kind: int, data: bytes, *, owner: bytes = POINTER, ttl: int = 60) -> bytes:
    """One record of class IN; the owner is the question's name unless told."""
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def address(number: int) -> bytes:
    """An A record of 10.x.x.x."""
    return record(1, struct.pack("!I", 0x0A000000 + number))


def stream(wire: bytes) -> bytes:
    """A message as TCP carries it."""
    return struct.pack("!H", len(wire)) + wire


class RogueDns(asyncio.DatagramProtocol):
    """`asked` counts queries by transport; between chunks of a stream `pause` seconds go by."""

    def __init__(self) -> None:
        self.udp: Answers = lambda query: []
        self.tcp: Answers = lambda query: []
        self.pause = 0.0
        self.asked = {"udp": 0, "tcp": 0}
        self.endpoint = Endpoint(host="127.0.0.1", port=0)
        self.transport: asyncio.DatagramTransport | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        self.asked["udp"] += 1
        for wire in self.udp(data):
            self.transport.sendto(wire, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            query = await reader.readexactly(size)
            self.asked["tcp"] += 1
            for chunk in self.tcp(query):
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(self.pause)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def rogue_dns() -> AsyncIterator[RogueDns]:
    """A running one, silent until it is told what to say."""
    rogue = RogueDns()
    stream_socket, datagrams = port_of_both()
    server = await asyncio.start_server(rogue.serve, sock=stream_socket)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: rogue, sock=datagrams)
    rogue.transport = transport
    rogue.endpoint = Endpoint(host="127.0.0.1", port=stream_socket.getsockname()[1])
    try:
        yield rogue
    finally:
        transport.close()
        server.close()
        await server.wait_closed()
