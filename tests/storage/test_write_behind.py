"""What waits to be written outlives a database in trouble, and a close waits for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage import write_behind
from storage.directory import Directory
from storage.errors import StoreUnavailable
from storage.seen import Kind, Seen, Sight
from storage.sent_counts import Sent, SentCounts
from storage.source_counts import SourceCounts
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory

ADA, BEN = AccountId(1), AccountId(2)
NOW = MovedClock().now()
MINUTE = NOW - NOW % 60


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes follow one another at once."""
    monkeypatch.setattr(write_behind, "RETRY_SECONDS", 0.01)
    for each in (Seen, SentCounts, SourceCounts):
        monkeypatch.setattr(each, "flush_seconds", 0.01)


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[Directory]:
    async with open_directory(make_settings(tmp_path)) as opened:
        yield opened


async def soon(event: asyncio.Event) -> None:
    """A lost write fails a test instead of holding it up."""
    await asyncio.wait_for(event.wait(), 30)


class Gate:
    """In the place of a write: waits to be opened, then fails or writes."""

    def __init__(self, part: Seen | SentCounts | SourceCounts) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        self.failing, self.failed, self.written = False, asyncio.Event(), asyncio.Event()
        self._write = part._write
        part._write = self._pass  # type: ignore[method-assign, assignment, unused-ignore]

    async def _pass(self, waiting: dict[object, object]) -> None:
        self.reached.set()
        await self.open.wait()
        if self.failing:
            self.failed.set()
            raise StoreUnavailable("no disk")
        await self._write(waiting)  # type: ignore[arg-type]
        self.written.set()


async def test_a_close_waits_for_the_write_under_way(directory: Directory) -> None:
    gate = Gate(directory.seen)
    directory.seen.put(Kind.TRIPLET, Sight(NOW, NOW), "a")
    await soon(gate.reached)
    closing = asyncio.create_task(directory.seen.close())
    done, _ = await asyncio.wait([closing], timeout=0.05)
    assert not done
    gate.open.set()
    await closing
    assert gate.written.is_set()
    fresh = Seen(directory.database, MovedClock())
    assert await fresh.get(Kind.TRIPLET, "a") == Sight(NOW, NOW)


async def test_counts_that_could_not_be_written_are_kept_and_tried_again(
    directory: Directory,
) -> None:
    gate, counts = Gate(directory.sent_counts), directory.sent_counts
    gate.failing = True
    counts.add(ADA, 2)
    await soon(gate.reached)
    counts.add(ADA, 3)
    counts.add(BEN, 1)
    gate.open.set()
    await soon(gate.failed)
    assert await counts.of(ADA) == [Sent(MINUTE, 2, 5)]
    gate.failing = False
    await soon(gate.written)
    fresh = SentCounts(directory.database, MovedClock())
    assert await fresh.of(ADA) == [Sent(MINUTE, 2, 5)]
    assert await fresh.of(BEN) == [Sent(MINUTE, 1, 1)]


async def test_of_what_was_seen_twice_the_later_one_is_kept(directory: Directory) -> None:
    gate, seen = Gate(directory.seen), directory.seen
    gate.failing = True
    seen.put(Kind.DOMAIN, Sight(NOW, NOW), "x.test")
    await soon(gate.reached)
    seen.put(Kind.DOMAIN, Sight(NOW, NOW, NOW), "x.test")
    gate.open.set()
    await soon(gate.failed)
    gate.failing = False
    await soon(gate.written)
    fresh = Seen(directory.database, MovedClock())
    assert await fresh.get(Kind.DOMAIN, "x.test") == Sight(NOW, NOW, NOW)


async def test_no_more_is_kept_than_there_is_room_for(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "MAX_WAITING", 2)
    gate, counts = Gate(directory.sent_counts), directory.sent_counts
    gate.failing = True
    counts.add(ADA, 1)
    await soon(gate.reached)
    counts.add(BEN, 1)
    counts.add(AccountId(3), 1)
    counts.add(AccountId(4), 1)
    gate.open.set()
    await soon(gate.failed)
    gate.failing = False
    await counts.close()
    fresh = SentCounts(directory.database, MovedClock())
    kept = [bool(await fresh.of(AccountId(number))) for number in range(1, 5)]
    assert kept == [True, True, False, False]


async def test_a_close_that_can_write_nothing_ends(directory: Directory) -> None:
    gate = Gate(directory.source_counts)
    gate.failing = True
    gate.open.set()
    directory.source_counts.add("192.0.2.1", "", 1)
    await directory.source_counts.close()
    assert gate.failed.is_set()


async def test_days_before_yesterday_are_forgotten(tmp_path: Path) -> None:
    clock = MovedClock()
    async with open_directory(make_settings(tmp_path), clock) as directory:
        counts = directory.source_counts
        counts.add("192.0.2.1", "", 3)
        await counts.close()
        for days, kept in ((1, 3), (1, 0)):
            clock.seconds += days * 86_400
            counts.add("192.0.2.2", "", 1)
            await counts.close()
            clock.seconds -= 86_400 * (1 if kept else 2)
            before = SourceCounts(directory.database, clock)
            await before.load()
            assert before.get("192.0.2.1") == kept
            clock.seconds += 86_400 * (1 if kept else 2)
