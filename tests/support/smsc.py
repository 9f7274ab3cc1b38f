"""A scripted SMS centre (SMPP 3.4) for tests, written from the specification: it takes, throttles,
refuses, is silent, breaks off.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from struct import pack, unpack

BIND, SUBMIT, UNBIND, ENQUIRE, NACK = 0x02, 0x04, 0x06, 0x15, 0x80000000


@dataclass(frozen=True, slots=True)
class Taken:
    """The fields of one submit_sm (§4.4.1)."""

    source: tuple[int, int, str]
    to: tuple[int, int, str]
    esm_class: int
    coding: int
    octets: bytes
    others: tuple[int | str, ...]

    @property
    def text(self) -> str:
        """What people read; of GSM only letters that ASCII has in the same place, and "@"."""
        body = self.octets[6:] if self.esm_class & 0x40 else self.octets
        if self.coding == 8:
            return body.decode("utf-16-be")
        return body.replace(b"\0", b"@").decode("latin-1")


@dataclass
class Centre:
    """`answers` are statuses of the next texts, 0 behind them; `silent` are commands without an
    answer; `drop` ends the connection at so many texts; `hold` keeps answers back until it is set.
    """

    bind_status: int = 0
    answers: deque[int] = field(default_factory=deque)
    silent: set[int] = field(default_factory=set)
    drop: int = 0
    garbage: bytes = b""
    hold: asyncio.Event | None = None
    port: int = 0
    commands: list[int] = field(default_factory=list)
    binds: list[tuple[str, str, str, int]] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    most_waiting: int = 0
    ended: list[int] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _waiting: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        tasks: list[asyncio.Task[None]] = []
        try:
            while True:
                length, command, status, sequence = unpack(">IIII", await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                self.commands.append(command)
                if not command & NACK:
                    work = self._answer(writer, command, sequence, body)
                    tasks.append(asyncio.create_task(work))
                else:
                    self.ended.append(status)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            writer.close()

    def say(self, command: int, status: int = 0, sequence: int = 1, body: bytes = b"") -> None:
        """To whom is bound."""
        self.writers[-1].write(pack(">IIII", 16 + len(body), command, status, sequence) + body)

    async def _answer(
        self, writer: asyncio.StreamWriter, command: int, sequence: int, body: bytes
    ) -> None:
        if self.garbage:
            writer.write(self.garbage)
            return
        status, answer = 0, b""
        fields = Fields(body)
        match command:
            case 0x02:
                names = fields.text(), fields.text(), fields.text()
                self.binds.append((*names, fields.octet()))
                assert (fields.octet(), fields.octet(), fields.text()) == (0, 0, "")
                status, answer = self.bind_status, b"centre\0"
            case 0x04:
                if self.drop:
                    self.drop -= 1
                    writer.close()
                    return
                self._waiting += 1
                self.most_waiting = max(self.most_waiting, self._waiting)
                if self.hold is not None:
                    await self.hold.wait()
                self._waiting -= 1
                status, answer = self.answers.popleft() if self.answers else 0, b"id\0"
                if status == 0:
                    self.taken.append(_taken(fields))
        if command not in self.silent:
            answer = b"" if status else answer
            writer.write(pack(">IIII", 16 + len(answer), command | NACK, status, sequence) + answer)


@dataclass
class Fields:
    """A body, from its beginning on."""

    rest: bytes

    def octet(self) -> int:
        found, self.rest = self.rest[0], self.rest[1:]
        return found

    def text(self) -> str:
        found, _, self.rest = self.rest.partition(b"\0")
        return found.decode("ascii")


def _taken(fields: Fields) -> Taken:
    service = fields.text()
    source = fields.octet(), fields.octet(), fields.text()
    to = fields.octet(), fields.octet(), fields.text()
    esm_class = fields.octet()
    others: list[int | str] = [fields.octet(), fields.octet(), fields.text(), fields.text()]
    others += [fields.octet(), fields.octet()]
    coding = fields.octet()
    others.append(fields.octet())
    length = fields.octet()
    octets = fields.rest
    assert len(octets) == length
    return Taken(source, to, esm_class, coding, octets, (service, *others))


def read_submit(body: bytes) -> Taken:
    """The fields of a body."""
    return _taken(Fields(body))


async def until(check: Callable[[], object]) -> None:
    """Returns when `check()` is true; fails when that does not come."""
    for _ in range(3000):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited in vain")


@asynccontextmanager
async def sms_centre(context: ssl.SSLContext | None = None) -> AsyncIterator[Centre]:
    """On a port of its own."""
    centre = Centre()
    server = await asyncio.start_server(centre.serve, "127.0.0.1", 0, ssl=context)
    centre.port = server.sockets[0].getsockname()[1]
    try:
        yield centre
    finally:
        server.close()
        for writer in centre.writers:
            writer.close()
        await server.wait_closed()
