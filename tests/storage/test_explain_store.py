"""Records of what happened to messages: written behind, found again, bounded; in both databases."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from net.threads import Offload
from storage import explain
from storage.explain import OVERHEAD, ExplainStore
from storage.explain_values import MAX_DATA, Happening, Kind, pack, unpack
from storage.history_database import HistoryDatabase
from tests.support.directories import MovedClock, own_database
from tests.support.server import until

DAY = 86_400.0


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    async with own_database(request.param) as url:
        yield url


@asynccontextmanager
async def opened(
    folder: Path, database: str, clock: MovedClock, *, keep: float = 30 * DAY, size: int = 1 << 30
) -> AsyncIterator[ExplainStore]:
    offload = Offload(processes=1)
    history = await HistoryDatabase.open(database, folder, offload)
    store = ExplainStore(history, clock, offload, keep=keep, size=size)
    try:
        yield store
    finally:
        await store.close()
        await history.close()
        offload.close()


def happening(at: float, trace: str, **more: Any) -> Happening:
    data = more.pop("data", {"trace": trace})
    return Happening(at, trace, more.pop("kind", Kind.MESSAGE), lambda: data, **more)


async def test_found_by_every_name_also_after_a_restart(tmp_path: Path, database: str) -> None:
    clock = MovedClock()
    now = clock.now()
    async with opened(tmp_path, database, clock) as store:
        store.put(happening(now, "a", message_id="<x@y>", queue=7, account=3, blob=9))
        store.put(happening(now, "b", kind=Kind.REFUSED, ident="b.1"))
        store.put(happening(now + 1, "a", kind=Kind.ATTEMPT, queue=7))
    async with opened(tmp_path, database, clock) as store:
        store.put(happening(now + 2, "a", kind=Kind.COPY, account=4, blob=9))
        assert [one.kind for one in await store.of_trace("a")] == [
            Kind.MESSAGE,
            Kind.ATTEMPT,
            Kind.COPY,
        ]
        assert (await store.of_trace("a"))[0].data == {"trace": "a"}
        assert await store.traces(message_id="<x@y>") == ["a"]
        assert await store.traces(queue=7) == ["a"]
        assert await store.traces(ident="b.1") == ["b"]
        assert await store.trace_of(3, 9) == await store.trace_of(4, 9) == "a"
        assert await store.trace_of(5, 9) is None
        assert await store.traces(message_id="<other@y>") == []


async def test_a_message_id_is_found_as_long_as_its_records_are_kept(
    tmp_path: Path, database: str
) -> None:
    clock = MovedClock()
    async with opened(tmp_path, database, clock, keep=90 * DAY) as store:
        for number in range(90):
            store.put(happening(clock.now(), f"day{number}", message_id="<same@y>"))
            store.put(happening(clock.now(), f"other{number}", message_id=f"<{number}@y>"))
            clock.seconds += DAY
        assert await store.traces(message_id="<same@y>") == [f"day{n}" for n in range(90)]
        assert await store.traces(message_id="<17@y>") == ["other17"]


async def test_what_is_too_old_goes(tmp_path: Path, database: str) -> None:
    clock = MovedClock()
    async with opened(tmp_path, database, clock, keep=2 * DAY) as store:
        for number in range(300):
            store.put(happening(clock.now(), f"old{number}"))
        await store.flush()
        clock.seconds += DAY
        store.put(happening(clock.now(), "young"))
        await store.flush()
        assert await store.of_trace("old0")
        clock.seconds += DAY + 1
        await store.flush()  # it looks by itself, a quarter of an hour after it last did
        assert not await store.of_trace("old0") and not await store.of_trace("old299")
        assert await store.of_trace("young")


async def test_of_what_is_too_much_the_oldest_go(tmp_path: Path, database: str) -> None:
    clock = MovedClock()
    each = len(pack({"trace": "n000"})) + OVERHEAD
    async with opened(tmp_path, database, clock, size=100 * each) as store:
        await store.flush()
        for number in range(250):
            store.put(happening(clock.now(), f"n{number:03}"))
        await store.flush()  # so much was written that it looks at once
        assert not await store.of_trace("n149")
        assert await store.of_trace("n150") and await store.of_trace("n249")


async def test_memory_is_bounded_and_nothing_kept_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "MAX_WAITING", 5)
    clock = MovedClock()
    async with opened(tmp_path, "sqlite", clock) as store:
        for number in range(8):
            store.put(happening(clock.now(), f"m{number}"))
        with capture_logs() as logs:
            assert await store.of_trace("m4") and not await store.of_trace("m5")
        assert [(one["event"], one["count"]) for one in logs] == [("records were lost", 3)]


async def test_what_is_not_wanted_any_more_goes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "FLUSH_SECONDS", 0.0)
    clock = MovedClock()
    async with opened(tmp_path, "sqlite", clock) as store:
        store.put(happening(clock.now(), "here"))
        assert await store.of_trace("here")
        clock.seconds += 1
        store.bound(0.0, 1 << 30)
        store.put(happening(clock.now(), "unwanted"))
        await asyncio.to_thread(until, lambda: rows(tmp_path / "history.db") == 0)


def rows(path: Path) -> int:
    """How many there are, seen from outside."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT count(*) FROM history_explain").fetchone()
        return int(found[0])


async def test_the_log_says_why_nothing_is_written(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(tmp_path, "sqlite", clock) as store:
        with contextlib.closing(sqlite3.connect(tmp_path / "history.db")) as connection:
            connection.execute("DROP TABLE history_explain")
        store.put(happening(clock.now(), "private", data={"sender": "ada@example.test"}))
        with capture_logs() as logs:
            assert not await store.flush()
        assert [one["reason"] for one in logs] == ["no such table: history_explain"]


async def test_a_few_large_ones_do_not_drive_out_the_others(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(tmp_path, "sqlite", clock, size=3_000_000) as store:
        for number in range(5_000):
            store.put(happening(clock.now(), f"n{number}"))
        await store.flush()
        for _ in range(100):
            store.put(happening(clock.now(), "large", data={"sender": "x" * 12_000}))
        clock.seconds += 1_000
        await store.flush()  # 2.6 MB in all
        assert await store.of_trace("n0")
        assert len(await store.of_trace("large")) == 100


async def test_of_many_of_one_message_id_the_last_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "FOUND", 3)
    clock = MovedClock()
    async with opened(tmp_path, "sqlite", clock) as store:
        for number in range(5):
            store.put(happening(clock.now(), f"m{number}", message_id="<x@y>"))
        assert await store.traces(message_id="<x@y>") == ["m2", "m3", "m4"]


async def test_one_bad_record_takes_no_other_with_it(tmp_path: Path) -> None:
    clock = MovedClock()

    def fail() -> dict[str, Any]:
        raise ValueError("bug of a filter")

    async with opened(tmp_path, "sqlite", clock) as store:
        store.put(Happening(clock.now(), "bad", Kind.MESSAGE, fail))
        store.put(happening(clock.now(), "good", data={"text": "\udcff", "n": [1, None]}))
        assert (await store.of_trace("bad"))[0].data == {}
        assert (await store.of_trace("good"))[0].data == {"text": "?", "n": [1, None]}


def test_a_record_is_bounded_by_leaving_out_what_says_least() -> None:
    large = {"asked": [["data", "x" * 100, 1]] * 1000, "sender": "a@b", "header": {"from": "c"}}
    left = unpack(pack(large))
    assert left == {"sender": "a@b", "header": {"from": "c"}, "shortened": True}
    assert len(pack({"sender": "x" * 100_000})) <= MAX_DATA
    assert unpack(b"\xff") == {}
