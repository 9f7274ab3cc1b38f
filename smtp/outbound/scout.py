"""Finds what is due: walks along the queue's times, from where the last walk ended.

It keeps no list of messages, only of lanes, at most LANES of them at a time; what is beyond waits
until some are done. What was queued in the last moments is looked at again, since a time of the
clock is taken before it is committed; every so often the walk begins anew.
"""

from collections.abc import Iterable

from config.clock import Clock
from smtp.outbound.sites import Site, Sites
from storage.queue import QueueStore
from storage.queue_scan import START, Mark

LANES = 20_000
OVERLAP = 5.0
ANEW = 300.0


class Scout:
    """For one queue."""

    def __init__(self, queue: QueueStore, clock: Clock) -> None:
        self._queue, self._clock = queue, clock
        self._mark: Mark = START
        self._anew_at = 0.0
        self.full = False
        """The walk stopped, since enough is known: it goes on when some of that is done."""

    def anew(self) -> None:
        """The next walk begins at the beginning."""
        self._mark = START

    async def look(self, sites: Sites) -> tuple[Iterable[Site], bool]:
        """One piece of the way: sites that have something due, and whether there is more to see.
        Raises StoreError.
        """
        now = self._clock.now()
        if now >= self._anew_at:
            self._mark, self._anew_at = START, now + ANEW
        self.full = sites.lanes() >= LANES
        if self.full:
            return (), False
        piece = await self._queue.due(self._mark)
        await sites.routing.learn(piece.lanes)
        found = {site.key: site for site in map(sites.add, piece.lanes)}
        self._mark = piece.after or (now - OVERLAP, "", "")
        return found.values(), piece.after is not None
