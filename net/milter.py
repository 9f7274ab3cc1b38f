"""One conversation with a milter, from the server's side. Its wire is net/milter_wire.py.

A conversation serves one SMTP connection with all of its messages. It is not handed on to another
(SMFIC_QUIT_NC): libmilter of Debian 12 does not answer the CONNECT that comes then.

Invariants: every answer has a time bound, also of a milter that keeps saying that it works on it;
what it sends is bounded in octets; after any fault the connection is closed.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Self, TypeVar

from net import milter_wire as wire
from net.milter_wire import Answer, Command, MilterSyntaxError, Options, Wish

T = TypeVar("T")
# A peer that does not take its QUIT is left without.
CLOSE_SECONDS = 5.0
# How often "I am working on it" extends the time of an answer.
MOST_PROGRESS = 3
MOST_CHANGES = 1000
_FINAL = {
    Answer.ACCEPT,
    Answer.CONTINUE,
    Answer.DISCARD,
    Answer.REJECT,
    Answer.TEMPFAIL,
    Answer.REPLY_CODE,
    Answer.SKIP,
}
CONTINUE = (Answer.CONTINUE, b"")
Said = tuple[Answer, bytes]


class MilterError(Exception):
    """The milter is not there, hangs, or talks nonsense; the text is one line."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds for connecting, for an answer to a command, and to the end of the message."""

    connect: float = 5.0
    command: float = 30.0
    content: float = 120.0


@dataclass(slots=True)
class Ended:
    """The answer to the end of a message, and what is to be changed, in order."""

    said: Said = CONTINUE
    changes: list[Said] = field(default_factory=list)


class MilterConnection:
    """Made by `open`. `used` counts its messages."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, times: Times, most: int
    ) -> None:
        self._reader, self._writer, self._times, self._most = reader, writer, times, most
        self.options = Options(wire.VERSION, wire.OFFERED, Wish(0), {})

    @classmethod
    async def open(cls, address: str, times: Times, most: int) -> Self:
        """Connects to `unix:PATH` or `tcp:HOST:PORT` and agrees upon options. `most`: octets of a
        body that it may send. Raises MilterError.
        """
        kind, _, place = address.partition(":")
        try:
            async with asyncio.timeout(times.connect):
                if kind == "unix":
                    opened = await asyncio.open_unix_connection(place)
                else:
                    host, _, port = place.rpartition(":")
                    opened = await asyncio.open_connection(host.strip("[]"), int(port))
                connection = cls(*opened, times, most)
                await connection._agree()
        except TimeoutError:
            raise MilterError(f"no connection within {times.connect:g} s") from None
        except (OSError, ValueError, OverflowError) as error:  # a port or name that can't be, too
            raise MilterError(_reason(error)) from None
        return connection

    async def _agree(self) -> None:
        self._writer.write(wire.offer())
        try:
            answer, data = await self._packet()
            if answer is not Answer.OPTIONS:
                raise MilterSyntaxError("an answer before its options")
            self.options = wire.read_options(data)
        except (MilterSyntaxError, asyncio.IncompleteReadError, OSError) as error:
            self.close()
            raise MilterError(_reason(error)) from None
        except BaseException:
            self.close()
            raise

    async def step(
        self, command: Command, data: bytes = b"", macros: Iterable[tuple[str, str]] = ()
    ) -> Said:
        """Says one thing and waits for the answer, unless the milter wants it otherwise. Raises
        MilterError.
        """
        unwanted, silent = wire.STEPS[command]
        if self.options.wishes & unwanted or self._too_old(command):
            return CONTINUE
        self._write(command, data, macros)
        seconds = self._times.command
        if self.options.wishes & silent:
            await self._within(seconds, seconds, self._writer.drain())
            return CONTINUE
        return (await self._answer(seconds, changes=None)).said

    async def finish(self, macros: Iterable[tuple[str, str]] = ()) -> Ended:
        """The end of the message. Raises MilterError."""
        self._write(Command.END_OF_BODY, b"", macros)
        return await self._answer(self._times.content, changes=[])

    def abort(self) -> None:
        """Ends a message that was begun and not finished; there is no answer to it."""
        if not self._writer.is_closing():
            self._writer.write(wire.packet(Command.ABORT))

    def quit(self) -> None:
        """Ends the conversation as it should be."""
        if self._writer.is_closing():
            return
        self._writer.write(wire.packet(Command.QUIT))
        self._writer.close()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.close)

    def close(self) -> None:
        """Ends the connection, whatever is still to be sent."""
        self._writer.transport.abort()

    def _too_old(self, command: Command) -> bool:
        return command is Command.DATA and self.options.version < 4

    def _write(self, command: Command, data: bytes, macros: Iterable[tuple[str, str]]) -> None:
        wanted = self.options.macros.get(command)
        sent = [one for one in macros if wanted is None or one[0] in wanted]
        before = wire.macros(command, sent) if sent else b""
        if self._writer.is_closing():
            raise MilterError("it closed the connection")
        self._writer.write(before + wire.packet(command, data))

    async def _answer(self, seconds: float, changes: list[Said] | None) -> Ended:
        """Reads to the answer that ends it; on the way changes come, where there may be some."""
        if changes is None:
            return await self._within(seconds, seconds, self._read_answer(None, None))
        longest = seconds * MOST_PROGRESS
        return await self._within(longest, seconds, self._read_answer(seconds, changes))

    async def _within(self, longest: float, seconds: float, work: Awaitable[T]) -> T:
        """What `work` gives. `seconds` are those that are told of. Raises MilterError."""
        try:
            async with asyncio.timeout(longest):
                return await work
        except TimeoutError:
            reason = f"no answer within {seconds:g} s"
        except (MilterSyntaxError, asyncio.IncompleteReadError, OSError) as error:
            reason = _reason(error)
        except BaseException:
            self.close()
            raise
        self.close()
        raise MilterError(reason)

    async def _read_answer(self, seconds: float | None, changes: list[Said] | None) -> Ended:
        found, octets = changes if changes is not None else [], 0
        body: bytearray | None = None
        await self._writer.drain()
        while True:
            if seconds is None:
                answer, data = await self._packet()
            else:
                async with asyncio.timeout(seconds):
                    answer, data = await self._packet()
            if answer in _FINAL:
                if body is not None:
                    found.append((Answer.REPLACE_BODY, bytes(body)))
                return Ended((answer, data), found)
            if answer is Answer.PROGRESS:
                continue
            if answer in (Answer.SHUTDOWN, Answer.CONNECTION_FAILED):
                return Ended((Answer.TEMPFAIL, b""), found)
            if changes is None or answer is Answer.OPTIONS:
                raise MilterSyntaxError(f"{answer.name} at the wrong time")
            octets += len(data)
            if len(found) >= MOST_CHANGES or octets > self._most:
                raise MilterSyntaxError("more changes than any message needs")
            if answer is Answer.REPLACE_BODY:  # of any number of pieces
                body = bytearray() if body is None else body
                body += data
            else:
                found.append((answer, data))

    async def _packet(self) -> Said:
        size = wire.length_of(await self._reader.readexactly(4))
        return wire.split(await self._reader.readexactly(size))


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "it closed the connection"
    if isinstance(error, MilterSyntaxError):
        return f"it sent {error}"
    return getattr(error, "strerror", None) or type(error).__name__
