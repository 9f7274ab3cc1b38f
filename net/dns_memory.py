"""What DNS said, kept for its TTL: bounded in entries and octets, the longest unused go first."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class DnsMemory(Generic[T]):
    """By question. Times are seconds of one steady clock, which the caller reads."""

    def __init__(self, *, entries: int = 10_000, octets: int = 16 * 1024**2) -> None:
        self._entries, self._octets = entries, octets
        self._kept: OrderedDict[Hashable, tuple[float, int, T]] = OrderedDict()
        self._held = 0

    def get(self, key: Hashable, now: float) -> T | None:
        """What is known and still good."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= now:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found[2]

    def put(self, key: Hashable, value: T, *, until: float, octets: int) -> None:
        """Remembers; `octets` is about what the value holds in memory."""
        if key in self._kept:
            self._drop(key)
        self._kept[key] = (until, octets, value)
        self._held += octets
        while self._kept and (len(self._kept) > self._entries or self._held > self._octets):
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        self._held -= self._kept.pop(key)[1]
