"""How much message data all connections together may hold in memory (limits.memory).

Invariants: nothing is taken without room, except that a holder of nothing may always take one piece
when nobody else holds anything; what is taken is given back.
"""

import asyncio
from collections import deque


class Budget:
    """Counts octets; those who find no room wait in order, for a while."""

    def __init__(self, limit: int, wait_seconds: float) -> None:
        self._limit, self._wait = limit, wait_seconds
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.used = 0

    def take_now(self, size: int) -> bool:
        """Takes when there is room and nobody waits."""
        if self._waiting or not self._fits(size):
            return False
        self.used += size
        return True

    async def take(self, size: int) -> bool:
        """Takes, waiting for room; False when none came in time."""
        if self.take_now(size):
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, future))
        try:
            async with asyncio.timeout(self._wait):
                await future
        except TimeoutError:
            # room may have come at the moment at which the time was over
            return future.done() and not future.cancelled()
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give(size)
            raise
        finally:
            self._forget(future)
        return True

    def give(self, size: int) -> None:
        """Gives back; wakes those who fit."""
        self.used -= size
        self._serve()

    def _fits(self, size: int) -> bool:
        return self.used + size <= self._limit or not self.used

    def _serve(self) -> None:
        while self._waiting:
            size, future = self._waiting[0]
            if future.done():
                self._waiting.popleft()
            elif self._fits(size):
                self._waiting.popleft()
                self.used += size
                future.set_result(None)
            else:
                return

    def _forget(self, future: asyncio.Future[None]) -> None:
        """One that gave up no longer stands in the way of smaller ones behind it."""
        self._waiting = deque(entry for entry in self._waiting if entry[1] is not future)
        self._serve()
