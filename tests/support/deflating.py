"""The client's side of COMPRESS=DEFLATE on asyncio streams (RFC 4978)."""

import asyncio
import zlib


class DeflatingWriter:
    """Deflates with zlib's usual level and a sync flush a write."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._deflate = zlib.compressobj(wbits=-15)

    def write(self, data: bytes) -> None:
        self._writer.write(self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH))


async def inflate(source: asyncio.StreamReader, target: asyncio.StreamReader) -> None:
    """Pours what comes compressed from `source` into `target`."""
    inflater = zlib.decompressobj(-15)
    try:
        while data := await source.read(64 * 1024):
            target.feed_data(inflater.decompress(data))
    except OSError:
        pass
    target.feed_eof()
