"""A question sent to name servers and what came back: over UDP first, over TCP for long answers.

Invariants: whatever servers do, an exchange ends in its time, and at most MAX_OPEN are open at
once. What a datagram must be to count stands in dns_port.py.
"""

import asyncio
from collections.abc import Callable, Sequence

from net.dns_message import (
    EdnsUnknown,
    Question,
    Reading,
    Unusable,
    answers,
    read,
    truncated,
)
from net.dns_port import Address, Ports

MAX_OPEN = 2000
# Before a server that can't be reached is asked again.
PAUSE = 0.1
# After so many questions in a row to which no server said anything the next ones have HURRY
# seconds: while DNS is away, nobody who connects shall wait for it again and again.
SILENCES = 8
HURRY = 1.0


class Exchange:
    """The name servers. A server that is silent or can't be reached is asked `tries` times."""

    def __init__(self, servers: Sequence[Address], *, lifetime: float, tries: int = 3) -> None:
        self._servers = list(servers)
        self._ports = {server: Ports(server) for server in servers}
        self._tries = tries
        self._patience = max(lifetime / tries, 0.2)
        self._open = asyncio.Semaphore(MAX_OPEN)
        self._heard = self._silences = 0

    async def ask(self, make: Callable[..., Question], until: float) -> Reading:
        """Asks one server after the other; `make` gives the question with a fresh id, without EDNS
        by `edns=False`; `until` is a time of the loop's clock.

        Raises Unusable and TimeoutError when none gave a usable answer in time.
        """
        heard = self._heard
        if self._silences >= SILENCES:
            until = min(until, asyncio.get_running_loop().time() + HURRY)
        try:
            await self._enter(until)
            try:
                return await self._rounds(make, until)
            finally:
                self._open.release()
        finally:
            if self._heard == heard:
                self._silences += 1

    async def _enter(self, until: float) -> None:
        if self._open.locked():
            async with asyncio.timeout_at(until):
                await self._open.acquire()
        else:
            await self._open.acquire()  # at once

    async def _rounds(self, make: Callable[..., Question], until: float) -> Reading:
        servers, clock = list(self._servers), asyncio.get_running_loop().time
        failure = "no answer"
        for _ in range(self._tries):
            for server in tuple(servers):
                now = clock()
                if now >= until:
                    raise TimeoutError
                limit = min(now + self._patience, until)
                try:
                    return await self._read(server, make, limit)
                except Unusable as error:
                    failure = str(error)
                    servers.remove(server)
                except TimeoutError:
                    self._put_last(server)
                except OSError:
                    self._put_last(server)
                    await asyncio.sleep(PAUSE)
        raise Unusable(failure)

    def _put_last(self, server: Address) -> None:
        """A server that is not there costs one question its time, not every one."""
        if len(self._servers) > 1 and self._servers[0] == server:
            self._servers.append(self._servers.pop(0))

    async def _read(self, server: Address, make: Callable[..., Question], until: float) -> Reading:
        question = make()
        try:
            wire = await self._once(server, question, until)
            self._heard, self._silences = self._heard + 1, 0
            return read(wire, question)
        except EdnsUnknown:
            question = make(edns=False)
            return read(await self._once(server, question, until), question)

    async def _once(self, server: Address, question: Question, until: float) -> bytes:
        wire = await self._ports[server].ask(question, until)
        if wire is None or truncated(wire):
            async with asyncio.timeout_at(until):
                return await _over_tcp(server, question)
        return wire


async def _over_tcp(server: Address, question: Question) -> bytes:
    """Raises OSError and Unusable. A length of two octets bounds the answer."""
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(question.wire).to_bytes(2) + question.wire)
        size = int.from_bytes(await reader.readexactly(2))
        wire = await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise Unusable("the server closed the connection") from None
    finally:
        writer.transport.abort()
    if not answers(wire, question) or truncated(wire):
        raise Unusable("the answer is to another question")
    return wire
