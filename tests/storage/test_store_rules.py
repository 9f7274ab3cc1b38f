"""Rules that close known holes: culprits, files, full disks, keywords, statements."""

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, update

from storage.checkpoint import Checkpointer
from storage.disk import rename_new
from storage.errors import (
    MessageMissing,
    StoreFull,
    StoreUnavailable,
)
from storage.jobs_deliver import DeliverJob
from storage.schema import blob, mailbox
from storage.store import Store
from storage.transaction import Tx
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
    spooled,
)

DELETED = Flags(System.DELETED)


def new_files(store: Store) -> list[Path]:
    return sorted((store.maildir(ACCOUNT) / "new").iterdir())


# Rule 1: names are never overwritten, and go only with the last row.


async def test_expunged_files_stay_without_the_mirror(store: Store) -> None:
    await deliver(store, message())
    box = await inbox(store)
    await store.copy(ACCOUNT, box, [1], "Archive")
    await store.store(ACCOUNT, box, [1], FlagChange.ADD, DELETED)
    await store.expunge(ACCOUNT, box, None)
    assert len(new_files(store)) == 1
    assert len(await bodies(store, "Archive")) == 1


def test_a_rename_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        rename_new(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_text() == "b"


# Rule 5: only the culprit fails.


async def test_only_the_culprit_of_a_group_fails(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = DeliverJob.apply

    def sometimes(self: DeliverJob, tx: Tx) -> bool:
        done = apply(self, tx)
        if self._delivery.trace == "bad":
            tx.messages.append(tx.messages[-1])  # breaks the primary key
        return done

    monkeypatch.setattr(DeliverJob, "apply", sometimes)
    jobs = [delivery(message(str(number)), ACCOUNT) for number in range(10)]
    object.__setattr__(jobs[4], "trace", "bad")
    results = await asyncio.gather(*map(store.deliver, jobs), return_exceptions=True)
    failed = [index for index, result in enumerate(results) if isinstance(result, Exception)]
    assert failed == [4]
    assert isinstance(results[4], StoreUnavailable)
    assert len(await bodies(store)) == 9
    assert len(new_files(store)) == 9
    assert (await store.usage(ACCOUNT)).messages == 9


async def test_a_submitted_function_is_undone_alone(store: Store) -> None:
    def wrong(conn: Connection) -> None:
        conn.execute(update(mailbox).values(special_use="broken"))
        raise ValueError("a bug")

    results = await asyncio.gather(
        deliver(store, message()), store.submit(wrong), return_exceptions=True
    )
    assert isinstance(results[1], ValueError)
    assert len(await bodies(store)) == 1
    assert (await store.mailbox(ACCOUNT, "INBOX")).special_use == ""


# Rule 6 stands in test_store_basics (quota) and here: one message, one transaction.


async def test_a_message_is_delivered_to_all_or_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no rows today")

    monkeypatch.setattr("storage.queue_jobs.queued_rows", refuse)
    with pytest.raises(ValueError, match="no rows today"):
        await store.deliver(delivery(message(), ACCOUNT, OTHER, queued=["far@example.net"]))
    assert await bodies(store) == await bodies(store, account=OTHER) == []
    assert not new_files(store)
    assert not [entry async for entry in store.queue.entries()]
    assert not list((store.spool_dir.parent / "queue").iterdir())


# Rule 7: a file that was renamed is found; a file that is gone is said to be missing.


async def test_a_renamed_file_is_found_and_a_lost_one_reported(store: Store) -> None:
    data = message()
    await deliver(store, data)
    box = await inbox(store)
    (row,) = [row async for rows in store.rows(ACCOUNT, box, [1]) for row in rows]
    file = new_files(store)[0]
    renamed = file.rename(store.maildir(ACCOUNT) / "cur" / f"{file.name}:2,S")
    assert await store.read_body(ACCOUNT, row.blob, box, 1) == data
    renamed.unlink()
    with pytest.raises(MessageMissing):
        await store.read_body(ACCOUNT, row.blob, box, 1)


# Full disks.


async def test_a_full_disk_fails_the_message_and_recovers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int, _pieces: Sequence[bytes]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        with pytest.raises(StoreFull):
            await deliver(store, message())
        with pytest.raises(StoreFull):
            await store.append(ACCOUNT, "INBOX", [appended(message())])
        big = spooled(store, message("x" * 200_000), b"Received: x\r\n")
        with pytest.raises(StoreFull):
            await store.deliver(delivery(big, ACCOUNT))
    assert not new_files(store)
    assert len(list(store.spool_dir.iterdir())) == 1  # the spooled file is its owner's again
    await deliver(store, message())
    assert len(await bodies(store)) == 1


async def test_a_full_database_fails_the_group_and_recovers(sqlite_home: StoreHome) -> None:
    # SQLite only: PostgreSQL reports its own disk by 53100.
    store = await sqlite_home.open()
    await store.add_account(ACCOUNT)
    pages = await store.submit(lambda conn: conn.exec_driver_sql("PRAGMA page_count").scalar_one())
    await store.submit(lambda conn: conn.exec_driver_sql(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(StoreFull):
        for _ in range(50):
            await deliver(store, message())
    count = len(await bodies(store))
    assert len(new_files(store)) == count
    await store.submit(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count=1000000"))
    await deliver(store, message())
    assert len(await bodies(store)) == count + 1


# Rule 10: no executemany.


async def test_no_statement_is_an_executemany(sqlite_home: StoreHome) -> None:
    # SQLite only: the statements are the same on both.
    store = await sqlite_home.open()
    await store.add_account(ACCOUNT)
    many: list[str] = []

    def note(
        _conn: object, _cursor: object, sql: str, _p: object, _c: object, is_many: bool
    ) -> None:
        if is_many:
            many.append(sql)

    event.listen(store.database._engine, "before_cursor_execute", note)
    await asyncio.gather(*[deliver(store, message()) for _ in range(200)])
    await store.append(ACCOUNT, "Sent", [appended(message()) for _ in range(10)])
    box = await inbox(store)
    await store.store(ACCOUNT, box, range(1, 201), FlagChange.ADD, DELETED)
    await store.move(ACCOUNT, box, range(1, 100), "Trash")
    await store.expunge(ACCOUNT, box, None)
    assert many == []


# Rule 11: checkpoints keep the WAL small.


async def test_the_wal_is_checkpointed(
    sqlite_home: StoreHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SQLite only: PostgreSQL does this by itself.
    monkeypatch.setattr("storage.checkpoint.CHECKPOINT_ABOVE", 512 * 1024)
    store = await sqlite_home.open()
    await store.add_account(ACCOUNT)
    index = sqlite_home.data_dir / "index.db"
    before = index.stat().st_size
    for _ in range(40):
        await asyncio.gather(*[deliver(store, message()) for _ in range(40)])
        if index.stat().st_size > before:
            break
        await asyncio.sleep(0.01)
    assert index.stat().st_size > before
    assert sqlite3.connect(index).execute("PRAGMA wal_autocheckpoint") is not None


async def test_reads_wait_while_a_large_wal_is_copied(
    sqlite_home: StoreHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SQLite only: PostgreSQL has no such log.
    monkeypatch.setattr("storage.database.READS_WAIT", 20)
    monkeypatch.setattr("storage.checkpoint.CHECKPOINT_ABOVE", 0)
    monkeypatch.setattr("storage.checkpoint.SWOLLEN_ABOVE", 0)
    begun, go_on = threading.Event(), threading.Event()
    checkpoint = Checkpointer._checkpoint

    def slowly(self: Checkpointer) -> None:
        begun.set()
        go_on.wait(30)
        checkpoint(self)

    monkeypatch.setattr(Checkpointer, "_checkpoint", slowly)
    store = await sqlite_home.open()
    await store.add_account(ACCOUNT)
    await deliver(store, message())
    await asyncio.to_thread(begun.wait, 30)
    reading = asyncio.create_task(store.journal(ACCOUNT, 0))
    done, _ = await asyncio.wait([reading], timeout=0.05)
    go_on.set()
    assert not done
    assert await reading


# Rule 13: keywords keep their first spelling; many sets are no trouble.


async def test_keywords_are_interned(home: StoreHome, store: Store) -> None:
    words = [Flags(keywords=frozenset({f"K{number}", "Shared"})) for number in range(40)]
    await store.append(ACCOUNT, "INBOX", [appended(message(), flags) for flags in words])
    await store.append(
        ACCOUNT, "INBOX", [appended(message(), Flags(keywords=frozenset({"k0", "SHARED"})))]
    )
    texts = await flag_texts(store)
    assert texts[1] == texts[41] == "K0 Shared"
    again = await home.reopen(store)
    assert await flag_texts(again) == texts


# Rule 14: what an older program rendered is rendered again.


async def test_older_meta_is_rendered_again(store: Store) -> None:
    await deliver(store, message(subject="Rendered"))
    box = await inbox(store)
    (row,) = [row async for rows in store.rows(ACCOUNT, box, [1]) for row in rows]
    await store.submit(lambda conn: conn.execute(update(blob).values(meta=b"\0\0" + row.meta[2:])))
    (again,) = [row async for rows in store.rows(ACCOUNT, box, [1]) for row in rows]
    assert again == row
