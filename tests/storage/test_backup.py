"""Rule 15: a copy made while mail comes and goes is whole; a restored one is checked first."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.errors import StoreDamaged, StoreUnavailable
from storage.store import Store
from storage.values import FlagChange, Flags, System
from tests.support.stores import (
    ACCOUNT,
    OTHER,
    StoreHome,
    appended,
    bodies,
    deliver,
    delivery,
    flag_texts,
    inbox,
    message,
)


async def filled(home: StoreHome) -> Store:
    """Mail in several folders, flags that the mirror has not followed, a queued message."""
    store = await home.open(mirror=True)
    await store.add_account(ACCOUNT)
    await store.add_account(OTHER)
    for number in range(30):
        await deliver(store, message(f"text {number}"))
    await store.append(OTHER, "Sent", [appended(message("sent"))])
    box = await inbox(store)
    await store.move(ACCOUNT, box, range(1, 6), "Archive")
    await store.copy(ACCOUNT, box, range(6, 9), "Trash")
    await store.store(ACCOUNT, box, [9], FlagChange.ADD, Flags(System.SEEN, frozenset({"tag"})))
    await store.deliver(delivery(message("outward"), queued=["far@example.net"]))
    return store


def target(tmp_path: Path) -> Path:
    (tmp_path / "copy").mkdir(exist_ok=True)
    return tmp_path / "copy" / "data"


@pytest.fixture
async def copied(tmp_path: Path) -> AsyncIterator[StoreHome]:
    """The home of the copy."""
    home = StoreHome(tmp_path / "copy", "sqlite")
    yield home
    await home.clean_up()


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.V*")}


async def test_a_copy_made_under_load_is_whole(
    sqlite_home: StoreHome, copied: StoreHome, tmp_path: Path
) -> None:
    # SQLite only: PostgreSQL is copied by its own programs.
    store = await filled(sqlite_home)
    stop = asyncio.Event()

    async def work() -> None:
        box = await inbox(store)
        while not stop.is_set():
            result = await deliver(store, message("later"))
            uid = result.local[0].uid
            await store.store(ACCOUNT, box, [uid], FlagChange.ADD, Flags(System.DELETED))
            await store.expunge(ACCOUNT, box, [uid])

    working = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    count = await store.backup(target(tmp_path))
    stop.set()
    await working
    assert count >= 31
    expected = await bodies(store), await flag_texts(store)
    again = await copied.open(mirror=True)
    kept = {text for text in await bodies(again) if b"later" not in text}
    assert kept == set(expected[0])
    assert len(await bodies(again, "Archive")) == 5
    assert len(await bodies(again, "Trash")) == 3
    assert (await flag_texts(again))[9] == "\\Seen tag" == expected[1][9]
    assert [due.domain for due in (await again.queue.due()).lanes] == ["example.net"]
    assert not (copied.data_dir / "restored").exists()


async def test_a_restored_pair_that_differs_is_refused(
    sqlite_home: StoreHome, copied: StoreHome, tmp_path: Path
) -> None:
    # SQLite only: PostgreSQL is copied by its own programs.
    store = await filled(sqlite_home)
    await store.backup(target(tmp_path))
    lost = min(files(tmp_path / "copy" / "data" / "mail"))
    path = tmp_path / "copy" / "data" / "mail" / lost
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(StoreDamaged, match="is missing"):
        await copied.open()
    path.write_bytes(data)
    await copied.open()


async def test_the_mirror_rests_while_a_copy_is_made(sqlite_home: StoreHome) -> None:
    # SQLite only: PostgreSQL is copied by its own programs.
    store = await filled(sqlite_home)
    await store.mirror.settle()
    box = await inbox(store)
    async with store.mirror.resting():
        await store.store(ACCOUNT, box, [20], FlagChange.ADD, Flags(System.DELETED))
        await store.expunge(ACCOUNT, box, None)
        before = files(store.maildir(ACCOUNT))
        settling = asyncio.create_task(store.mirror.settle())
        await asyncio.wait([settling], timeout=0.3)
        assert files(store.maildir(ACCOUNT)) == before
    await settling
    assert len(files(store.maildir(ACCOUNT))) == len(before) - 1


async def test_a_target_that_exists_is_refused(sqlite_home: StoreHome, tmp_path: Path) -> None:
    store = await filled(sqlite_home)
    target(tmp_path).mkdir()
    with pytest.raises(StoreUnavailable, match="exists"):
        await store.backup(target(tmp_path))
    assert list((tmp_path / "copy" / "data").iterdir()) == []


async def test_a_queued_message_that_left_meanwhile_is_not_sent_again(
    sqlite_home: StoreHome, tmp_path: Path
) -> None:
    # SQLite only: PostgreSQL is copied by its own programs.
    store = await filled(sqlite_home)
    for path in (sqlite_home.data_dir / "queue").rglob("*"):
        if path.is_file():
            path.unlink()  # as when its last recipient is done, after the index was copied
    await store.backup(target(tmp_path))
    with contextlib.closing(sqlite3.connect(tmp_path / "copy" / "data" / "index.db")) as index:
        assert index.execute("SELECT count(*) FROM queue_message").fetchone() == (0,)
        assert index.execute("SELECT count(*) FROM queue_recipient").fetchone() == (0,)
