"""The suppression list: kept over restarts, found without case, ended by time or by command."""

from pathlib import Path

import pytest

from storage.config_schema import failed_address
from storage.directory_values import Absent, AlreadyExists, NotAllowed
from storage.failures import Failures, Terms
from storage.suppressions import Origin
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

HOUR, DAY = 3600.0, 86_400.0
TERMS = Terms(after=2, within=7 * DAY, apart=HOUR, keep=30 * DAY)
GONE = "Gone@There.test"


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_entries_and_counts_outlive_a_restart(kind: str, tmp_path: Path) -> None:
    clock = MovedClock()
    async with own_database(kind) as url:
        settings = make_settings(tmp_path, url)
        async with open_directory(settings, clock) as directory:
            held = directory.suppressions
            await held.add(GONE, reason="left")
            await held.add("@münchen.test", until=clock.now() + DAY)
            assert await held.learn([("bob@there.test", "550 no")], [], TERMS) == []
            with pytest.raises(AlreadyExists):
                await held.add(GONE.upper())
        clock.seconds += HOUR
        async with open_directory(settings, clock) as directory:
            held = directory.suppressions
            found = held.covering("gone@there.test")
            assert found is not None and (found.address, found.reason) == (
                "Gone@there.test",
                "left",
            )
            found = held.covering("x@xn--mnchen-3ya.test")
            assert found is not None and found == held.covering("x@münchen.test")
            assert held.covering("other@there.test") is held.covering("") is None
            assert held.touches("There.test") and not held.touches("world.test")
            (made,) = await held.learn([("Bob@there.test", "550 no")], [], TERMS)
            assert held.covering("bob@there.test") == made
            assert made.until == clock.now() + 30 * DAY
            assert [one.address for one in held.listed()] == [
                "Bob@there.test",
                "Gone@there.test",
                "@xn--mnchen-3ya.test",
            ]
            await held.add("bob@there.test", reason="for good")  # the administrator's word counts
            assert [one.origin for one in held.listed()[:1]] == [Origin.COMMAND]
        clock.seconds += DAY
        async with open_directory(settings, clock) as directory:
            held = directory.suppressions
            assert held.covering("x@münchen.test") is None and len(held.listed()) == 2
            await held.delete(GONE.lower())
            await held.delete("bob@there.test")
            assert not held.touches("there.test") and held.listed() == []
            with pytest.raises(Absent):
                await held.delete(GONE)


async def test_what_is_refused(tmp_path: Path) -> None:
    clock = MovedClock()
    async with open_directory(make_settings(tmp_path), clock) as directory:
        for wrong in ("nobody", "@", "<>", "a@b c"):
            with pytest.raises(NotAllowed):
                await directory.suppressions.add(wrong)
        with pytest.raises(NotAllowed):
            await directory.suppressions.add(GONE, until=clock.now())


async def test_counted_failures_are_bounded(tmp_path: Path) -> None:
    async with open_directory(make_settings(tmp_path)) as directory:
        few = Failures(keys=3)
        async with directory.database.writing() as connection:
            for n in range(5):
                await few.note(connection, f"u{n}@there.test", 1e9 + n, TERMS)
            rows = (await connection.execute(failed_address.select())).all()
            assert sorted(key for key, _, _ in rows) == [f"u{n}@there.test" for n in (2, 3, 4)]
            await few.note(connection, "x@there.test", 1e9 + 8 * DAY, TERMS)
            rows = (await connection.execute(failed_address.select())).all()
            assert [key for key, _, _ in rows] == ["x@there.test"]
