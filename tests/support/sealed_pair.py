"""Both ends of a sealed connection over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from net.places import dial, listen, parse_place
from net.sealed import Sealed, SealedError, seal

KEY = b"k" * 32


@asynccontextmanager
async def pair(key: bytes = KEY) -> AsyncIterator[tuple[Sealed, Sealed]]:
    """Both ends of a connection; the one that dialled has `key`."""
    found: asyncio.Future[Sealed] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            found.set_result(await seal(reader, writer, KEY, dialled=False))
        except SealedError as error:
            found.set_exception(error)

    server, at = await listen(parse_place("tcp:127.0.0.1:0"), accept)
    reader, writer = await dial(at)
    try:
        dialled = await seal(reader, writer, key, dialled=True)
        accepted = await found
        try:
            yield dialled, accepted
        finally:
            for one in (dialled, accepted):
                one.close()
                await one.wait_closed()
    finally:
        server.close()
        if found.done():
            found.exception()
