"""COMPRESS=DEFLATE: raw deflate both ways between the transport and a connection (RFC 4978).

Invariants: one step of the loop deflates at most STEP octets and inflates at most STEP, so that no
client holds it up, whatever it sends; limits of the input count inflated octets. Every step of
output ends with a sync flush, behind which a fresh deflater may go on: it never looks back. At rest
neither side keeps zlib's memory, only the client's last 32 KiB, which its next octets may refer to.
No more than _HOLDERS connections keep it between two steps: what many free at a time (each 170 KiB
in blocks that glibc does not map on their own) would stay in the heap.
"""

import asyncio
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

STEP: Final = 32 * 1024
# What waits to be deflated before whoever sends has to wait.
_HIGH: Final = 64 * 1024
_REST: Final = 1.0
# Beyond it a step costs 20 microseconds more, for zlib's memory anew.
_HOLDERS: Final = 64
_WINDOW: Final = 32 * 1024
_FARE_STEPS: Final = 4
# Level 1 costs 0.1 ms a step of text, and ten times that for what is compressed already. There
# Huffman coding alone wins as much (base64: a quarter) in a quarter of the time.
_LEVEL: Final = 1
_DENSE: Final = 0.7
_DENSE_FROM: Final = 8 * 1024
_DENSE_STEPS: Final = 8
# Ends a stream: taken as such only where a block may begin.
_LAST_BLOCK: Final = b"\x01\x00\x00\xff\xff"


class BadDeflate(Exception):
    """What came in is no deflate stream."""


class Holders:
    """The connections of a server that hold zlib's memory, the one longest unused first."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: OrderedDict[Compression, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def use(self, compression: "Compression") -> None:
        """It takes memory, or goes on with its own; another may have to let go."""
        self._held[compression] = None
        self._held.move_to_end(compression)
        if len(self._held) > _HOLDERS:
            self._held.popitem(last=False)[0].let_go()

    def forget(self, compression: "Compression") -> None:
        """It let go."""
        self._held.pop(compression, None)


class Compression:
    """Both directions of one connection. `block` is called when too much waits for the client,
    `unblock` when it was taken.
    """

    __slots__ = (
        "_block",
        "_blocked",
        "_deflate",
        "_dense",
        "_due",
        "_history",
        "_holders",
        "_inflate",
        "_input",
        "_loop",
        "_more",
        "_paused",
        "_queue",
        "_timer",
        "_touched",
        "_transport",
        "_unblock",
        "_waiting",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        block: Callable[[], None],
        unblock: Callable[[], None],
        holders: Holders,
    ) -> None:
        self._loop, self._transport = loop, transport
        self._holders = holders
        self._block, self._unblock = block, unblock
        self._queue: deque[memoryview] = deque()
        self._waiting = self._dense = 0
        self._blocked = self._due = self._paused = self._more = self._touched = False
        self._deflate: zlib._Compress | None = None
        self._inflate: zlib._Decompress | None = None
        self._input = self._history = b""
        self._timer: asyncio.TimerHandle | None = None

    # Output.

    def write(self, data: bytes) -> None:
        """Sends, in steps when it is much."""
        self._queue.append(memoryview(data))
        self._waiting += len(data)
        if not (self._due or self._paused):
            self._step()

    def pause(self) -> None:
        """The transport holds as much as it may."""
        self._paused = True

    def resume(self) -> bool:
        """The transport takes more: whether the client has caught up."""
        self._paused = False
        if self._queue and not self._due:
            self._step()
        return not self._blocked

    def finish(self) -> None:
        """Sends what a farewell may take; a client that left more unread does without."""
        for _ in range(_FARE_STEPS):
            if self._queue:
                self._transport.write(self._deflated(self._taken()))
        self.close()

    def close(self) -> None:
        """Forgets everything."""
        self._queue.clear()
        self._waiting = 0
        if self._timer is not None:
            self._timer.cancel()
        self._holders.forget(self)

    def _step(self) -> None:
        self._due = False
        if not self._queue or self._paused:
            return
        self._transport.write(self._deflated(self._taken()))
        if self._queue and not self._paused:
            self._due = True
            self._loop.call_soon(self._step)
        if self._waiting > _HIGH and not self._blocked:
            self._blocked = True
            self._block()
        elif self._blocked and not self._waiting:
            self._blocked = False
            if not self._paused:
                self._unblock()

    def _taken(self) -> bytes:
        """The next octets to send, at most a step of them."""
        taken: list[memoryview] = []
        left = STEP
        while left and self._queue:
            piece = self._queue.popleft()
            if len(piece) > left:
                self._queue.appendleft(piece[left:])
                piece = piece[:left]
            taken.append(piece)
            left -= len(piece)
        self._waiting -= STEP - left
        return b"".join(taken)

    def _deflated(self, data: bytes) -> bytes:
        self._touch()
        if self._dense and len(data) >= _DENSE_FROM:
            self._dense -= 1
            # the distances of the usual deflater count its own octets only
            self._deflate = None
            coder = zlib.compressobj(_LEVEL, zlib.DEFLATED, -9, 8, zlib.Z_HUFFMAN_ONLY)
            out = coder.compress(data) + coder.flush(zlib.Z_SYNC_FLUSH)
            if len(out) < len(data) // 2:
                self._dense = 0
            return out
        if self._deflate is None:
            self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -14, 7)
        out = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        if len(data) >= _DENSE_FROM and len(out) > len(data) * _DENSE:
            self._dense = _DENSE_STEPS
        return out

    # Input.

    def receive(self, data: bytes) -> None:
        """Takes compressed octets in."""
        self._input = self._input + data if self._input else data

    @property
    def pending(self) -> bool:
        """Whether `read` may give more."""
        return self._more or bool(self._input)

    def read(self) -> bytes:
        """The next octets, at most a step of them. Raises BadDeflate."""
        if not self.pending:
            return b""
        self._touch()
        if self._inflate is None:
            self._inflate = zlib.decompressobj(-15, zdict=self._history)
        try:
            data = self._inflate.decompress(self._input, STEP)
        except zlib.error as error:
            raise BadDeflate(str(error)) from None
        if self._inflate.eof:
            raise BadDeflate("the stream was ended")
        self._input = self._inflate.unconsumed_tail
        self._more = len(data) == STEP
        kept = data if len(data) >= _WINDOW else self._history + data
        self._history = kept[-_WINDOW:]
        return data

    # Rest.

    def _touch(self) -> None:
        self._touched = True
        self._holders.use(self)
        if self._timer is None:
            self._timer = self._loop.call_later(_REST, self._rest)

    def _rest(self) -> None:
        """Gives zlib's memory back when nothing was sent or received for a second."""
        if self._touched or self._queue or self.pending:
            self._touched = False
            self._timer = self._loop.call_later(_REST, self._rest)
            return
        self._timer = None
        self._holders.forget(self)
        self.let_go()

    def let_go(self) -> None:
        """Gives zlib's memory back: the deflater's, and the inflater's where it may be missed."""
        self._deflate = None
        if self._inflate is not None and _between_blocks(self._inflate):
            self._inflate = None


def _between_blocks(inflate: "zlib._Decompress") -> bool:
    """Whether a block may begin here, at the start of an octet (it may behind a sync flush).

    Only there the end of a stream is taken whole, without output and with nothing left over.
    """
    probe = inflate.copy()
    try:
        return probe.decompress(_LAST_BLOCK) == b"" and probe.eof and not probe.unused_data
    except zlib.error:
        return False
