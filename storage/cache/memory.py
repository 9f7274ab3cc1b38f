"""The global cache of one process: a bounded dictionary."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from config.clock import Clock
from storage.cache.cache import MOST, Heard

ENTRIES: Final = 50_000


class MemoryCache:
    """What was not written for the longest goes first."""

    shared = False

    def __init__(self, clock: Clock, entries: int = ENTRIES) -> None:
        self._clock, self._most = clock, entries
        self._values: OrderedDict[str, tuple[bytes | int, float]] = OrderedDict()
        self._heard: dict[str, list[Heard]] = {}

    async def start(self) -> None:
        """There is nothing to start."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def get(self, key: str) -> bytes | None:
        found = self._of(key)
        return found[0] if found is not None and isinstance(found[0], bytes) else None

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        if len(value) <= MOST:
            self._put(key, value, self._clock.monotonic() + seconds)

    async def incr(self, key: str, by: int, seconds: float) -> int | None:
        found = self._of(key)
        if found is None or not isinstance(found[0], int):
            found = (0, self._clock.monotonic() + seconds)
        count = int(found[0]) + by
        self._put(key, count, found[1])
        return count

    async def delete(self, key: str) -> None:
        self._values.pop(key, None)

    def publish(self, channel: str, payload: bytes) -> None:
        for heard in self._heard.get(channel, ()):
            heard(payload)

    def subscribe(self, channel: str, heard: Heard, missed: Callable[[], None]) -> None:
        self._heard.setdefault(channel, []).append(heard)

    def _of(self, key: str) -> tuple[bytes | int, float] | None:
        found = self._values.get(key)
        if found is not None and found[1] <= self._clock.monotonic():
            del self._values[key]
            return None
        return found

    def _put(self, key: str, value: bytes | int, until: float) -> None:
        self._values[key] = (value, until)
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)
