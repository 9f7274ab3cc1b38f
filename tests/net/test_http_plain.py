"""A request to a service of the operator's own whose body ends in the middle."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from net.http_plain import HttpError, Place, post


async def cut() -> AsyncIterator[bytes]:
    yield bytes(1000)
    raise OSError("the disk is gone")


async def test_a_body_that_can_not_be_read_is_told_at_once() -> None:
    """The service waits for the rest, and nobody waits for the service."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    place = Place("127.0.0.1", server.sockets[0].getsockname()[1])
    async with server, asyncio.timeout(20):
        with pytest.raises(HttpError, match="cut short"):
            await post(place, "/x", [], cut(), 2000, limit=1000, seconds=60)
        await asyncio.sleep(0)
