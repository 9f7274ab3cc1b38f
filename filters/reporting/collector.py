"""Counts what will be reported, in memory between flushes, so that no message waits for it.

Invariants: at most MAX_WAITING distinct rows wait; a failed flush loses nothing that still fits.
"""

import asyncio
import contextlib
from collections import Counter

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from storage.errors import StoreError
from storage.report_values import Counted, Kind
from storage.reports import Reports

MAX_WAITING = 20_000
FLUSH_AT = 1_000
FLUSH_SECONDS = 60.0
DAY = 86_400


class Collector:
    """Built once a process; `start` it to have it flush by itself, `stop` flushes the rest."""

    def __init__(self, reports: Reports, clock: Clock, log: Logger) -> None:
        self._reports, self._clock, self._log = reports, clock, log
        self._waiting: Counter[Counted] = Counter()
        self._full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._enabled = True
        self.left_out = 0

    def reload(self, settings: Settings) -> None:
        """Counts nothing while no reports are sent."""
        self._enabled = settings.reports.send

    def count(self, kind: Kind, domain: str, head: str, detail: str, times: int = 1) -> None:
        """Adds to today's report for a domain; see storage.report_values.Counted. Never waits."""
        if not self._enabled:
            return
        key = Counted(kind, int(self._clock.now() // DAY), domain, head, detail)
        if key not in self._waiting and len(self._waiting) >= MAX_WAITING:
            self.left_out += 1
            return
        self._waiting[key] += times
        if len(self._waiting) >= FLUSH_AT:
            self._full.set()

    def start(self) -> None:
        """Flushes from time to time from here on."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Flushes what waits; the database closes after this."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.flush()

    async def flush(self) -> None:
        """Moves what waits into the database."""
        taken, self._waiting = self._waiting, Counter()
        self._full.clear()
        if not taken:
            return
        try:
            self.left_out += await self._reports.add(taken)
        except StoreError as error:
            self._log.warning("report rows not stored", reason=str(error), rows=len(taken))
            room = MAX_WAITING - len(self._waiting)
            self._waiting.update(dict(taken.most_common(room)))
        if self.left_out:
            self._log.warning("report rows left out, there were too many", rows=self.left_out)
            self.left_out = 0

    async def _work(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._full.wait()
            await asyncio.shield(self.flush())
            if self._full.is_set():  # the database is away: not again at once
                await asyncio.sleep(FLUSH_SECONDS)
