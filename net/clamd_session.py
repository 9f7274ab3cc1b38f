"""One connection to clamd that is kept: IDSESSION, in it INSTREAM for every message.

The content goes out in chunks, each behind its length, as fast as clamd takes them; an answer that
comes before the content ended is an error. Invariants: one message at a time; what clamd says is
bounded; a session that anything went wrong in is never used again.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from net.clamd import ClamdError, ClamdTooLarge

Pieces = Callable[[], AsyncGenerator[bytes, None]]
"""Gives the content from its beginning, each time it is called."""

MOST_ANSWER = 4096
CHUNK = 256 * 1024
MOST_NAME = 128
VERSION_SECONDS = 60.0
_END = bytes(4)


@dataclass(frozen=True, slots=True)
class Scanned:
    """`signature` is the name of what was found, "" for nothing; `version` is that of clamd and its
    signatures, as VERSION gave it within the last minute and before the scan, never after it.
    """

    signature: str
    version: str


class ClamdSession(asyncio.Protocol):
    """Made by `loop.create_connection`. Whoever had an exception from it closes it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answers: dict[int, bytes] = {}
        self._asked = 0
        self._due: set[int] = set()
        self._paused = False
        self._fault = ""
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._version, self._told_at = "", -math.inf

    @property
    def usable(self) -> bool:
        """It is connected, and every question has been answered."""
        return not (self._fault or self._answers or self._due or self._buffer)

    async def scan(self, pieces: Pieces) -> Scanned:
        """What clamd finds in the content. Raises ClamdError, and what `pieces` raises."""
        if self._loop.time() - self._told_at > VERSION_SECONDS:
            await self.version()
        version, verdict = self._version, self._ask(b"zINSTREAM\0")
        whole = True
        async with aclosing(pieces()) as source:
            async for piece in source:
                if not await self._send(piece, verdict):
                    whole = False
                    break
        if whole:
            self._write(_END)
        return Scanned(_verdict(await self._answer(verdict), whole), version)

    async def version(self) -> str:
        """`ClamAV 1.4.6/27000/Sat Nov 28 ...`. Raises ClamdError."""
        told = await self._answer(self._ask(b"zVERSION\0"))
        self._version, self._told_at = _printable(told), self._loop.time()
        return self._version

    async def ping(self) -> None:
        """Raises ClamdError when it does not answer PONG."""
        told = await self._answer(self._ask(b"zPING\0"))
        if told != b"PONG":
            raise ClamdError(f"it answers {_printable(told)!r} to PING")

    def close(self) -> None:
        """At once; what is under way gets an error."""
        self._fail("closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._write(b"zIDSESSION\0")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\0")) >= 0:
            self._take(self._buffer[:end])
            self._buffer = self._buffer[end + 1 :]
        if len(self._buffer) > MOST_ANSWER:
            self._buffer = b""
            self._fail("an answer without end")
        self._wake()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()

    def connection_lost(self, _: Exception | None) -> None:
        self._fail("it closed the connection")

    async def _send(self, piece: bytes, verdict: int) -> bool:
        """False when clamd has answered, or gone, before the end."""
        for start in range(0, len(piece), CHUNK):
            chunk = piece[start : start + CHUNK]
            self._write(len(chunk).to_bytes(4) + chunk)
            while self._paused and not self._fault and verdict not in self._answers:
                await self._wait()
            if self._fault or verdict in self._answers:
                return False
        return True

    def _ask(self, command: bytes) -> int:
        """The number that its answer will have."""
        self._asked += 1
        self._due.add(self._asked)
        self._write(command)
        return self._asked

    async def _answer(self, number: int) -> bytes:
        while number not in self._answers:
            if self._fault:
                raise ClamdError(self._fault)
            await self._wait()
        return self._answers.pop(number)

    def _take(self, line: bytes) -> None:
        """`3: stream: OK`, or an error without a number when clamd ends the session."""
        number, colon, text = line.partition(b": ")
        if not (colon and number.isdigit() and len(number) < 10):
            self._fail(f"it says {_printable(line)!r}")
        elif int(number) not in self._due:
            self._fail("an answer that nobody asked for")
        else:
            self._due.discard(int(number))
            self._answers[int(number)] = text

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._fault:
            self._transport.write(data)

    async def _wait(self) -> None:
        """Until something happens on the connection."""
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, fault: str) -> None:
        self._fault = self._fault or fault
        if self._transport is not None:
            self._transport.abort()
        self._wake()


def _verdict(told: bytes, whole: bool) -> str:
    """The signature's name. Raises ClamdError for anything that is not a verdict on all of it."""
    if b"size limit exceeded" in told:
        raise ClamdTooLarge(_printable(told))
    if not whole:
        raise ClamdError(f"it says {_printable(told)!r} before the end of the message")
    if told == b"stream: OK":
        return ""
    if told.startswith(b"stream: ") and told.endswith(b" FOUND"):
        return _printable(told[8:-6]) or "unknown"
    raise ClamdError(f"it says {_printable(told)!r}")


def _printable(told: bytes) -> str:
    """Fit for a reply and a log line."""
    text = told[:MOST_NAME].decode("ascii", "replace")
    return "".join(one if " " <= one <= "~" else "?" for one in text).strip()
