"""Standings of senders, domains, networks and bodies: added up, fading, stored behind, bounded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from net.threads import Offload
from storage.errors import StoreUnavailable
from storage.history_database import HistoryDatabase
from storage.reputation import DAY, NOTHING, About, Reputation, Rule, Standing
from tests.support.directories import own_database

ANN = (About.SENDER, "ann@example.org")
NET = (About.NETWORK, "192.0.2.0/24")


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.time = 1_790_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def history(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HistoryDatabase]:
    async with own_database(request.param) as database:
        offload = Offload()
        made = await HistoryDatabase.open(database, tmp_path, offload)
        yield made
        await made.close()
        offload.close()


async def test_what_is_added_is_seen_at_once_and_after_a_restart(history: HistoryDatabase) -> None:
    clock = Clock()
    one = Reputation(history, clock)
    assert await one.of([ANN, NET]) == [NOTHING.faded(clock.now(), DAY)] * 2
    one.add([ANN, NET], bad=1)
    one.add([ANN], good=3)
    ann, net = await one.of([ANN, NET])
    assert (ann.good, ann.bad, net.good, net.bad) == (3, 1, 0, 1)
    await one.close()
    two = Reputation(history, clock)
    two.add([ANN], good=1)  # before anything of it was read
    ann, net = await two.of([(About.SENDER, "Ann@Example.org"), NET])
    assert (ann.good, ann.bad, net.bad) == (4, 1, 1)
    await two.close()
    (ann,) = await Reputation(history, clock).of([ANN])
    assert (ann.good, ann.bad) == (4, 1)


async def test_it_fades_and_goes(history: HistoryDatabase) -> None:
    clock = Clock()
    reputation = Reputation(history, clock)
    reputation.add([ANN], bad=8)
    await reputation.close()
    clock.time += 60 * DAY
    (ann,) = await Reputation(history, clock).of([ANN])
    assert ann.bad == pytest.approx(2)
    reputation.add([ANN], good=1)
    (ann,) = await reputation.of([ANN])
    assert ann.good == 1
    assert ann.bad == pytest.approx(2)
    await reputation.close()
    await reputation.prune()
    assert (await Reputation(history, clock).of([ANN]))[0].bad == pytest.approx(2)
    clock.time += 400 * DAY
    await reputation.prune()
    clock.time -= 400 * DAY
    assert (await Reputation(history, clock).of([ANN]))[0].weight == 0


async def test_the_oldest_of_too_many_go(history: HistoryDatabase) -> None:
    clock = Clock()
    reputation = Reputation(history, clock)
    reputation.rules[About.SENDER] = Rule(30 * DAY, 10)
    for number in range(20):
        clock.time += 1
        reputation.add([(About.SENDER, f"{number}@example.org")], bad=1)
    await reputation.close()
    await reputation.prune()
    fresh = Reputation(history, clock)
    found = await fresh.of([(About.SENDER, f"{number}@example.org") for number in range(20)])
    assert [one.bad > 0 for one in found] == [False] * 10 + [True] * 10


async def test_a_write_that_fails_is_made_later(
    history: HistoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    reputation = Reputation(history, clock)
    reputation.add([ANN], bad=1)
    write = reputation._write

    async def fails(waiting: object) -> None:
        reputation.add([ANN], bad=1)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(reputation, "_write", fails)
    assert not await reputation._flush()
    monkeypatch.setattr(reputation, "_write", write)
    await reputation.close()
    assert (await Reputation(history, clock).of([ANN]))[0].bad == 2


async def test_who_asks_waits_for_a_piece_of_what_is_written(
    history: HistoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    reputation = Reputation(history, Clock())
    many = [(About.BODY, str(number)) for number in range(3 * Reputation.piece)]
    reputation.add(many, bad=1)
    write, begun, written = reputation._write, asyncio.Event(), list[int]()

    async def noted(waiting: dict[Any, Standing]) -> None:
        begun.set()
        await write(waiting)
        written.append(len(waiting))

    monkeypatch.setattr(reputation, "_write", noted)
    writing = asyncio.create_task(reputation._flush())
    await begun.wait()
    await reputation.of([ANN])
    assert len(written) < 3
    assert await writing
    assert written == [Reputation.piece] * 3
    found = await Reputation(history, Clock()).of(many[::500])
    assert [one.bad for one in found] == [1.0] * 3
    await reputation.close()


def test_little_is_known_of_one_message() -> None:
    assert Standing().badness == 0.5
    assert Standing(bad=1).badness == 0.75
    assert Standing(bad=30).badness > 0.98
    assert Standing(good=30, bad=1).badness < 0.05
