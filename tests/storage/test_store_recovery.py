"""What a start does after a kill, an I/O error or a lost index; who may open a store."""

import asyncio
import errno
import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from storage.errors import (
    SchemaTooNew,
    StoreDamaged,
    StoreLocked,
    StoreUnavailable,
)
from storage.schema import mailbox, schema_version
from storage.store import Store
from storage.values import DeliveryResult, FlagChange, Flags, System
from tests.support.stores import (
    ACCOUNT,
    OTHER,
    StoreHome,
    bodies,
    deliver,
    delivery,
    inbox,
    message,
)

DELETED = Flags(System.DELETED)


def places(result: DeliveryResult) -> list[tuple[int, int, int]]:
    """Where the copies are; a resend has no blob of its own."""
    return [(one.account, one.mailbox, one.uid) for one in result.local]


def new_files(store: Store) -> list[Path]:
    return sorted((store.maildir(ACCOUNT) / "new").iterdir())


# Rule 2: the sweep moves, and an old index is refused.


async def test_leftovers_of_a_kill_go_to_the_orphans(home: StoreHome, store: Store) -> None:
    await deliver(store, message())
    name = new_files(store)[0].name
    blob_id = int(name.split(".V")[1].split(".")[0])
    orphan = name.replace(str(blob_id), str(blob_id + 1)).replace("U=1", "U=2")
    await home.crash(store)
    (store.maildir(ACCOUNT) / "new" / orphan).write_bytes(b"never committed")
    (store.maildir(ACCOUNT) / "new" / "foreign").write_bytes(b"not ours")
    (store.spool_dir / "half").write_bytes(b"half a message")
    again = await home.open()
    assert [path.name for path in new_files(again)] == sorted([name, "foreign"])
    moved = {path.name for path in (home.data_dir / "orphans").iterdir()}
    assert {orphan, "half"} <= moved
    assert not list(again.spool_dir.iterdir())
    assert len(await bodies(again)) == 1


async def test_an_index_older_than_the_files_is_refused(sqlite_home: StoreHome) -> None:
    # SQLite only: a copy of the file is how an index grows old.
    store = await sqlite_home.open()
    await store.add_account(ACCOUNT)
    await sqlite_home.close(store)
    old = sqlite_home.data_dir / "index.old"
    shutil.copy(sqlite_home.data_dir / "index.db", old)
    store = await sqlite_home.open()
    for _ in range(3):
        await asyncio.gather(*[deliver(store, message()) for _ in range(200)])
    await sqlite_home.close(store)
    shutil.copy(old, sqlite_home.data_dir / "index.db")
    with pytest.raises(StoreDamaged, match="mailserver repair"):
        await sqlite_home.open()
    assert len(new_files(store)) == 600


