"""Results of attempts, gathered: whatever waits while a batch is under way is the next batch.

Order of steps: `note` appends to the files' logs, so that a killed process is believed what it
heard; `record` changes the rows in one transaction, then the files of finished messages go.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection

from config.clock import Clock
from net.threads import Busy, Offload
from storage import queue_batch
from storage.errors import StoreError
from storage.queue_claims import Recorded
from storage.queue_file import append_log, finished_lines
from storage.queue_values import Claim, Result, State

T = TypeVar("T")
E = TypeVar("E")
R = TypeVar("R")
MOST = 500
LINGER = 0.05
"""Seconds that the first of a batch of results waits for others before it is recorded: a group of
the committer costs the same for one as for many, and nobody waits for the record.
"""
_log = logging.getLogger(__name__)
Settled = tuple[Claim, Mapping[int, Result]]


class Submit(Protocol):
    """Store.submit: runs the job in the committer's transaction, returns after its commit."""

    def __call__(self, job: Callable[[Connection], T], /) -> Awaitable[T]: ...


@dataclass(slots=True)
class _Waiting(Generic[E, R]):
    entry: E
    done: "asyncio.Future[R]"


class Gathered(Generic[E, R]):
    """Calls `work` with up to MOST entries at a time, `linger` seconds after the first of them;
    each caller gets its own answer.
    """

    def __init__(
        self, work: Callable[[Sequence[E]], Awaitable[Sequence[R]]], linger: float = 0.0
    ) -> None:
        self._work, self._linger = work, linger
        self._waiting: list[_Waiting[E, R]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, entry: E) -> R:
        """The answer for the entry. Raises what `work` raised."""
        loop = asyncio.get_running_loop()
        waiting: _Waiting[E, R] = _Waiting(entry, loop.create_future())
        self._waiting.append(waiting)
        if self._task is None:
            self._task = loop.create_task(self._run())
        try:
            return await waiting.done
        finally:
            del waiting  # its error refers to this frame

    async def _run(self) -> None:
        try:
            while self._waiting:
                if self._linger and len(self._waiting) < MOST:
                    await asyncio.sleep(self._linger)
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._answer(batch)
        finally:
            self._task = None

    async def _answer(self, batch: Sequence[_Waiting[E, R]]) -> None:
        try:
            answers = await self._work([waiting.entry for waiting in batch])
        except Exception as error:
            if isinstance(error, StoreError) or len(batch) == 1:
                for waiting in batch:
                    if not waiting.done.done():
                        waiting.done.set_exception(error)
                return
            for waiting in batch:  # one entry's fault is not the others'
                await self._answer([waiting])
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(answer)


class Results:
    """The two steps for one queue."""

    def __init__(self, submit: Submit, offload: Offload, clock: Clock) -> None:
        self._submit, self._offload, self._clock = submit, offload, clock
        self._notes: Gathered[Settled, None] = Gathered(self._note)
        self._records: Gathered[Settled, Recorded] = Gathered(self._record, LINGER)

    async def note(self, claim: Claim, results: Mapping[int, Result]) -> None:
        """Writes what is finished into the file's log."""
        if any(result.state is not State.WAITING for result in results.values()):
            await self._notes.put((claim, results))

    async def record(self, claim: Claim, results: Mapping[int, Result]) -> Recorded:
        """Takes results by position, noted before. Ones for a lost lease are not applied."""
        return await self._records.put((claim, results))

    async def _note(self, settled: Sequence[Settled]) -> list[None]:
        try:
            await self._offload.disk(_append, settled, self._clock.now())
        except Busy:  # the rows will know: the log is asked only after a kill
            _log.warning("results were not noted: the disk is too busy")
        return [None] * len(settled)

    async def _record(self, settled: Sequence[Settled]) -> list[Recorded]:
        recorded = await self._submit(lambda conn: queue_batch.record_many(conn, settled))
        pairs = zip(settled, recorded, strict=True)
        done = [claim.path for (claim, _), one in pairs if one.done]
        if done:
            await self._offload.disk(remove, done)
        return recorded


def _append(settled: Sequence[Settled], now: float) -> None:
    for claim, results in settled:
        finished = {n: r.reply for n, r in results.items() if r.state is not State.WAITING}
        try:
            append_log(claim.path, finished_lines(finished, now))
        except OSError as error:  # a full disk: the rows will know, and only a kill would ask
            _log.warning("the log of %s could not be written: %s", claim.path.name, error)


def remove(paths: Sequence[Path]) -> None:
    """Unlinks files that may be gone. Blocks on the disk."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
