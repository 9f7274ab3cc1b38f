"""Who waits for whose failures, and who is looked at first."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from auth.password import hash_password
from auth.throttle import Attempt, Limits, Throttle
from config.fields import network
from storage.directory import Directory
from storage.values import AccountId
from tests.support.directories import PASSWORD, MovedClock, make_settings, open_directory

ADA = "ada@example.test"


@dataclass(slots=True)
class Gate:
    """A throttle whose delays move its clock."""

    throttle: Throttle
    directory: Directory
    clock: MovedClock
    account: AccountId
    slept: list[float] = field(default_factory=list)

    async def enter(
        self, peer: str = "192.0.2.1", name: str = ADA, account: AccountId | None = None
    ) -> Attempt | None:
        return await self.throttle.enter(peer, name, account)

    async def fail(self, peer: str = "192.0.2.1", name: str = ADA, *, times: int = 1) -> None:
        for _ in range(times):
            attempt = await self.enter(peer, name)
            assert attempt is not None
            attempt.wrong()

    async def delay(
        self, peer: str = "192.0.2.1", name: str = ADA, account: AccountId | None = None
    ) -> float:
        before = len(self.slept)
        attempt = await self.enter(peer, name, account)
        assert attempt is not None
        attempt.void()
        return sum(self.slept[before:])

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.seconds += seconds


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    clock = MovedClock()
    async with open_directory(make_settings(tmp_path), clock) as directory:
        account = await directory.add_account(ADA, hash_password(PASSWORD, 4))
        throttle = Throttle(clock, directory.known_logins)
        made = Gate(throttle, directory, clock, account.id)
        throttle.sleep = made.sleep
        yield made


async def test_an_address_waits_twice_as_long_after_each_failure(gate: Gate) -> None:
    await gate.fail(times=12)
    assert [round(seconds) for seconds in gate.slept] == [1, 2, 4, 8, 16, 16]
    gate.clock.seconds += 60
    assert await gate.delay() == 0, "only who comes again at once waits"


async def test_failures_of_one_protocol_or_account_count_in_all(gate: Gate) -> None:
    for number in range(8):
        await gate.fail(name=f"user{number}@example.test")
    assert await gate.delay(name="other@example.test") > 0
    assert await gate.delay("192.0.2.2", "other@example.test") == 0


async def test_an_ipv6_network_counts_as_one_address(gate: Gate) -> None:
    await gate.fail("2001:db8::1", times=8)
    assert await gate.delay("2001:db8::ffff:2") > 0
    assert await gate.delay("2001:db8:0:1::1", "other@example.test") == 0


async def test_strangers_delay_strangers_alone(gate: Gate) -> None:
    gate.directory.known_logins.note(gate.account, "192.0.2.9")
    for number in range(60):
        await gate.fail(f"198.51.{number}.1")
    gate.slept.clear()
    assert await gate.delay("203.0.113.1", account=gate.account) == Limits().longest_account
    assert await gate.delay("192.0.2.9", account=gate.account) == 0
    assert await gate.delay("203.0.113.1", "other@example.test") == 0


async def test_a_known_address_waits_for_its_own_failures(gate: Gate) -> None:
    gate.directory.known_logins.note(gate.account, "192.0.2.9")
    for _ in range(20):
        attempt = await gate.enter("192.0.2.9", account=gate.account)
        assert attempt is not None
        attempt.wrong()
    assert await gate.delay("192.0.2.9", account=gate.account) > 10


async def test_a_network_full_of_failures_waits(gate: Gate) -> None:
    for number in range(70):
        await gate.fail(f"192.0.2.{number}", f"user{number}@example.test")
    assert await gate.delay("192.0.2.200", "new@example.test") > 0
    assert await gate.delay("198.51.100.1", "new@example.test") == 0


async def test_local_networks_are_not_limited_by_address(gate: Gate) -> None:
    gate.throttle.unlimited = [network("10.0.0.0/8")]
    for number in range(100):
        await gate.fail("10.0.0.1", f"user{number}@example.test")
    assert gate.slept == []


async def test_a_right_password_forgives_the_typing_errors_before_it(gate: Gate) -> None:
    gate.throttle.unlimited = [network("10.0.0.0/8")]
    await gate.fail("10.0.0.1", times=18)
    attempt = await gate.enter("10.0.0.1")
    assert attempt is not None
    attempt.right()
    gate.slept.clear()
    assert await gate.delay("10.0.0.1") == 0


async def test_failures_fade(gate: Gate) -> None:
    await gate.fail(times=9)
    gate.clock.seconds += 1800
    gate.slept.clear()
    await gate.fail(times=2)
    assert gate.slept == []


async def test_a_burst_at_one_account_cannot_pass_before_its_failures_are_known(gate: Gate) -> None:
    attempts = await asyncio.gather(*(gate.enter() for _ in range(60)))
    under_way = [attempt for attempt in attempts if attempt is not None]
    assert len(under_way) == Limits().at_once
    for attempt in under_way:
        attempt.void()
    assert await gate.enter() is not None


async def test_a_line_that_is_too_long_refuses_for_the_moment(gate: Gate) -> None:
    await gate.fail(times=10)
    asleep = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await asleep.wait()

    gate.throttle.sleep = sleep
    waiting = [
        asyncio.create_task(gate.enter(name=f"user{number}@example.test")) for number in range(5)
    ]
    await asyncio.sleep(0)
    assert [task.done() and task.result() is None for task in waiting] == [
        *(False, True, True, True, True)
    ]
    asleep.set()
    assert await waiting[0]


async def test_who_hangs_up_while_waiting_counts_no_more(gate: Gate) -> None:
    await gate.fail(times=10)
    asleep = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await asleep.wait()

    gate.throttle.sleep = sleep
    for _ in range(2 * Limits().at_once):
        waiting = asyncio.create_task(gate.enter(name="b@example.test"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.clock.seconds += 16


async def test_memory_is_bounded(gate: Gate) -> None:
    throttle = Throttle(gate.clock, gate.directory.known_logins, Limits(entries=100))
    for number in range(1000):
        attempt = await throttle.enter(f"10.{number % 250}.{number // 250}.1", f"{number}", None)
        assert attempt is not None
        attempt.wrong()
    assert throttle.counters <= 5 * 100


async def test_ranks_put_known_ones_first_and_failures_last(gate: Gate) -> None:
    gate.directory.known_logins.note(gate.account, "192.0.2.9")
    await gate.fail("192.0.2.1", "x@example.test", times=4)
    known = await gate.enter("192.0.2.9", account=gate.account)
    fresh = await gate.enter("203.0.113.1")
    failing = await gate.enter("192.0.2.1")
    assert known and fresh and failing
    assert known.rank() < fresh.rank() < failing.rank()


async def test_a_flood_of_one_address_stands_behind_itself(gate: Gate) -> None:
    names = [f"user{number}@example.test" for number in range(5)]
    flood = [await gate.enter("192.0.2.1", name) for name in names]
    fresh = await gate.enter("203.0.113.1")
    ranks = [attempt.rank() for attempt in flood if attempt is not None]
    assert ranks == sorted(set(ranks))
    assert fresh is not None
    assert fresh.rank() <= ranks[0] < ranks[1]
