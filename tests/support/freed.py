"""Which objects are still there although nobody has collected garbage."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def uncollected(kind: type) -> Iterator[Callable[[], int]]:
    """Without the collector; gives how many objects of `kind` have come and are not freed."""
    gc.collect()
    before = _count(kind)
    gc.disable()
    try:
        yield lambda: _count(kind) - before
    finally:
        gc.enable()


async def eventually(holds: Callable[[], bool], tries: int = 600) -> None:
    """Returns when `holds` does; fails after half a minute."""
    for _ in range(tries):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it does not come true")


def _count(kind: type) -> int:
    return sum(isinstance(one, kind) for one in gc.get_objects())
