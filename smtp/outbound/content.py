"""The content of one message over an open session: by DATA after its 354, or by BDAT (RFC 3030),
where the peer announced CHUNKING.

Small messages go in one piece, others are read and sent in pieces; none is held in memory but
small ones that were handed over as they were queued, and those that were converted to seven bits.
`sent` is True from the moment on when the peer may have the whole message.
"""

import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from net.threads import Offload
from smtp.outbound.connection import ConnectionFailed
from smtp.outbound.dots import DotStuffer, LineEnds
from smtp.outbound.outgoing import Outgoing
from smtp.outbound.peer_reply import PeerReply
from smtp.outbound.session import Session

PIECE = 128 * 1024
AHEAD = 16


class Content:
    """One message, sent once."""

    def __init__(self, session: Session, message: Outgoing, offload: Offload) -> None:
        self._session, self._message, self._offload = session, message, offload
        self.sent = False

    async def by_data(self) -> PeerReply:
        """Raises ConnectionFailed."""
        connection, times, stuffer = self._session.connection, self._session.timeouts, DotStuffer()
        whole = self._message.data
        if whole is not None and len(whole) <= PIECE:
            self.sent = True
            connection.write(stuffer.feed(whole) + stuffer.end())
            await connection.drain(times.block)
            return await connection.reply(times.final)
        try:
            async with contextlib.aclosing(self._pieces()) as pieces:
                async for piece in pieces:
                    connection.write(stuffer.feed(piece))
                    await connection.drain(times.block)
        except ConnectionFailed:
            if (refusal := self._refused_early()) is not None:
                return refusal
            raise
        self.sent = True
        connection.write(stuffer.end())
        await connection.drain(times.block)
        return await connection.reply(times.final)

    async def by_bdat(self) -> PeerReply:
        """The first reply that is no success, else the last. Raises ConnectionFailed.

        Where the peer takes commands in advance, AHEAD chunks go without waiting for replies.
        """
        try:
            return await self._in_chunks()
        except ConnectionFailed:
            if (refusal := self._refused_early()) is not None:
                return refusal
            raise

    def _refused_early(self) -> PeerReply | None:
        """What the peer said of the part that it has read, before it closed."""
        while (reply := self._session.connection.early_reply()) is not None:
            if not reply.ok:
                return reply
        return None

    async def _in_chunks(self) -> PeerReply:
        ends, left, owed = LineEnds(), self._message.size, 0
        ahead = AHEAD if self._session.offers("PIPELINING") else 0
        async with contextlib.aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                left -= len(piece)
                if not left:
                    return await self._last(ends.feed(piece) + ends.end(), owed)
                await self._chunk(ends.feed(piece), last=False)
                owed += 1
                if owed > ahead:
                    reply, owed = await self._reply(), owed - 1
                    if not reply.ok:
                        return await self._replies(owed, reply)
        return await self._last(b"", owed)

    async def _last(self, octets: bytes, owed: int) -> PeerReply:
        self.sent = True
        await self._chunk(octets, last=True)
        return await self._replies(owed, await self._reply())

    async def _replies(self, owed: int, first: PeerReply) -> PeerReply:
        """The first reply that is no success, else the last, with so many more to come; a peer
        may close behind a refusal.
        """
        decisive = first
        try:
            for _ in range(owed):
                reply = await self._reply()
                decisive = reply if decisive.ok else decisive
        except ConnectionFailed:
            if decisive.ok:
                raise
        return decisive

    async def _reply(self) -> PeerReply:
        return await self._session.connection.reply(self._session.timeouts.final)

    async def _chunk(self, octets: bytes, *, last: bool) -> None:
        connection = self._session.connection
        connection.write(b"BDAT %d%b\r\n" % (len(octets), b" LAST" if last else b"") + octets)
        await connection.drain(self._session.timeouts.block)

    async def _pieces(self) -> AsyncGenerator[bytes]:
        message = self._message
        if (data := message.data) is not None:
            for at in range(0, len(data), PIECE):
                yield data[at : at + PIECE]
            return
        descriptor = await self._offload.disk(_open, message.path)
        try:
            offset, end = message.offset, message.offset + message.size
            while offset < end:
                length = min(PIECE, end - offset)
                piece = await self._offload.disk(os.pread, descriptor, length, offset)
                if not piece:
                    raise ConnectionFailed("the queue file is shorter than it was")
                offset += len(piece)
                yield piece
        finally:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
