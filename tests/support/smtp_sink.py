"""A scripted SMTP server for tests of the sending side: takes, refuses, defers, breaks, drips.

It records every command and every message as it came. A script is changed while it runs:
`sink.refuse["bob@there.test"] = "550 5.1.1 no such user"`. `stall_at` is a verb, or END for the end
of the data. `pause` is before the reply to the data, `at_most` how many sessions are served;
`lose_replies` is the part of messages that are taken without a word.
"""

import asyncio
import base64
import random
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from config.fields import Endpoint

EXTENSIONS = ("PIPELINING", "SIZE 10485760", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


@dataclass(slots=True)
class Received:
    """One message as it was accepted, dots undone. `heard`: the client went on after the reply.
    `peer` is the client's address.
    """

    sender: str
    recipients: list[str]
    data: bytes
    mail: str
    rcpt: list[str]
    tls: bool
    session: int
    heard: bool = False
    peer: str = ""
    helo: str = ""


@dataclass
class Sink:
    """What to do and what happened. Times a reply is dropped count down (`drop_after_data`)."""

    extensions: Sequence[str] = EXTENSIONS
    greeting: str = "220 sink ESMTP"
    ehlo: str = ""
    helo: str = "250 sink"
    mail: str = "250 2.1.0 ok"
    refuse: dict[str, str] = field(default_factory=dict)
    data: str = "354 go on"
    final: str = "250 2.0.0 taken"
    starttls: str = "220 2.0.0 ready"
    login: tuple[str, str] | None = None
    offer_login: bool = True
    data_always: bool = False
    drop_after_data: int = 0
    drop_after_rcpt: int = 0
    lose_replies: float = 0.0
    close_behind_refusals: bool = False
    chance: random.Random = field(default_factory=random.Random)
    stall_at: str = ""
    drip: float = 0.0
    pause: float = 0.0
    at_most: int = 0
    injected: bytes = b""
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    chunk: str = "250 2.0.0 chunk taken"
    chunks: list[int] = field(default_factory=list)
    data_octets: list[int] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    sessions: int = 0
    most_at_once: int = 0
    pipelined: bool = False
    endpoint: Endpoint = field(default_factory=lambda: Endpoint(host="127.0.0.1", port=0))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    @property
    def as_smarthost(self) -> str:
        """The configuration's section that sends everything here."""
        return f'[outbound]\nsmarthost = "smtp://{self.endpoint}"\n'

    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def closes_on(self, reply: str) -> bool:
        """Whether the connection ends behind this refusal."""
        return self.close_behind_refusals and reply[:1] in "45"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = await asyncio.start_server(
            self._serve, host, port, ssl=self.tls if self.implicit else None, limit=1 << 20
        )
        bound = self._server.sockets[0].getsockname()
        self.endpoint = Endpoint(host=bound[0], port=bound[1])

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Ends the sessions that are open."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def wait(self, count: int = 1, seconds: float = 10.0) -> None:
        """Until so many messages have arrived."""
        async with asyncio.timeout(seconds):
            while len(self.received) < count:
                self.arrived.clear()
                await self.arrived.wait()

    async def wait_for(self, recipient: str, seconds: float = 10.0) -> None:
        """Until a message for the recipient has arrived."""
        async with asyncio.timeout(seconds):
            while not any(recipient in one.recipients for one in self.received):
                self.arrived.clear()
                await self.arrived.wait()

    async def wait_for_sessions(self, count: int, seconds: float = 10.0) -> None:
        """Until so many have begun."""
        async with asyncio.timeout(seconds):
            while self.sessions < count:
                self.connected.clear()
                await self.connected.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.connected.set()
        self._writers.add(writer)
        self.most_at_once = max(self.most_at_once, len(self._writers))
        try:
            if 0 < self.at_most < len(self._writers):
                writer.write(b"421 4.7.0 too many connections\r\n")
                return
            await _Conversation(self, reader, writer, self.sessions).run()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, TimeoutError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class _Conversation:
    def __init__(
        self,
        sink: Sink,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self._sink, self._reader, self._writer, self._number = sink, reader, writer, number
        self._tls = sink.implicit
        self._last: Received | None = None
        self._helo_name = ""
        self._reset()

    def _reset(self) -> None:
        self._sender, self._mail_line = "", ""
        self._recipients: list[str] = []
        self._rcpt_lines: list[str] = []
        self._chunks = b""

    async def run(self) -> None:
        await self._say(self._sink.greeting)
        while True:
            line = await self._line()
            if self._last is not None:
                self._last.heard = True
            self._sink.commands.append(line)
            await self._stall(line.split(" ")[0])
            if not await self._command(line):
                if self._sink.close_behind_refusals and not self._tls:
                    self._writer.write_eof()  # a reset would take the reply with it
                    await self._reader.read()
                return

    async def _stall(self, at: str) -> None:
        """Says nothing more, if the script says so, until the peer is gone."""
        if self._sink.stall_at == at:
            self._sink.stalled.set()
            await self._reader.read()
            raise ConnectionResetError

    async def _line(self) -> str:
        return (await self._reader.readuntil(b"\n")).decode().rstrip("\r\n")

    async def _say(self, text: str) -> None:
        wire = text.encode() + b"\r\n"
        if not self._sink.drip:
            self._writer.write(wire)
            await self._writer.drain()
            return
        for byte in wire:
            self._writer.write(bytes([byte]))
            await self._writer.drain()
            await asyncio.sleep(self._sink.drip)

    async def _command(self, line: str) -> bool:
        """False when the conversation is over."""
        verb = line.split(" ")[0].upper()
        handler = getattr(self, f"_{verb.lower()}", None)
        if handler is None:
            await self._say("500 5.5.1 what?")
            return True
        return bool(await handler(line))

    async def _ehlo(self, line: str) -> bool:
        self._helo_name = line.partition(" ")[2]
        if self._sink.ehlo:
            await self._say(self._sink.ehlo)
            return True
        words = list(self._sink.extensions)
        if self._sink.tls is not None and not self._tls:
            words.append("STARTTLS")
        if self._sink.login is not None and self._sink.offer_login:
            words.append("AUTH PLAIN LOGIN")
        await self._say("\r\n".join(["250-sink", *(f"250-{word}" for word in words), "250 HELP"]))
        return True

    async def _helo(self, line: str) -> bool:
        await self._say(self._sink.helo)
        return True

    async def _starttls(self, line: str) -> bool:
        if self._sink.tls is None or not self._sink.starttls.startswith("220"):
            await self._say(self._sink.starttls)
            return True
        self._writer.write(self._sink.starttls.encode() + b"\r\n" + self._sink.injected)
        plain = self._writer.transport
        try:
            await self._writer.start_tls(self._sink.tls, ssl_handshake_timeout=5)
        finally:
            # uvloop leaves a writer without transport when the peer goes during the handshake.
            if getattr(self._writer, "transport", None) is None:
                setattr(self._writer, "_transport", plain)  # noqa: B010
        self._tls = True
        return True

    async def _auth(self, line: str) -> bool:
        words = line.split(" ")
        if words[1].upper() == "PLAIN":
            _, user, password = base64.b64decode(words[2]).decode().split("\0")
        else:
            await self._say("334 VXNlcm5hbWU6")
            user = base64.b64decode(await self._line()).decode()
            await self._say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(await self._line()).decode()
        good = (user, password) == self._sink.login
        await self._say("235 2.7.0 welcome" if good else "535 5.7.8 wrong")
        return True

    async def _mail(self, line: str) -> bool:
        self._reset()
        if self._sink.mail.startswith("2"):
            self._sender, self._mail_line = _path(line), line
        self._note_pipelining()
        await self._say(self._sink.mail)
        return self._goes_on(self._sink.mail)

    async def _rcpt(self, line: str) -> bool:
        address = _path(line)
        reply = self._sink.refuse.get(address, "250 2.1.5 ok")
        if not self._mail_line:
            reply = "503 5.5.1 need MAIL"
        elif reply.startswith("2"):
            self._recipients.append(address)
            self._rcpt_lines.append(line)
        if self._sink.drop_after_rcpt > 0:
            self._sink.drop_after_rcpt -= 1
            return False
        await self._say(reply)
        return self._goes_on(reply)

    async def _data(self, line: str) -> bool:
        go = self._recipients or self._sink.data_always
        reply = self._sink.data if go else "554 5.5.1 no valid recipients"
        await self._say(reply)
        if not reply.startswith("354"):
            return self._goes_on(reply)
        return await self._end(await self._body())

    async def _end(self, wire: bytes) -> bool:
        self._sink.data_octets.append(len(wire))
        final = self._sink.final
        if final.startswith("2") and self._recipients:
            self._keep(wire)
        await self._stall("END")
        if self._sink.pause:
            await asyncio.sleep(self._sink.pause)
        if self._sink.drop_after_data > 0:
            self._sink.drop_after_data -= 1
            return False
        if self._sink.chance.random() < self._sink.lose_replies:
            return False
        await self._say(final)
        return self._goes_on(final)

    async def _bdat(self, line: str) -> bool:
        """Chunks are kept until LAST; `chunks` are their sizes, `chunk` the reply to them."""
        words = line.split(" ")
        self._chunks += await self._reader.readexactly(int(words[1]))
        self._sink.chunks.append(int(words[1]))
        if not self._recipients:
            await self._say("503 5.5.1 no valid recipients")
            return True
        if words[-1] != "LAST":
            await self._say(self._sink.chunk)
            return self._goes_on(self._sink.chunk)
        data, self._chunks = self._chunks, b""
        return await self._end(data)

    async def _body(self) -> bytes:
        """Up to the line with only a dot; stuffed dots are undone."""
        lines: list[bytes] = []
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _keep(self, data: bytes) -> None:
        self._last = Received(
            self._sender,
            self._recipients,
            data,
            self._mail_line,
            self._rcpt_lines,
            self._tls,
            self._number,
            peer=str(self._writer.get_extra_info("peername")[0]),
            helo=self._helo_name,
        )
        self._sink.received.append(self._last)
        self._sink.arrived.set()
        self._reset()

    def _note_pipelining(self) -> None:
        """Commands that wait behind MAIL were sent before its reply."""
        self._sink.pipelined |= bool(self._reader._buffer)  # type: ignore[attr-defined]

    def _goes_on(self, reply: str) -> bool:
        return not reply.startswith("421") and not self._sink.closes_on(reply)

    async def _rset(self, line: str) -> bool:
        self._reset()
        await self._say("250 2.0.0 ok")
        return True

    async def _quit(self, line: str) -> bool:
        await self._say("221 2.0.0 bye")
        return False


def _path(line: str) -> str:
    """What stands between the angle brackets."""
    return line.partition("<")[2].rpartition(">")[0]


@asynccontextmanager
async def smtp_sink(sink: Sink, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Sink]:
    """The sink, listening; closed at the end."""
    await sink.start(host, port)
    try:
        yield sink
    finally:
        await sink.close()
