"""Calls between two ends of a link: schemas, errors, deadlines, what is told, and its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import pytest

from config.logging import silent_logger
from net.breaker import Breaker, State
from net.contract import BadSchema, called, contract, declared
from net.link import PAYLOAD, Failed, Link, LinkLost, Offer, TooLate, Unavailable
from tests.support.directories import MovedClock
from tests.support.sealed_pair import pair


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    name: str
    colour: Colour
    data: bytes = b""


class Refusal(Exception):
    pass


@dataclass(frozen=True)
class Told:
    text: str


class Shop(Protocol):
    @called(idempotent=True)
    async def sell(self, thing: Thing, count: int) -> list[Thing]: ...

    async def fail(self, how: str) -> None: ...

    @called(seconds=0.05)
    async def sleep(self) -> None: ...


class Counter:
    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    async def sell(self, thing: Thing, count: int) -> list[Thing]:
        return [thing] * count

    async def fail(self, how: str) -> Any:
        if how == "wrong type":
            return 7
        raise Refusal(how) if how == "declared" else ValueError(how)

    async def sleep(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


SHOP = contract(
    "shop", Shop, declared(Refusal, Told, lambda e: Told(str(e)), lambda t: Refusal(t.text))
)


@asynccontextmanager
async def linked(
    target: object, told: list[bytes] | None = None
) -> AsyncIterator[tuple[Link, Link, asyncio.Task[None]]]:
    """Who asks, who answers with `target`, and the task of the first."""
    async with pair() as (one, two):
        heard = [] if told is None else told
        asks = Link(one, silent_logger(), told=lambda _link, _topic, data: heard.append(data))
        answers = Link(two, silent_logger(), offers={"shop": Offer(SHOP, target)})
        tasks = [asyncio.create_task(each.run()) for each in (asks, answers)]
        try:
            yield asks, answers, tasks[0]
        finally:
            asks.close()
            answers.close()
            await asyncio.gather(*tasks)


async def ask(link: Link, name: str, *args: object) -> Any:
    return await link.call(SHOP, name, args, {})


async def test_values_come_back_as_they_went() -> None:
    thing = Thing("böx\n", Colour.RED, bytes(range(256)))
    async with linked(Counter()) as (link, _, _):
        found = await asyncio.gather(*(ask(link, "sell", thing, n) for n in range(50)))
    assert found == [[thing] * n for n in range(50)]


async def test_declared_errors_cross_and_others_do_not() -> None:
    async with linked(Counter()) as (link, _, _):
        with pytest.raises(Refusal, match="declared"):
            await ask(link, "fail", "declared")
        with pytest.raises(Failed) as other:
            await ask(link, "fail", "a private cause")
        assert "private" not in str(other.value)
        with pytest.raises(Failed):
            await ask(link, "fail", "wrong type")
        assert await ask(link, "sell", Thing("a", Colour.RED), 1)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"thing":{"name":"a","colour":"blue"},"count":1}', id="enum"),
        pytest.param(b'{"thing":{"name":"a","colour":"red"},"count":"1"}', id="type"),
        pytest.param(b'{"thing":{"name":"a","colour":"red"},"count":1,"more":1}', id="more"),
        pytest.param(b'{"thing":{"name":"a","colour":"red"}}', id="missing"),
    ],
)
async def test_arguments_are_checked_where_they_arrive(payload: bytes) -> None:
    async with linked(Counter()) as (link, _, _):
        head = {"k": "call", "m": "shop.sell", "s": 5.0}
        answer, _ = await link._ask(head, payload)
        assert (answer["k"], answer["w"]) == ("error", "schema")
        with pytest.raises(BadSchema):
            await ask(link, "sell", Thing("a", Colour.RED), "1")


async def test_what_is_too_large_refuses_one_call_and_not_the_link() -> None:
    async with linked(Counter()) as (link, _, _):
        with pytest.raises(BadSchema, match="octets"):
            await ask(link, "sell", Thing("a" * PAYLOAD, Colour.RED), 1)
        with pytest.raises(Failed):
            await ask(link, "sell", Thing("a" * 1000, Colour.RED), 2000)
        assert await ask(link, "sell", Thing("a", Colour.RED), 1), "the link lives on"


async def test_a_deadline_ends_the_call_on_both_sides() -> None:
    counter = Counter()
    async with linked(counter) as (link, _, _):
        with pytest.raises(TooLate):
            await ask(link, "sleep")
        await counter.cancelled.wait()
        assert await ask(link, "sell", Thing("a", Colour.RED), 1)


async def test_what_is_told_is_heard_before_the_answer() -> None:
    told: list[bytes] = []

    class Teller(Counter):
        async def sell(self, thing: Thing, count: int) -> list[Thing]:
            for n in range(count):
                answers.tell("changes", b"%d" % n)
            return []

    async with linked(Teller(), told) as (link, answers, _):
        await ask(link, "sell", Thing("a", Colour.RED), 3)
        assert told == [b"0", b"1", b"2"]
        assert await link.ping() == ""


async def test_calls_under_way_are_lost_with_the_connection() -> None:
    async with linked(Counter()) as (link, answers, task):
        waiting = asyncio.create_task(ask(link, "sleep"))
        await asyncio.sleep(0)
        answers.close()
        with pytest.raises(LinkLost):
            await waiting
        await task
        with pytest.raises(LinkLost):
            await ask(link, "sell", Thing("a", Colour.RED), 1)


async def test_an_unknown_method_is_unavailable() -> None:
    async with linked(Counter()) as (link, _, _):
        other = contract("elsewhere", Shop)
        with pytest.raises(Unavailable):
            await link.call(other, "sell", (Thing("a", Colour.RED), 1), {})


def states(breaker: Breaker) -> list[State]:
    return [breaker.state]


def test_a_breaker_opens_tries_once_and_closes() -> None:
    clock = MovedClock()
    breaker = Breaker(clock)
    for _ in range(3):
        assert breaker.take()
        breaker.wrong()
    assert states(breaker) == [State.OPEN]
    assert not breaker.take()
    assert 0 < breaker.wait() <= 1
    clock.seconds += 1
    assert states(breaker) == [State.HALF_OPEN]
    assert (breaker.take(), breaker.take()) == (True, False)
    breaker.wrong()
    assert states(breaker) == [State.OPEN]
    assert breaker.wait() == 2
    clock.seconds += 2
    assert breaker.take()
    breaker.void()
    assert breaker.take()
    breaker.right()
    assert states(breaker) == [State.CLOSED]
    assert [breaker.take() for _ in range(3)] == [True] * 3
