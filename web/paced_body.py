"""A large body as it comes, bounded in time: between two pieces, and on the whole."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any, Final

from web.json_body import BadBody

IDLE: Final = 30.0
SLOWEST: Final = 16 * 1024
"""Octets a second that a body brings at least, on the whole, after IDLE seconds."""


async def paced(stream: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The pieces of a body, unless they come too slowly. Raises BadBody."""
    now = asyncio.get_running_loop().time
    source: Any = aiter(stream)
    began, size = now(), 0
    while True:
        left = began + IDLE + size / SLOWEST - now()
        try:
            async with asyncio.timeout(min(IDLE, left)):
                piece = await anext(source)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BadBody(408, "the body did not come in time") from None
        size += len(piece)
        if piece:
            yield piece
