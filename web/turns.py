"""How many requests of an account run at once; those beyond wait for a moment before they are
refused.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from storage.values import AccountId

WAIT: Final = 10.0
"""Seconds that a request waits for others of its account."""
_PIECE: Final = 256 * 1024


class Crowded(Exception):
    """Others of the account were not done in time; the text may be shown."""

    def __init__(self, text: str = "too many requests at once") -> None:
        super().__init__(text)


class Turns:
    """`most` at once; `crowded` makes what is raised where there are too many for too long."""

    def __init__(self, most: int, crowded: Callable[[], Exception] = Crowded) -> None:
        self._most, self._crowded = most, crowded
        self._running: WeakValueDictionary[AccountId, asyncio.Semaphore] = WeakValueDictionary()

    async def take(self, account: AccountId) -> asyncio.Semaphore:
        """To be released. Raises what `crowded` makes."""
        turns = self._running.get(account)
        if turns is None:
            turns = asyncio.Semaphore(self._most)
            self._running[account] = turns
        try:
            async with asyncio.timeout(WAIT):
                await turns.acquire()
        except TimeoutError:
            raise self._crowded() from None
        return turns

    @asynccontextmanager
    async def turn(self, account: AccountId) -> AsyncIterator[None]:
        """Raises as take."""
        taken = await self.take(account)
        try:
            yield
        finally:
            taken.release()


class Held(Response):
    """Sends another response in pieces, each when the client has taken the last, and gives its turn
    back afterwards: until then it is held in memory, or its file open.
    """

    def __init__(self, response: Response, taken: asyncio.Semaphore) -> None:
        super().__init__(status_code=response.status_code)
        self.raw_headers, self._taken = response.raw_headers, taken
        self._pieces = (
            response.body_iterator
            if isinstance(response, StreamingResponse)
            else _pieces(response.body)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._taken.release()
            if isinstance(self._pieces, AsyncGenerator):  # its file is not open any longer
                await self._pieces.aclose()


async def _pieces(octets: bytes | memoryview) -> AsyncIterator[bytes]:
    for offset in range(0, len(octets), _PIECE):
        yield bytes(octets[offset : offset + _PIECE])
