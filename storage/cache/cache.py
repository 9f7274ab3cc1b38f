"""The interface of the global cache. In one process it is memory.py, for several redis.py.

Invariants: nothing here is the only place where something stands, so it may be emptied at any time;
nothing raises and nothing takes longer than SECONDS: while the cache is away, `get` finds nothing,
`incr` counts nothing, and what is set or published is lost.
"""

from collections.abc import Callable
from typing import Final, Protocol

SECONDS: Final = 0.25
"""The longest that a call takes."""
MOST: Final = 64 * 1024
"""Octets of a value, and of what is published."""

Heard = Callable[[bytes], None]


class Cache(Protocol):
    """`shared`: other processes have the same. Keys begin with their user's name and a colon."""

    shared: bool

    async def get(self, key: str) -> bytes | None:
        """The value, None when there is none."""

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """Keeps a value for so long."""

    async def incr(self, key: str, by: int, seconds: float) -> int | None:
        """Counts, and says what it comes to; the count goes `seconds` after it began. None when
        nobody counts: then only the caller's own count is known.
        """

    async def delete(self, key: str) -> None:
        """There is none afterwards."""

    def publish(self, channel: str, payload: bytes) -> None:
        """Tells who subscribed, this process as well, in order, behind the caller."""

    def subscribe(self, channel: str, heard: Heard, missed: Callable[[], None]) -> None:
        """Calls `heard` in the loop with what is published from here on, and `missed` whenever
        some of it may have been lost.
        """

    async def start(self) -> None:
        """Before the first call."""

    async def close(self) -> None:
        """After the last."""
