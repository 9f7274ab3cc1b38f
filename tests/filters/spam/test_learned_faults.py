"""What the classifier has in memory stays what its lessons add up to: when a caller is cancelled,
the database fails, an account is forgotten meanwhile, and where memory is small.
"""

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.logging import get_logger
from filters.spam import learned as learning
from filters.spam.learned import ENOUGH, Learned
from filters.spam.memory import ACCOUNTS, Own
from filters.spam.weights import VERSION
from net.threads import Offload
from storage.errors import StoreUnavailable
from storage.history_database import HistoryDatabase
from storage.spam_lessons import Plan, SpamLessons
from storage.spam_values import RULES, SITE, Known, Label, Lesson
from storage.values import AccountId

ANN, BEN, CY = AccountId(11), AccountId(12), AccountId(13)


def words(topic: int, number: int) -> "array[int]":
    """The features of a message: those of its topic, those of all mail, one of its own."""
    return array("I", sorted({*range(topic, topic + 20), *range(50), 900_000 + number}))


def lesson(topic: int, number: int, label: Label) -> Lesson:
    return Lesson(f"{topic} {number}".encode().ljust(16), Known(), label, words(topic, number))


SPAM, HAM, NEW = 1_000, 2_000, 3_000


@dataclass(slots=True)
class Desk:
    history: HistoryDatabase
    offload: Offload
    lessons: SpamLessons
    learned: Learned

    async def begin(self, *owners: AccountId) -> None:
        for owner in owners:
            for topic, label in ((SPAM, Label.SPAM), (HAM, Label.HAM)):
                taught = [lesson(topic, number, label) for number in range(ENOUGH)]
                await self.learned.teach(owner, taught)

    async def assert_true(self, *accounts: AccountId) -> None:
        """What is in memory is what another process would make of the lessons."""
        again = Learned(SpamLessons(self.history, SystemClock()), self.offload, get_logger("spam"))
        try:
            await again.start()
            alike = [again._site.sums == self.learned._site.sums]
            for account in accounts:
                theirs, mine = await again._own(account), await self.learned._own(account)
                alike += [theirs.counts == mine.counts, _sums(theirs) == _sums(mine)]
            assert all(alike)  # no differences of a million numbers shown
        finally:
            await again.stop()


def _sums(own: Own) -> "array[int] | None":
    return None if own.weights is None else own.weights.sums


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    offload = Offload(processes=1)
    history = await HistoryDatabase.open("sqlite", tmp_path, offload)
    lessons = SpamLessons(history, SystemClock())
    learned = Learned(lessons, offload, get_logger("spam"))
    await learned.start()
    yield Desk(history, offload, lessons, learned)
    await learned.stop()
    await history.close()
    offload.close()


async def test_a_caller_is_cancelled_within_a_commit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.begin(ANN)
    await desk.learned.keep()
    commit, read_again = desk.lessons._commit, desk.learned._forget_memory
    begun, go, reading = asyncio.Event(), asyncio.Event(), False

    async def slow(plan: Plan) -> None:
        begun.set()
        await go.wait()
        await commit(plan)

    async def read(owner: AccountId) -> None:
        nonlocal reading
        reading = True
        await read_again(owner)
        go.set()

    monkeypatch.setattr(desk.lessons, "_commit", slow)
    monkeypatch.setattr(desk.learned, "_forget_memory", read)
    task = asyncio.create_task(desk.learned.teach(ANN, [lesson(NEW, 1, Label.SPAM)]))
    await begun.wait()
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    if not reading:
        go.set()
    with suppress(asyncio.CancelledError):
        await task
    await asyncio.gather(*desk.history._tasks)
    assert (await desk.learned.totals(ANN)).own.spam == ENOUGH + 1
    await desk.assert_true(ANN)


async def test_the_database_goes_while_a_lesson_is_learned(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.begin(ANN)

    async def fails(*_: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(desk.lessons, "commit", fails)
        patch.setattr(desk.lessons, "weights", fails)
        with pytest.raises(StoreUnavailable):
            await desk.learned.teach(ANN, [lesson(NEW, 1, Label.SPAM)])
        assert await desk.learned.probability(words(NEW, 2)) is None
    await desk.learned.teach(ANN, [lesson(NEW, 1, Label.SPAM)])
    assert await desk.learned.probability(words(NEW, 2)) is not None
    await desk.assert_true(ANN)


async def test_an_account_is_forgotten_while_it_is_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.begin(ANN, BEN)
    desk.learned._accounts.clear()
    totals, begun, go = desk.lessons.totals, asyncio.Event(), asyncio.Event()

    async def slow(owner: AccountId) -> object:
        found = await totals(owner)
        begun.set()
        await go.wait()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(desk.lessons, "totals", slow)
        judging = asyncio.create_task(desk.learned.probability(words(NEW, 1), ANN))
        await begun.wait()
    await desk.learned.forget(ANN)
    go.set()
    await judging
    assert not await desk.learned.has_taught(ANN)
    await desk.assert_true(ANN, BEN)


async def test_those_who_taught_nothing_drive_nobody_out_of_memory(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.begin(ANN)
    for number in range(2 * ACCOUNTS):
        assert not await desk.learned.has_taught(AccountId(1_000 + number))

    async def fails(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(desk.lessons, "totals", fails)
    assert await desk.learned.has_taught(ANN)
    assert not await desk.learned.has_taught(AccountId(1_000))


async def test_sums_that_had_to_be_made_are_kept(desk: Desk) -> None:
    await desk.begin(ANN)
    desk.learned._accounts.clear()
    assert await desk.lessons.weights(ANN, VERSION) is None
    await desk.learned.probability(words(NEW, 1), ANN)
    assert await desk.lessons.weights(ANN, VERSION) is not None
    await desk.assert_true(ANN)


async def test_too_many_lessons_are_left_as_they_are(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.begin(SITE)
    before = desk.learned._site.sums[:]
    monkeypatch.setattr(learning, "MOST_TO_FIT", 2 * ENOUGH - 1)
    assert await desk.learned.refit(SITE) == 2 * ENOUGH
    assert desk.learned._site.sums == before
    monkeypatch.setattr(learning, "MOST_TO_FIT", 2 * ENOUGH)
    await desk.learned.refit(SITE)
    assert desk.learned._site.sums != before


async def test_grading_leaves_out_what_rules_taught_of_it_too(desk: Desk) -> None:
    await desk.begin(BEN, CY)
    taught = lesson(NEW, 1, Label.SPAM)
    await desk.learned.teach(RULES, [taught])
    await desk.learned.teach(CY, [lesson(NEW, 2, Label.SPAM)])
    graded = await desk.learned.without(taught.key, taught.features, BEN)
    with_it = await desk.learned.probability(taught.features, BEN)
    await desk.learned.teach(RULES, [Lesson(taught.key, Known(), Label.NONE)])
    without = await desk.learned.probability(taught.features, BEN)
    assert graded == pytest.approx(without, rel=1e-6)
    assert graded is not None and with_it is not None and graded < 0.97 * with_it
