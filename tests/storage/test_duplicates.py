"""Tracked ids are known until they expire, by account, and bounded in number."""

from pathlib import Path

import pytest

from net.threads import Offload
from storage import duplicates
from storage.duplicates import Duplicates
from storage.history_database import HistoryDatabase
from storage.values import AccountId
from tests.support.directories import MovedClock, own_database

ADA, BOB = AccountId(1), AccountId(2)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_tracked_ids(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offload, clock = Offload(), MovedClock()
    async with own_database(kind) as url:
        history = await HistoryDatabase.open(url, tmp_path, offload)
        try:
            known = Duplicates(history, clock)
            assert not await known.seen(ADA, "list", "one")
            await known.track(ADA, "list", "one", 60)
            assert await known.seen(ADA, "list", "one")
            assert not await known.seen(BOB, "list", "one")
            assert not await known.seen(ADA, "other", "one")
            clock.seconds += 50
            await known.track(ADA, "list", "one", 60)  # the first time counts
            clock.seconds += 20
            assert not await known.seen(ADA, "list", "one")
            await known.track(ADA, "list", "one", 60)
            clock.seconds += 50
            await known.track(ADA, "list", "one", 60, last=True)
            clock.seconds += 20
            assert await known.seen(ADA, "list", "one")
            await known.track(BOB, "long", "one", 80 * 86_400)
            clock.seconds += 79 * 86_400
            assert await known.seen(BOB, "long", "one")
            monkeypatch.setattr(duplicates, "MAX_OF_ACCOUNT", 10)
            for number in range(30):
                await known.track(ADA, "many", str(number), 1000 + number)
            assert [n for n in range(30) if await known.seen(ADA, "many", str(n))][-10:] == list(
                range(20, 30)
            )
            assert not await known.seen(ADA, "many", "0")
        finally:
            await history.close()
            offload.close()
