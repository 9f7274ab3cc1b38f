"""Turns for others during long work that must not wait for the client."""

import asyncio
from typing import Final, TypeVar

from message.pieces import Pieces

T = TypeVar("T")

_SLICE: Final = 0.002


class Slices:
    """Called between pieces of work: lets others run after 2 ms. Unlike the connection's `breathe`
    it never waits for a client to read, so that a lock may be held across it.
    """

    __slots__ = ("_loop", "_since")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()

    async def __call__(self) -> None:
        if self._loop.time() - self._since > _SLICE:
            await asyncio.sleep(0)
            self._since = self._loop.time()

    async def run(self, pieces: Pieces[T]) -> T:
        """A computation's result."""
        while True:
            try:
                next(pieces)
            except StopIteration as stop:
                result: T = stop.value
                return result
            await self()
