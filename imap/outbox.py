"""What a connection sends: gathered, in few writes, and no faster than the client reads.

Replies to pipelined commands leave in one write: what is gathered goes at the latest when the loop
comes round, so that no reply waits for the next command's work.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from imap.compression import Compression, Holders

_GATHER: Final = 64 * 1024
_SLICE: Final = 0.002


class Outbox:
    """The sending half of a connection; `transport` is replaced by STARTTLS.

    `on_free` is called when the client reads again and nobody waits for that.
    """

    __slots__ = (
        "_drained",
        "_due",
        "_loop",
        "_on_free",
        "_pieces",
        "_since",
        "_size",
        "blocked_since",
        "closed",
        "compression",
        "transport",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, on_free: Callable[[], None]) -> None:
        self._loop, self._on_free = loop, on_free
        self._pieces: list[bytes] = []
        self._size = 0
        self._due = False
        self._since = loop.time()
        self._drained: asyncio.Future[None] | None = None
        self.blocked_since: float | None = None
        self.closed = False
        self.transport: asyncio.Transport | None = None
        self.compression: Compression | None = None

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
            sink = self.compression or self.transport
            if not self.closed and sink is not None:
                sink.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def compress(self, holders: Holders) -> Compression:
        """Compresses what is sent from here on."""
        assert self.transport is not None
        self.flush()
        compression = Compression(self._loop, self.transport, self._block, self._unblock, holders)
        if self.blocked_since is not None:
            compression.pause()
        self.compression = compression
        return compression

    def finish(self) -> None:
        """Hands over the last; what is sent later is forgotten."""
        self.flush()
        if self.compression is not None:
            self.compression.finish()
        self.close()

    def close(self) -> None:
        """Forgets what is sent from here on."""
        self.closed = True
        self._on_free = _nothing
        if self.compression is not None:
            self.compression.close()
            self.compression = None

    # Pressure.

    def pause(self) -> None:
        """The client does not read: the transport holds as much as it may."""
        if self.compression is not None:
            self.compression.pause()
        self._block()

    def resume(self) -> None:
        """The transport takes more."""
        if self.compression is None or self.compression.resume():
            self._unblock()

    def _block(self) -> None:
        self.blocked_since = self._loop.time()

    def _unblock(self) -> None:
        self.blocked_since = None
        if self._drained is None or self._drained.done():
            self._on_free()
        else:
            self._drained.set_result(None)

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


def _nothing() -> None:
    """For one that is closed, which lets go of its connection."""
