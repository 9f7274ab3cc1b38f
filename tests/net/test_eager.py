"""Coroutines that begin at once and become tasks only to wait."""

import asyncio

import pytest

from net import eager
from tests.support.freed import eventually, uncollected


async def test_one_that_does_not_wait_is_done_at_once() -> None:
    seen: list[int] = []

    async def work() -> None:
        seen.append(1)

    assert eager.start(asyncio.get_running_loop(), work()) is None
    assert seen == [1]


async def test_one_that_waits_goes_on_as_a_task() -> None:
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()
    seen: list[object] = []

    async def work() -> None:
        seen.append(await first)
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        try:
            await second
        except ValueError as error:
            seen.append(error.args)

    task = eager.start(loop, work())
    assert task is not None
    first.set_result("a")
    await asyncio.sleep(0)
    second.set_exception(ValueError("b"))
    await task
    assert seen == ["a", task, ("b",)]


async def test_what_it_raises_reaches_the_caller_or_the_task() -> None:
    loop = asyncio.get_running_loop()

    async def work(wait: bool) -> None:
        if wait:
            await asyncio.sleep(0)
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        eager.start(loop, work(False))
    task = eager.start(loop, work(True))
    assert task is not None
    with pytest.raises(ValueError, match="lost"):
        await task


async def test_a_failure_is_free_without_a_collection() -> None:
    class Waited(asyncio.Future[None]):
        pass

    async def work(waited: list[Waited]) -> None:
        await waited.pop()

    async def fail() -> None:
        loop = asyncio.get_running_loop()
        waited = Waited(loop=loop)
        task = eager.start(loop, work([waited]))
        assert task is not None
        waited.set_exception(ValueError("lost"))
        del waited
        await asyncio.wait([task])
        assert str(task.exception()) == "lost"

    with uncollected(Waited) as left:
        await fail()
        await eventually(lambda: not left())


async def test_cancelling_ends_it_where_it_waits() -> None:
    loop = asyncio.get_running_loop()
    ended: list[str] = []

    async def work() -> None:
        try:
            await loop.create_future()
        finally:
            ended.append("ended")

    task = eager.start(loop, work())
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["ended"]
    assert task.cancelled()
