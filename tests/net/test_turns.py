"""Turns for the hashing thread: lower ranks first, two at once while many wait, a bounded queue."""

import asyncio

import pytest

from net.turns import CROWD, Turns


async def _start(turns: Turns, rank: float, order: list[float]) -> asyncio.Task[bool]:
    async def wait() -> bool:
        taken = await turns.take(lambda: rank)
        if taken:
            order.append(rank)
        return taken

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    return task


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_lowest_rank_is_next_and_equal_ones_in_order() -> None:
    turns, order = Turns(10), list[float]()
    for rank in (5.0, 3.0, 1.0, 2.0):
        await _start(turns, rank, order)
    for _ in range(3):
        turns.give_back()
        await _settle()
    assert order == [5.0, 1.0, 2.0, 3.0]


async def test_a_rank_that_rose_while_waiting_counts() -> None:
    turns, order, ranks = Turns(10), list[str](), {"risen": 1.0, "steady": 2.0}

    async def wait(name: str) -> None:
        await turns.take(lambda: ranks[name])
        order.append(name)

    await turns.take(lambda: 0.0)
    tasks = [asyncio.create_task(wait(name)) for name in ranks]
    await _settle()
    ranks["risen"] = 3.0
    for _ in tasks:
        turns.give_back()
        await _settle()
    assert order == ["steady", "risen"]


async def test_two_at_once_while_many_wait() -> None:
    turns, order = Turns(1000), list[float]()
    for number in range(CROWD + 1):
        await _start(turns, float(number), order)
    await _settle()
    assert len(order) == 1
    for number in range(3):
        await _start(turns, 1000.0 + number, order)
    await _settle()
    assert len(order) == 2
    for _ in range(CROWD):
        turns.give_back()
        await _settle()
    turns.give_back()
    await _settle()
    assert len(turns) == 2, "one thread is enough for the last ones"


async def test_a_full_queue_refuses_the_highest_rank() -> None:
    turns, order = Turns(2), list[float]()
    await _start(turns, 0.0, order)
    waiting = [await _start(turns, rank, order) for rank in (5.0, 6.0)]
    assert not await turns.take(lambda: 6.0)
    better = await _start(turns, 1.0, order)
    assert not await waiting[1]
    turns.give_back()
    assert await better


@pytest.mark.parametrize("given", [False, True])
async def test_who_is_cancelled_holds_up_nobody(given: bool) -> None:
    turns, order = Turns(10), list[float]()
    await turns.take(lambda: 0.0)
    gone = await _start(turns, 1.0, order)
    waiting = await _start(turns, 2.0, order)
    if given:
        turns.give_back()
        gone.cancel()
    else:
        gone.cancel()
        await _settle()
        turns.give_back()
    assert await waiting
    assert order == [2.0]


async def test_those_who_were_refused_are_not_kept() -> None:
    turns, order = Turns(4), list[float]()
    await turns.take(lambda: 0.0)
    tasks = [await _start(turns, 1000.0 - number, order) for number in range(500)]
    assert len(turns) == 4
    assert len(turns._heap) <= 2 * 4 + CROWD + 1
    await _settle()
    assert [task.done() for task in tasks] == [True] * 496 + [False] * 4
    for _ in range(4):
        turns.give_back()
        await _settle()
    assert order == [501.0, 502.0, 503.0, 504.0]
