"""What a connection sends: gathered, in few writes, and no faster than the client reads.

Replies to pipelined commands leave in one write: what is gathered goes at the latest when the loop
comes round, so that no reply waits for the next command's work.
"""

import asyncio
from typing import Final

_GATHER: Final = 64 * 1024
_SLICE: Final = 0.002


class Outbox:
    """The sending half of a connection; `transport` is replaced by STARTTLS."""

    __slots__ = (
        "_drained",
        "_due",
        "_loop",
        "_pieces",
        "_since",
        "_size",
        "blocked_since",
        "closed",
        "transport",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0
        self._due = False
        self._since = loop.time()
        self._drained: asyncio.Future[None] | None = None
        self.blocked_since: float | None = None
        self.closed = False
        self.transport: asyncio.Transport | None = None

    def send(self, data: bytes) -> None:
        """Adds to what is gathered."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _GATHER:
            self.flush()
        elif not self._due:
            self._due = True
            self._loop.call_soon(self._flush_due)

    def _flush_due(self) -> None:
        self._due = False
        self.flush()

    def flush(self) -> None:
        """Hands over what was gathered; a closed one forgets it."""
        if self._pieces:
            pieces, self._pieces, self._size = self._pieces, [], 0
            if not self.closed and self.transport is not None:
                self.transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def block(self) -> None:
        """The client does not read: the transport holds as much as it may."""
        self.blocked_since = self._loop.time()

    def unblock(self) -> bool:
        """It reads again; whether somebody waited for that."""
        self.blocked_since = None
        if self._drained is None or self._drained.done():
            return False
        self._drained.set_result(None)
        return True

    async def breathe(self) -> None:
        """Waits while the client does not read; lets others run after 2 ms of work."""
        if self.blocked_since is not None:
            self.flush()
            self._drained = self._loop.create_future()
            try:
                await self._drained
            finally:
                self._drained = None
            self._since = self._loop.time()
        elif self._loop.time() - self._since > _SLICE:
            await asyncio.sleep(0)
            self._since = self._loop.time()

    def begin(self) -> None:
        """Work begins here: the 2 ms count from now on."""
        self._since = self._loop.time()
