"""A database that goes away, answers late or is taken over: what the writer makes of it."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import DBAPIError

from storage.errors import StoreLocked, StoreUnavailable
from storage.schema import writer_state
from storage.store import Store
from tests.support.stores import ACCOUNT, StoreHome, bodies, deliver, message


def lost() -> DBAPIError:
    return DBAPIError("COMMIT", {}, OSError("gone"), connection_invalidated=True)


async def test_a_commit_whose_answer_was_lost_is_answered_by_its_sequence(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[Any], Any] = store.database.transaction
    calls = 0

    def late(work: Callable[[Connection], Any]) -> Any:
        nonlocal calls
        calls += 1
        result = real(work)
        if calls == 1:
            raise lost()
        return result

    await deliver(store, message())
    monkeypatch.setattr(store.database, "transaction", late)
    result = await deliver(store, message())
    assert result.local[0].uid == 2
    assert len(await bodies(store)) == 2
    assert (await store.mailbox(ACCOUNT, "INBOX")).messages == 2
    assert len(list((store.maildir(ACCOUNT) / "new").iterdir())) == 2


async def test_a_group_that_was_not_committed_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[Any], Any] = store.database.transaction
    calls = 0

    def broken(work: Callable[[Connection], Any]) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise lost()
        return real(work)

    await deliver(store, message())
    monkeypatch.setattr(store.database, "transaction", broken)
    await deliver(store, message())
    assert len(await bodies(store)) == 2
    assert (await store.usage(ACCOUNT)).messages == 2


async def test_files_stay_when_nobody_knows_whether_they_are_committed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[Any], Any] = store.database.transaction

    def away(work: Callable[[Connection], Any]) -> Any:
        raise lost()

    await deliver(store, message())
    with monkeypatch.context() as patch:
        patch.setattr(store.database, "transaction", away)
        with pytest.raises(StoreUnavailable):
            await deliver(store, message())
    assert len(list((store.maildir(ACCOUNT) / "new").iterdir())) == 2
    assert store.database.transaction == real
    assert (await deliver(store, message())).local[0].uid == 3
    assert len(await bodies(store)) == 2


async def test_a_writer_that_lost_its_lease_writes_nothing(store: Store) -> None:
    failures: list[str] = []
    store.on_failure(failures.append)
    await deliver(store, message())
    await store.submit(
        lambda conn: conn.execute(update(writer_state).values(epoch=writer_state.c.epoch + 1))
    )
    with pytest.raises(StoreUnavailable):
        await deliver(store, message())
    assert failures == ["another writer has taken the database over"]
    assert len(await bodies(store)) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("home", ["postgresql"], indirect=True)
async def test_connections_that_the_server_ends_are_made_again(
    home: StoreHome, store: Store
) -> None:
    # PostgreSQL only: SQLite has no connections to lose.
    await deliver(store, message())
    connection = await asyncpg.connect(home.database)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    await deliver(store, message())
    assert len(await bodies(store)) == 2


@pytest.mark.postgres
@pytest.mark.parametrize("home", ["postgresql"], indirect=True)
async def test_a_second_server_on_the_same_database_is_refused(
    home: StoreHome, store: Store
) -> None:
    # PostgreSQL only: two data folders with one database.
    second = StoreHome(home.data_dir.parent / "second", home.database)
    try:
        with pytest.raises(StoreLocked, match="another server"):
            await second.open()
    finally:
        await second.clean_up()
    await deliver(store, message())
