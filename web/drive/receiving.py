"""The octets of an upload as they come: bounded in size before and while they are read, and in time
between two pieces.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.requests import Request

from web.json_body import BadBody

IDLE: Final = 30.0
"""Seconds between two pieces."""
WHOLE: Final = 3600.0


def check_length(request: Request, most: int) -> None:
    """What says that it is too large is not read. Raises BadBody."""
    text = request.headers.get("content-length", "")
    if text.isdigit() and int(text) > most:
        raise BadBody(413, f"A file has at most {most} octets")


async def pieces_of(request: Request) -> AsyncGenerator[bytes, None]:
    """Raises BadBody, starlette.requests.ClientDisconnect."""
    stream = request.stream()
    deadline = asyncio.get_running_loop().time() + WHOLE
    while True:
        try:
            async with asyncio.timeout(IDLE):
                piece = await anext(stream, None)
        except TimeoutError:
            raise BadBody(408, "The body did not come in time") from None
        if piece is None:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise BadBody(408, "The body did not come in time")
        if piece:
            yield piece
