"""The processes of own filters: as many as are needed up to a number, each with one job at a time.

Invariants: nobody waits longer than WAIT_SECONDS for one; a process that failed, or that was made
for an earlier version of the filters, is ended and not used again.
"""

import asyncio
from contextlib import suppress

from filters.own.process import FilterProcess, ProcessFailed
from filters.own.versions import LOAD_SECONDS, Version
from net.threads import Busy, Offload

WAIT_SECONDS = 5.0
# Bounds what filters that never forget anything come to.
JOBS_OF_A_PROCESS = 5000


class NoProcess(Exception):
    """All are busy, or none can be started; the text is one line."""


class Pool:
    """`use` a version first."""

    def __init__(self, offload: Offload, count: int, memory: int) -> None:
        self._offload, self._memory = offload, memory
        self._free = asyncio.Semaphore(count)
        self._idle: list[FilterProcess] = []
        self._version = Version()
        self._made_for: dict[FilterProcess, Version] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    def use(self, version: Version) -> None:
        """Jobs that begin from here on are done by these filters."""
        self._version = version
        idle, self._idle = self._idle, []
        for process in idle:
            self._end(process)

    async def start(self) -> FilterProcess:
        """A process with nothing loaded, which is the caller's to kill. Raises NoProcess."""
        try:
            return await FilterProcess.start(self._offload, self._memory)
        except (OSError, Busy, ProcessFailed) as error:
            raise NoProcess(f"no process can be started: {error}") from None

    async def take(self) -> FilterProcess:
        """A process with the filters loaded; give it back. Raises NoProcess."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise NoProcess(f"all are busy for {WAIT_SECONDS:g} s") from None
        try:
            while self._idle:
                process = self._idle.pop()
                if not process.ended:
                    return process
                self._end(process)
            return await self._make()
        except BaseException:
            self._free.release()
            raise

    async def warm(self) -> None:
        """Has a process ready, so that no message waits for one. Raises NoProcess."""
        self.give(await self.take(), sound=True)

    def give(self, process: FilterProcess, *, sound: bool) -> None:
        """After a job; `sound`: it may do another."""
        self._free.release()
        fresh = self._made_for.get(process) is self._version
        if sound and fresh and not self._closed and process.asked < JOBS_OF_A_PROCESS:
            self._idle.append(process)
        else:
            self._end(process)

    async def close(self) -> None:
        """Ends every process, those at work when they are given back."""
        self._closed = True
        self.use(self._version)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _make(self) -> FilterProcess:
        version = self._version
        process = await self.start()
        try:
            sources = [one.source for one in version.filters]
            await process.load(sources, version.helpers, LOAD_SECONDS)
        except BaseException as error:
            self._end(process)
            if isinstance(error, ProcessFailed):
                raise NoProcess(f"the filters can't be loaded: {error}") from None
            raise
        self._made_for[process] = version
        return process

    def _end(self, process: FilterProcess) -> None:
        self._made_for.pop(process, None)
        task = asyncio.create_task(_kill(process))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _kill(process: FilterProcess) -> None:
    with suppress(OSError, Busy):
        await process.kill()
