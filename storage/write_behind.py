"""Values that wait in memory for some seconds and go to config.db together, for counters and
memories that must not cost a transaction each. What a kill takes with it is lost.

Invariants: one write at a time; what could not be written waits on, within a bound, and is tried
again; after `close` no write is under way.
"""

import asyncio
from abc import ABC, abstractmethod
from itertools import islice
from typing import ClassVar, Generic, TypeVar

from config.clock import Clock
from config.logging import get_logger
from storage.errors import StoreError
from storage.small_database import SmallDatabase, reason_of

K = TypeVar("K")
V = TypeVar("V")

# Values waiting above which further ones are dropped: the database is in trouble.
MAX_WAITING = 50_000
RETRY_SECONDS = 30.0
PRUNE_SECONDS = 3600.0


class WriteBehind(ABC, Generic[K, V]):
    """Belongs to the directory, whose database it uses and which closes it."""

    log_of: ClassVar[str]
    """The part that the log names."""
    not_written: ClassVar[str]
    """What the log says of a write that failed."""
    flush_seconds: ClassVar[float]
    piece: ClassVar[int] = MAX_WAITING
    """Values of one transaction, while which `_writing` is held."""

    def __init__(self, database: SmallDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._waiting: dict[K, V] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._pruned = clock.monotonic()

    async def close(self) -> None:
        """Writes what waits, after a write that is under way."""
        self._stop_timer()
        await self._flush()
        self._stop_timer()

    @abstractmethod
    async def prune(self) -> None:
        """Removes what is too old to be asked for."""

    @abstractmethod
    async def _write(self, waiting: dict[K, V]) -> None:
        """Writes a piece in one transaction. Raises StoreError."""

    def _joined(self, _earlier: V, later: V) -> V:
        """What two values of a key are together."""
        return later

    def _put(self, key: K, value: V) -> None:
        """In SQL within `flush_seconds`."""
        self._take(key, value)
        if self._flushing is None:
            self._flush_in(self.flush_seconds)

    def _take(self, key: K, value: V) -> None:
        present = self._waiting.get(key)
        if present is not None:
            self._waiting[key] = self._joined(present, value)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting[key] = value

    def _flush_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._start)

    def _start(self) -> None:
        self._timer = None
        self._flushing = asyncio.create_task(self._flush_and_go_on())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _flush_and_go_on(self) -> None:
        try:
            written = await self._flush()
        finally:
            self._flushing = None
        if self._waiting:
            self._flush_in(self.flush_seconds if written else RETRY_SECONDS)

    async def _flush(self) -> bool:
        """Whether all went well; what did not is waiting again, behind what came meanwhile."""
        for _ in range(0, max(1, len(self._waiting)), self.piece):
            async with self._writing:
                waiting = self._taken()
                try:
                    if waiting:
                        await self._database.finish(self._write(waiting))
                        waiting = {}
                    await self._prune_at_times()
                except StoreError as error:
                    self._keep(waiting)
                    reason = reason_of(error)
                    get_logger(self.log_of).warning(self.not_written, reason=reason)
                    return False
        return True

    def _taken(self) -> dict[K, V]:
        """A piece of what waits, the longest waiting first."""
        if len(self._waiting) <= self.piece:
            waiting, self._waiting = self._waiting, {}
            return waiting
        return {key: self._waiting.pop(key) for key in list(islice(self._waiting, self.piece))}

    async def _prune_at_times(self) -> None:
        if self._clock.monotonic() - self._pruned > PRUNE_SECONDS:
            self._pruned = self._clock.monotonic()
            await self._database.finish(self.prune())

    def _keep(self, waiting: dict[K, V]) -> None:
        """The older ones first, where there is no room for all."""
        meanwhile, self._waiting = self._waiting, waiting
        for key, value in meanwhile.items():
            self._take(key, value)
