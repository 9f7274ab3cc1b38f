"""Turns for one thread, for two while many wait: the lowest rank first, then who came first.

A rank is asked for again when a turn comes: it may have risen since. Invariants: at most `most`
wait, and a full queue refuses the highest rank; each turn that was taken is given back once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

CROWD = 50
"""Callers waiting above which a second thread helps."""

Rank = Callable[[], float]


@dataclass(order=True, slots=True)
class _Waiter:
    rank: float
    number: int
    ask: Rank = field(compare=False)
    turn: "asyncio.Future[bool]" = field(compare=False)


class Turns:
    """Who is next. `take` before a call, `give_back` after it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[_Waiter] = []
        self._running = self._number = 0

    def __len__(self) -> int:
        return len(self._heap)

    async def take(self, rank: Rank) -> bool:
        """Returns when it is this caller's turn; False when there is no place to wait."""
        waiter = _Waiter(rank(), self._number, rank, asyncio.get_running_loop().create_future())
        self._number += 1
        if len(self._heap) >= self._most and not self._make_room(waiter):
            return False
        heappush(self._heap, waiter)
        self._next()
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled():
                if waiter.turn.result():
                    self.give_back()  # the turn came in the same moment
            elif waiter in self._heap:
                self._heap.remove(waiter)
                heapify(self._heap)
            raise

    def give_back(self) -> None:
        """The call is over."""
        self._running -= 1
        self._next()

    def _next(self) -> None:
        while self._heap and self._running < (2 if len(self._heap) > CROWD else 1):
            waiter = heappop(self._heap)
            if waiter.turn.done():
                continue
            rank = waiter.ask()
            if rank > waiter.rank and self._heap and rank > self._heap[0].rank:
                waiter.rank = rank
                heappush(self._heap, waiter)
                continue
            self._running += 1
            waiter.turn.set_result(True)

    def _make_room(self, newcomer: _Waiter) -> bool:
        last = max(self._heap)
        if last.rank <= newcomer.rank:
            return False
        self._heap.remove(last)
        heapify(self._heap)
        if not last.turn.done():
            last.turn.set_result(False)
        return True
