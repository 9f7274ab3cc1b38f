"""What accounts sent is known after a restart, as long as a limit may ask for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from filters.sendlimit import Limits, SendLimits
from net.threads import Offload
from storage.directory import Directory
from storage.sent_counts import KEPT, Sent, SentCounts
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, own_database

ADA, BEN = AccountId(1), AccountId(2)
HOUR = 3600.0


@asynccontextmanager
async def counting(
    folder: Path, clock: MovedClock, database: str = "sqlite"
) -> AsyncIterator[SentCounts]:
    offload = Offload(processes=1)
    directory = await Directory.open(make_settings(folder, database), clock, offload)
    try:
        yield directory.sent_counts
    finally:
        await directory.close()
        await asyncio.to_thread(offload.close)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    async with own_database(request.param) as own:
        yield own


async def test_minutes_of_an_account(tmp_path: Path, database: str) -> None:
    clock = MovedClock()
    start = clock.now() - clock.now() % 60
    for _ in range(2):
        async with counting(tmp_path, clock, database) as counts:
            counts.add(ADA, 2)
            counts.add(BEN, 1)
    async with counting(tmp_path, clock, database) as counts:
        clock.seconds += 60
        counts.add(ADA, 5)
        assert await counts.of(ADA) == [Sent(start, 2, 4), Sent(start + 60, 1, 5)]
    async with counting(tmp_path, clock, database) as counts:
        clock.seconds = start + 60 + KEPT
        assert await counts.of(ADA) == [Sent(start + 60, 1, 5)]
        await counts.prune()
        clock.seconds = start
        assert await counts.of(BEN) == []


async def test_an_hour_ends_as_if_there_had_been_no_restart(tmp_path: Path) -> None:
    clock, limits = MovedClock(), Limits(messages_per_hour=1)
    async with counting(tmp_path, clock) as counts:
        first = SendLimits(clock, counts)
        await first.recall(ADA)
        first.count(ADA, 1)
        clock.seconds += HOUR - 10
        again = SendLimits(clock, counts)
        await again.recall(ADA)
        assert again.reached(ADA, limits, 1) is not None
        clock.seconds += 10 + 3 * 60
        assert again.reached(ADA, limits, 1) is None
