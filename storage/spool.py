"""A message on its way into the store: in memory up to a bound, then in the spool folder.

Bare LF becomes CRLF on the way in, as messages are CRLF (RFC 9051 §4.3); the digest is made from
what is kept. Invariant: whoever drops a Spool calls `discard` and removes the file it names.
"""

import hashlib
import os
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO

from net.threads import Offload
from storage.values import Content

MEMORY = 1024 * 1024
FLUSH_EVERY = 8 * 1024 * 1024
_PIECE = 256 * 1024
_HEAD = 64 * 1024


class Spool:
    """Collects octets; `content` gives them as the store takes them, `head` holds the first."""

    __slots__ = (
        "_data",
        "_digest",
        "_file",
        "_folder",
        "_gone",
        "_last",
        "_memory",
        "_offload",
        "_path",
        "_raw",
        "_unflushed",
        "head",
        "size",
    )

    def __init__(
        self, folder: Path, offload: Offload, memory: int = MEMORY, raw: bool = False
    ) -> None:
        """`raw`: the octets are kept as they come."""
        self._folder, self._offload, self._memory = folder, offload, memory
        self._digest = hashlib.blake2b(digest_size=16)
        self._data = bytearray()
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._last = 0
        self._unflushed = 0
        self._gone, self._raw = False, raw
        self.size = 0
        self.head = b""

    async def add(self, data: bytes) -> None:
        """Takes octets; above the bound they go to the disk in a thread."""
        if not self._raw:
            data = self._crlf(data)
        self._digest.update(data)
        self.size += len(data)
        if len(self.head) < _HEAD:
            self.head += data[: _HEAD - len(self.head)]
        self._data += data
        bound = self._memory if self._file is None else _PIECE
        if len(self._data) > bound:
            await self._to_disk()

    async def content(self) -> Content:
        """What was collected; the file, if there is one, belongs to the store from here on."""
        if self._file is not None:
            await self._to_disk()
            self._file.close()
            self._file = None
            path, self._path = self._path, None
            return Content(self.size, self._digest.digest(), path=path)
        return Content(self.size, self._digest.digest(), data=bytes(self._data))

    @property
    def key(self) -> tuple[bytes, int]:
        """Tells what was collected from anything else: the digest and the size."""
        return self._digest.digest(), self.size

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The octets in order, in pieces."""
        if self._file is None:
            for start in range(0, len(self._data), _PIECE):
                yield bytes(self._data[start : start + _PIECE])
            return
        await self._to_disk()
        number, offset = self._file.fileno(), 0
        while piece := await self._offload.disk(os.pread, number, _PIECE, offset):
            offset += len(piece)
            yield piece

    def discard(self) -> Path | None:
        """Forgets everything; the file that is to be removed, if there is one.

        A write under way in a thread removes its file itself.
        """
        self._gone = True
        self._data = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None
        path, self._path = self._path, None
        return path

    def _crlf(self, data: bytes) -> bytes:
        """The octets with a CR before each bare LF, the one split by two pieces included."""
        split = self._last == 13 and data.startswith(b"\n")
        self._last = data[-1]
        if data.count(b"\n") == data.count(b"\r\n") + split:
            return data
        rest = data[1:] if split else data
        rest = rest.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return b"\n" + rest if split else rest

    async def _to_disk(self) -> None:
        data, self._data = self._data, bytearray()
        self._unflushed += len(data)
        flush = self._unflushed > FLUSH_EVERY
        if flush:
            self._unflushed = 0
        await self._offload.disk(self._write, data, flush)

    def _write(self, data: bytearray, flush: bool) -> None:
        if self._file is None:
            number, name = tempfile.mkstemp(prefix="append.", dir=self._folder)
            self._file, self._path = os.fdopen(number, "w+b", buffering=0), Path(name)
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            if flush:
                os.fdatasync(self._file.fileno())
        finally:
            if self._gone and (path := self.discard()) is not None:
                path.unlink(missing_ok=True)