async def test_a_missing_or_broken_index_is_refused(sqlite_home: StoreHome) -> None:
    # SQLite only: on PostgreSQL there is no file to lose.
    store = await sqlite_home.open()
    await store.add_account(ACCOUNT)
    await deliver(store, message())
    await sqlite_home.close(store)
    index = sqlite_home.data_dir / "index.db"
    kept = index.read_bytes()
    index.unlink()
    with pytest.raises(StoreDamaged, match=r"index is missing.*mailserver repair"):
        await sqlite_home.open()
    for broken in (b"this is no database " * 1000, kept[: len(kept) // 2]):
        for leftover in sqlite_home.data_dir.glob("index.db*"):
            leftover.unlink()
        index.write_bytes(broken)
        with pytest.raises(StoreDamaged, match="mailserver repair"):
            await sqlite_home.open()


# Rule 3: the UID ceiling is durable ahead of its use.


async def test_no_uid_above_the_ceiling_of_the_folder_file(store: Store) -> None:
    await deliver(store, message())
    text = (store.maildir(ACCOUNT) / ".mailserver").read_text()
    ceiling = int(text.partition("uid-ceiling ")[2].split()[0])
    box = await store.mailbox(ACCOUNT, "INBOX")

    def near(conn: Connection) -> None:
        conn.execute(
            update(mailbox)
            .where(mailbox.c.account == ACCOUNT, mailbox.c.id == box.id)
            .values(uidnext=ceiling)
        )

    await store.submit(near, touches=[ACCOUNT])
    uids = [(await deliver(store, message())).local[0].uid for _ in range(3)]
    assert uids == [ceiling, ceiling + 1, ceiling + 2]
    text = (store.maildir(ACCOUNT) / ".mailserver").read_text()
    assert int(text.partition("uid-ceiling ")[2].split()[0]) >= uids[-1]


# Rule 4: a resend after a kill is the message that is there already.


async def test_a_resend_after_a_kill_is_not_shown_twice(home: StoreHome, store: Store) -> None:
    data = message()
    first = await deliver(store, data, ACCOUNT)
    await home.crash(store)
    again = await home.open()
    resent = await deliver(again, data, ACCOUNT)
    assert places(resent) == places(first)
    assert len(await bodies(again)) == 1
    await deliver(again, data, ACCOUNT)
    assert len(await bodies(again)) == 2


async def test_other_content_an_expunged_row_or_no_id_is_no_resend(
    home: StoreHome, store: Store
) -> None:
    data, without_id = message(), b"Subject: no id\r\n\r\nx\r\n"
    await deliver(store, data)
    await deliver(store, without_id)
    box = await inbox(store)
    await home.crash(store)
    again = await home.open()
    await deliver(again, message())
    await deliver(again, without_id)
    assert len(await bodies(again)) == 4
    await again.store(ACCOUNT, box, [1], FlagChange.ADD, DELETED)
    await again.expunge(ACCOUNT, box, None)
    await deliver(again, data)
    assert len(await bodies(again)) == 4


async def test_a_peer_that_left_before_the_answer_may_resend(store: Store) -> None:
    data = message()
    job = delivery(data, ACCOUNT, OTHER)
    first = await store.deliver(job)
    await store.suspect(job, first)
    assert places(await store.deliver(job)) == places(first)
    assert (await store.deliver(job)).local != first.local
    assert len(await bodies(store)) == len(await bodies(store, account=OTHER)) == 2


async def test_after_a_clean_stop_nothing_is_suspect(home: StoreHome, store: Store) -> None:
    data = message()
    await deliver(store, data)
    again = await home.reopen(store)
    await deliver(again, data)
    assert len(await bodies(again)) == 2


# Rule 8: an I/O error of a flush or a commit stops the store and leaves a mark.


async def test_an_io_error_of_a_flush_stops_the_store(
    home: StoreHome, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = message()
    await deliver(store, kept)
    failures: list[str] = []
    store.on_failure(failures.append)

    def broken(_fd: int) -> None:
        raise OSError(errno.EIO, "I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        with pytest.raises(StoreUnavailable):
            await deliver(store, message())
    assert failures
    with pytest.raises(StoreUnavailable):
        await deliver(store, message())
    assert not store.accepting(1)
    assert (home.data_dir / "io-error").exists()
    again = await home.reopen(store)
    assert not (home.data_dir / "io-error").exists()
    assert await bodies(again) == [kept]


# Rule 12: one server for one store.


async def test_a_second_store_on_the_same_data_is_refused(home: StoreHome, store: Store) -> None:
    with pytest.raises(StoreLocked, match="stop that server first"):
        await home.open()
    await deliver(store, message())
    await home.close(store)
    assert len(await bodies(await home.open())) == 1


# Rule 15: an older program refuses a newer schema.


async def test_a_newer_schema_is_refused(home: StoreHome, store: Store) -> None:
    await store.submit(lambda conn: conn.execute(schema_version.insert().values(version=99)))
    await home.close(store)
    with pytest.raises(SchemaTooNew, match="99") as caught:
        await home.open()
    assert "\n" not in str(caught.value)
