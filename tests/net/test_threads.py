"""The way into a thread: what a cancelled caller holds stays its own until the thread is done."""

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool

import pytest

from net.threads import Offload, Pool


@pytest.fixture
def offload() -> Iterator[Offload]:
    made = Offload()
    yield made
    made.close()


@pytest.mark.parametrize("fails", [False, True])
async def test_a_lock_is_held_until_the_thread_is_done(offload: Offload, fails: bool) -> None:
    lock, begun, go_on = asyncio.Lock(), threading.Event(), threading.Event()
    seen: list[str] = []

    def work() -> None:
        begun.set()
        go_on.wait(30)
        seen.append("first")
        if fails:
            raise OSError("nobody waits for this")

    async def first() -> None:
        async with lock:
            await offload.disk(work)

    async def second() -> None:
        async with lock:
            await offload.disk(seen.append, "second")

    cancelled = asyncio.create_task(first())
    await asyncio.to_thread(begun.wait, 30)
    following = asyncio.create_task(second())
    for _ in range(3):  # more than once, as an impatient caller does
        cancelled.cancel()
        await asyncio.sleep(0.02)
    assert seen == [] and not cancelled.done()
    go_on.set()
    await following
    assert seen == ["first", "second"]
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_call_that_has_not_begun_never_does(offload: Offload) -> None:
    go_on, seen = threading.Event(), list[str]()
    busy = asyncio.create_task(offload.run(Pool.HASH, go_on.wait, 30))
    await asyncio.sleep(0.02)
    waiting = asyncio.create_task(offload.run(Pool.HASH, seen.append, "ran"))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    await busy
    await offload.run(Pool.HASH, seen.append, "later")
    assert seen == ["later"]


async def test_a_worker_that_was_killed_is_replaced(offload: Offload) -> None:
    assert await offload.apart(abs, -1) == 1
    with pytest.raises(BrokenProcessPool):
        await offload.apart(os._exit, 1)
    assert await offload.apart(abs, -2) == 2
