"""The quarantine's files and rows: durable, rebuilt, bounded, with recipients done one by one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path

import pytest

from net.threads import Offload
from storage import quarantine
from storage.errors import StoreFull
from storage.history_database import HistoryDatabase
from storage.quarantine import NotInQuarantine, Quarantine, count
from storage.quarantine_file import Kept, read
from storage.values import Content
from tests.support.directories import MovedClock

DAY = 86_400.0
BODY = b"Subject: x\r\n\r\n" + b"text\r\n" * 100
TO = ("ada@example.test", "eve@example.test")


@asynccontextmanager
async def opened(
    folder: Path, clock: MovedClock, *, keep: float = 30 * DAY, size: int = 1 << 30
) -> AsyncIterator[Quarantine]:
    offload = Offload(processes=1)
    history = await HistoryDatabase.open("sqlite", folder, offload)
    here = Quarantine(folder, history, clock, offload, keep=keep, size=size)
    try:
        yield here
    finally:
        await here.close()
        await history.close()
        offload.close()


def kept(clock: MovedClock, trace: str, size: int = len(BODY)) -> Kept:
    return Kept("", clock.now(), trace, "a@b.test", TO, size=size, envelope={"kind": "smtp"})


def content(body: bytes = BODY, path: Path | None = None) -> Content:
    digest = blake2b(body, digest_size=16).digest()
    if path is None:
        return Content(len(body), digest, data=body)
    path.write_bytes(b"left out" + body)
    return Content(len(body), digest, path=path, start=8)


def lose_history(folder: Path) -> None:
    for path in folder.glob("history.db*"):
        path.unlink()


async def test_a_spooled_message_is_taken_over(tmp_path: Path) -> None:
    async with opened(tmp_path, MovedClock()) as here:
        spooled = tmp_path / "spooled"
        named = await here.keep(kept(MovedClock(), "t1"), content(path=spooled))
        path, offset = await here.place(named.id)
        assert path.read_bytes()[offset:] == BODY and not spooled.exists()
        assert path.stat().st_mode & 0o777 == 0o600
        assert count(tmp_path) == await here.usage() == (1, path.stat().st_size)


async def test_two_of_one_trace_have_ids_of_their_own(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(tmp_path, clock) as here:
        ids = [(await here.keep(kept(clock, "t1"), content())).id for _ in range(3)]
        assert ids == ["t1", "t1-2", "t1-3"]
        assert sorted(one.id for one in await here.listed()) == ids


async def test_recipients_are_done_one_by_one_also_when_rows_are_lost(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(tmp_path, clock) as here:
        await here.keep(kept(clock, "t1"), content())
        await here.done("t1", [0], "released", "root")
    lose_history(tmp_path)
    async with opened(tmp_path, clock) as here:
        (one,) = await here.listed()
        assert one.left == {1: TO[1]} and (await here.show("t1")).left == one.left
        assert await here.listed() == [one]  # from its row
        with (tmp_path / "quarantine" / "new" / "t1").open("ab") as file:
            file.write(b'\n{"at": 1, "done": [1')  # torn by a power loss
        assert read(tmp_path / "quarantine" / "new" / "t1")[0].left == {1: TO[1]}
        await here.done("t1", [1], "deleted", "root")
        assert await here.listed() == []
        with pytest.raises(NotInQuarantine):
            await here.show("t1")


async def test_rows_follow_the_files(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(tmp_path, clock) as here:
        for name in ("t1", "t2"):
            await here.keep(kept(clock, name), content())
        (tmp_path / "quarantine" / "new" / "t1").unlink()
        (tmp_path / "quarantine" / "new" / "t3").write_bytes(b"rubbish")
        assert [one.id for one in await here.listed()] == ["t2"]
        for name in ("../new/t2", "t3", "", "t2/", "no", "x" * 300):
            with pytest.raises(NotInQuarantine):
                await here.show(name)


async def test_what_is_too_old_goes(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(tmp_path, clock, keep=2 * DAY) as here:
        await here.keep(kept(clock, "t1"), content())
        clock.seconds += DAY
        await here.keep(kept(clock, "t2"), content())
        clock.seconds += DAY + 1
        assert await here.prune() == 1
        assert [one.id for one in await here.listed()] == ["t2"]


async def test_of_what_is_too_much_the_oldest_go(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(tmp_path, clock, size=4000) as here:
        for number in range(1, 10):
            clock.seconds += 1
            await here.keep(kept(clock, f"t{number}"), content())
            assert (await here.usage())[1] <= 4000
        names = [one.id for one in await here.listed()]
        assert names[-1] == "t9" and "t1" not in names and len(names) >= 3
        with pytest.raises(StoreFull):
            await here.keep(kept(clock, "huge", 5000), content(b"x" * 5000))
        assert [one.id for one in await here.listed()] == names


async def test_what_keeps_it_full_is_not_counted_for_each_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, sizes = list[Path](), quarantine._sizes

    def count_all(folder: Path) -> dict[str, int]:
        counted.append(folder)
        return sizes(folder)

    monkeypatch.setattr(quarantine, "_sizes", count_all)
    clock = MovedClock()
    async with opened(tmp_path, clock, size=100_000) as here:
        for number in range(100, 400):
            await here.keep(kept(clock, f"t{number}"), content())
        assert len(counted) < 100
        counted.clear()
        names = [one.id for one in await here.listed()]
        assert names[-1] == "t399" and 50 < len(names) < 150
        assert (await here.usage())[1] <= 100_000


async def test_rows_that_can_not_go_do_not_keep_the_pruning_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = MovedClock()
    async with opened(tmp_path, clock, keep=DAY) as here:
        for number in range(5):
            await here.keep(kept(clock, f"t{number}"), content())
        clock.seconds += DAY + 1

        def full(_: HistoryDatabase) -> None:
            raise StoreFull("no space left")

        monkeypatch.setattr(quarantine, "_PAGE", 2)
        with monkeypatch.context() as patch:
            patch.setattr(HistoryDatabase, "writing", full)
            with pytest.raises(StoreFull):
                await asyncio.wait_for(here.prune(), 20)
        assert await here.prune() == 3
        assert await here.listed() == []


async def test_many_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "_PAGE", 3)
    clock = MovedClock()
    async with opened(tmp_path, clock, keep=DAY) as here:
        for number in range(8):
            await here.keep(kept(clock, f"t{number}"), content())
        pages = [[one.id for one in page] async for page in here.pages()]
        assert pages == [["t7", "t6", "t5"], ["t4", "t3", "t2"], ["t1", "t0"]]
        clock.seconds += DAY + 1
        await here.keep(kept(clock, "young"), content())
        assert await here.prune() == 8
        assert [one.id for one in await here.listed()] == ["young"]


async def test_what_could_not_be_written_is_no_message(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(tmp_path, clock) as here:
        with pytest.raises(OSError, match="octets has"):
            await here.keep(kept(clock, "short", 5_000), content())
        assert await here.listed() == []
        assert list((tmp_path / "quarantine" / "tmp").iterdir()) == []
