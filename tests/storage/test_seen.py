"""What was seen is kept over restarts, within bounds of age and number, and read as it was put."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from net.threads import Offload
from storage.config_schema import seen as table
from storage.directory import Directory
from storage.seen import DAY, Bounds, Kind, Seen, Sight
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

NOW = MovedClock().now()


async def rows(directory: Directory) -> int:
    async with directory.database.reading() as connection:
        query = select(func.count()).select_from(table)
        return (await connection.execute(query)).scalar_one()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_what_was_put_outlives_a_restart(kind: str, tmp_path: Path) -> None:
    async with own_database(kind) as url:
        settings = make_settings(tmp_path, url)
        first, again = Sight(NOW, NOW), Sight(NOW, NOW + 5, NOW + 5)
        async with open_directory(settings) as directory:
            seen = directory.seen
            assert await seen.get(Kind.TRIPLET, "a", "b") is None
            seen.put(Kind.TRIPLET, first, "a", "b")
            assert await seen.get(Kind.TRIPLET, "a", "b") == first
            assert await seen.get(Kind.TRIPLET, "ab") is None
            seen.met(Kind.DOMAIN, ["x.test"] * 3)
        async with open_directory(settings) as directory:
            assert await directory.seen.get(Kind.TRIPLET, "a", "b") == first
            assert await directory.seen.get(Kind.CORRESPONDENT, "x.test") is None
            assert (await directory.seen.get(Kind.DOMAIN, "x.test")) is not None
            directory.seen.put(Kind.TRIPLET, again, "a", "b")
            await directory.seen.close()
            assert await rows(directory) == 2
        async with open_directory(settings) as directory:
            assert await directory.seen.get(Kind.TRIPLET, "a", "b") == again


async def test_the_old_and_the_many_go(tmp_path: Path) -> None:
    clock, offload = MovedClock(), Offload()
    directory = await Directory.open(make_settings(tmp_path), clock, offload)
    seen = directory.seen
    seen.bounds[Kind.TRIPLET] = Bounds(10 * DAY, DAY, 5)
    seen.put(Kind.TRIPLET, Sight(NOW, NOW), "never passed")
    seen.put(Kind.TRIPLET, Sight(NOW, NOW, NOW), "passed")
    clock.seconds += 2 * DAY
    assert await seen.get(Kind.TRIPLET, "never passed") is None
    assert await seen.get(Kind.TRIPLET, "passed") is not None
    await seen.close()
    await seen.prune()
    assert await rows(directory) == 1
    for number in range(10):
        seen.put(Kind.TRIPLET, Sight(NOW, clock.now() + number, NOW), str(number))
    await seen.close()
    await seen.prune()
    assert await rows(directory) == 5
    fresh = Seen(directory.database, clock)
    kept = [await fresh.get(Kind.TRIPLET, str(number)) is not None for number in range(10)]
    assert kept == [False] * 5 + [True] * 5
    await directory.close()
    offload.close()


async def test_acquaintances_cost_one_write_a_day(tmp_path: Path) -> None:
    clock, offload = MovedClock(), Offload()
    directory = await Directory.open(make_settings(tmp_path), clock, offload)
    seen = directory.seen
    seen.met(Kind.CORRESPONDENT, ["a@b.test"])
    await seen.close()
    clock.seconds += DAY / 2
    seen.met(Kind.CORRESPONDENT, ["a@b.test"])
    assert seen._waiting == {}
    clock.seconds += DAY
    seen.met(Kind.CORRESPONDENT, ["a@b.test"])
    found = await seen.get(Kind.CORRESPONDENT, "a@b.test")
    assert found is not None and replace(found, first=0) == Sight(0, clock.now(), clock.now())
    await directory.close()
    offload.close()
