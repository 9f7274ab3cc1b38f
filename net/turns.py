"""Turns for one thread, for two while many wait: the lowest rank first, then who came first.

A rank is asked for again when a turn comes: it may have risen since. Invariants: at most `most`
wait, and a full queue refuses the highest rank; each turn that was taken is given back once. Who is
refused or cancelled stays in the heaps until it is met, or until there are many of them.
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
        self._last: list[tuple[float, int, _Waiter]] = []  # the same, the highest rank first
        self._running = self._number = self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    async def take(self, rank: Rank) -> bool:
        """Returns when it is this caller's turn; False when there is no place to wait."""
        waiter = _Waiter(rank(), self._number, rank, asyncio.get_running_loop().create_future())
        self._number += 1
        if self._waiting >= self._most and not self._make_room(waiter):
            return False
        self._push(waiter)
        self._waiting += 1
        self._next()
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.cancelled():
                self._waiting -= 1  # it stays in the heaps until it is met
            elif waiter.turn.done() and waiter.turn.result():
                self.give_back()  # the turn came in the same moment
            raise

    def give_back(self) -> None:
        """The call is over."""
        self._running -= 1
        self._next()

    def _push(self, waiter: _Waiter) -> None:
        if max(len(self._heap), len(self._last)) > 2 * self._most + CROWD:
            self._heap = [one for one in self._heap if not one.turn.done()]
            self._last = [(-one.rank, -one.number, one) for one in self._heap]
            heapify(self._heap)
            heapify(self._last)
        heappush(self._heap, waiter)
        heappush(self._last, (-waiter.rank, -waiter.number, waiter))

    def _next(self) -> None:
        while self._heap and self._running < (2 if self._waiting > CROWD else 1):
            waiter = heappop(self._heap)
            if waiter.turn.done():
                continue
            rank = waiter.ask()
            if rank > waiter.rank and self._heap and rank > self._heap[0].rank:
                waiter.rank = rank
                self._push(waiter)
                continue
            self._running += 1
            self._waiting -= 1
            waiter.turn.set_result(True)

    def _make_room(self, newcomer: _Waiter) -> bool:
        """Refuses who has the highest rank, unless that is the newcomer."""
        while self._last:
            rank, number, last = self._last[0]
            if last.turn.done() or (-rank, -number) != (last.rank, last.number):
                heappop(self._last)
                continue
            if last.rank <= newcomer.rank:
                return False
            heappop(self._last)
            self._waiting -= 1
            last.turn.set_result(False)
            return True
        return False
