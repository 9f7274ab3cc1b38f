"""The one way out of the event loop: threads for blocking calls, processes for large messages.

Pools: `disk` (flushes, file reads), `hash` (bcrypt: one thread, two while many wait), `mime` (small
messages), `sign` (one thread, private keys), and spawned worker processes for large ones. Beside
the store's writer nothing else starts a thread.
Invariants: every queue is bounded; workers are spawned, never forked, and die with their parent; a
caller that is cancelled goes on only when its thread is done, so that what it holds (a lock, a
connection, a file) is nobody else's before.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from enum import Enum
from typing import ParamSpec, TypeVar

from net.turns import Rank, Turns

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

# Below this a message is cheaper to scan in a thread than to ship to another process.
PROCESS_ABOVE = 256 * 1024


class Pool(Enum):
    """Which queue a blocking call waits in."""

    DISK = "disk"
    HASH = "hash"
    MIME = "mime"
    SIGN = "sign"


class Busy(Exception):
    """The pool's queue is full; the caller answers with a temporary failure."""


_THREADS = {Pool.DISK: 4, Pool.HASH: 2, Pool.MIME: 1, Pool.SIGN: 1}
_QUEUED = {Pool.DISK: 10_000, Pool.HASH: 2_000, Pool.MIME: 10_000, Pool.SIGN: 10_000}


def first() -> float:
    """The rank of what waits for nobody else."""
    return 0.0


class Offload:
    """Runs blocking and heavy calls beside the loop. Close it before the loop ends."""

    def __init__(self, *, processes: int | None = None) -> None:
        self._pools = {
            pool: ThreadPoolExecutor(count, thread_name_prefix=pool.value)
            for pool, count in _THREADS.items()
        }
        self._waiting = dict.fromkeys(Pool, 0)
        self._hash_turns = Turns(_QUEUED[Pool.HASH])
        self._count = processes if processes is not None else min(2, os.cpu_count() or 1)
        self._workers: ProcessPoolExecutor | None = None
        self._starting = threading.Lock()

    async def run(self, pool: Pool, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result, computed in a thread of `pool`. Raises Busy when its queue is full."""
        if pool is Pool.HASH:
            return await self.hash(first, call, *args, **kwargs)
        if self._waiting[pool] >= _QUEUED[pool]:
            raise Busy(pool.value)
        self._waiting[pool] += 1
        try:
            return await self._in(self._pools[pool], lambda: call(*args, **kwargs))
        finally:
            self._waiting[pool] -= 1

    async def hash(self, rank: Rank, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `run` of Pool.HASH, the lowest rank first; it is asked for again when its turn comes.
        A full queue refuses the highest rank.
        """
        if not await self._hash_turns.take(rank):
            raise Busy(Pool.HASH.value)
        try:
            return await self._in(self._pools[Pool.HASH], lambda: call(*args, **kwargs))
        finally:
            self._hash_turns.give_back()

    async def disk(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that may wait for the disk."""
        return await self.run(Pool.DISK, call, *args, **kwargs)

    async def process(self, call: Callable[[bytes], T], data: bytes) -> T:
        """`call(data)` for a pure module-level function: in a thread, or in a process when
        large.
        """
        if len(data) <= PROCESS_ABOVE:
            return await self.run(Pool.MIME, call, data)
        return await self._in_process(call, data)

    async def process_path(self, call: Callable[[str], T], path: str) -> T:
        """`call(path)` in a worker process, for spooled messages: the bytes are not shipped."""
        return await self._in_process(call, path)

    async def apart(self, call: Callable[[A], T], argument: A) -> T:
        """`call(argument)` in a worker process; both are shipped."""
        return await self._in_process(call, argument)

    def close(self) -> None:
        """Ends threads and workers; waits for calls under way."""
        for executor in self._pools.values():
            executor.shutdown(wait=True, cancel_futures=True)
        if self._workers is not None:
            self._workers.shutdown(wait=True, cancel_futures=True)

    async def _in_process(self, call: Callable[[A], T], argument: A) -> T:
        # Starting a worker and waking it through its pipe block: both happen in a thread.
        future = await self.run(Pool.DISK, self._submit, call, argument)
        try:
            return await asyncio.wrap_future(future)
        finally:
            del future  # its error refers to this frame

    def _submit(self, call: Callable[[A], T], argument: A) -> Future[T]:
        with self._starting:
            if self._workers is None:
                self._workers = self._spawn()
            try:
                return self._workers.submit(call, argument)
            except BrokenProcessPool:  # a worker was killed: its pool takes nothing any more
                self._workers.shutdown(wait=False, cancel_futures=True)
                self._workers = self._spawn()
                return self._workers.submit(call, argument)

    def _spawn(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_worker_start,
            initargs=(os.getpid(),),
        )

    async def _in(self, executor: Executor, call: Callable[[], T]) -> T:
        future = executor.submit(call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            while not future.done():  # a call that had not begun is cancelled, and done
                await _over(asyncio.wrap_future(future))
            raise
        finally:
            del future


async def _over(future: "asyncio.Future[T]") -> None:
    """Returns when the future is done, whatever came of it, or the caller is cancelled again."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait({future})
    future.add_done_callback(lambda done: done.cancelled() or done.exception())


def _worker_start(parent: int) -> None:
    """A worker leaves signals to its parent and ends when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: int) -> None:
    done = threading.Event()
    while os.getppid() == parent:
        done.wait(0.5)
    os._exit(0)
