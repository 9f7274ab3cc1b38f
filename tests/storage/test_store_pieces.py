"""Large operations: pieces, runs that become visible at once, turns between accounts."""

import asyncio
import errno
import os
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, select, update

from storage.errors import (
    StoreFull,
)
from storage.schema import blob, mailbox
from storage.schema import message as message_table
from storage.store import Store
from storage.values import FlagChange, Flags, System
from tests.support.stores import (
    ACCOUNT,
    OTHER,
    StoreHome,
    appended,
    bodies,
    deliver,
    inbox,
    message,
)

DELETED = Flags(System.DELETED)


# Rule 9: pieces, runs, fairness.


async def fill(store: Store, count: int) -> None:
    """`count` messages in INBOX."""
    await store.append(ACCOUNT, "INBOX", [appended(message()) for _ in range(min(count, 200))])
    box = await inbox(store)
    while (have := (await store.mailbox(ACCOUNT, "INBOX")).messages) < count:
        more = min(have, count - have)
        view = await store.view(ACCOUNT, box)
        await store.copy(ACCOUNT, box, view.uids[:more], "INBOX")
        view.release()


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 10 rows and 4 messages, so that few messages make many pieces."""
    for module in ("job", "lanes", "jobs_copy", "jobs_flags", "jobs_expunge", "jobs_mailbox"):
        monkeypatch.setattr(f"storage.{module}.PIECE", 10)
    for module in ("lanes", "jobs_append"):
        monkeypatch.setattr(f"storage.{module}.MAX_MESSAGES", 4)


@pytest.mark.usefixtures("small_pieces")
async def test_a_large_copy_becomes_visible_at_once(store: Store) -> None:
    await fill(store, 35)
    box = await inbox(store)
    view = await store.view(ACCOUNT, (await store.mailbox(ACCOUNT, "Archive")).id)
    seen: list[int] = []
    store.bus.subscribe(ACCOUNT, lambda _: seen.append(len(view)))
    copying = asyncio.create_task(store.copy(ACCOUNT, box, range(1, 36), "Archive"))
    await asyncio.sleep(0)
    late = await store.append(ACCOUNT, "Archive", [appended(message())])
    mapped = await copying
    assert list(mapped.target) == list(range(1, 36))
    assert list(late.target) == [36]
    assert seen == [35, 36]
    assert set(view.modseqs[:35]) == {view.modseqs[0]} and view.modseqs[35] > view.modseqs[0]
    counted = await store.mailbox(ACCOUNT, "Archive")
    assert (counted.messages, counted.uidnext) == (36, 37)
    view.release()


@pytest.mark.usefixtures("small_pieces")
async def test_flags_moves_and_expunges_go_in_pieces(store: Store) -> None:
    await fill(store, 25)
    box = await inbox(store)
    outcome = await store.store(ACCOUNT, box, range(1, 26), FlagChange.ADD, DELETED)
    assert list(outcome.changed) == list(range(1, 26))
    moved = await store.move(ACCOUNT, box, range(1, 13), "Trash")
    assert list(moved.source) == list(range(1, 13)) == list(moved.target)
    assert list(await store.expunge(ACCOUNT, box, None)) == list(range(13, 26))
    assert (await store.mailbox(ACCOUNT, "INBOX")).messages == 0
    assert (await store.mailbox(ACCOUNT, "Trash")).deleted == 12
    await store.create(ACCOUNT, "Gone")
    view = await store.view(ACCOUNT, (await store.mailbox(ACCOUNT, "Trash")).id)
    await store.copy(ACCOUNT, view.mailbox, view.uids, "Gone")
    await store.delete(ACCOUNT, "Gone")
    assert (await store.usage(ACCOUNT)).messages == 12
    view.release()


@pytest.mark.usefixtures("small_pieces")
async def test_a_large_append_is_all_or_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [message(str(number)) for number in range(10)]
    uids = await store.append(ACCOUNT, "Sent", [appended(data) for data in sent])
    assert list(uids.target) == list(range(1, 11))
    assert await bodies(store, "Sent") == sent
    written = 0
    write = os.writev

    def full(fd: int, pieces: Sequence[bytes]) -> int:
        nonlocal written
        written += 1
        if written > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, pieces)

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        with pytest.raises(StoreFull):
            await store.append(ACCOUNT, "Sent", [appended(data) for data in sent])
    assert await bodies(store, "Sent") == sent
    await store.append(ACCOUNT, "Sent", [appended(sent[0])])
    assert await bodies(store, "Sent") == [*sent, sent[0]]
    assert len(list((store.maildir(ACCOUNT) / ".Sent" / "new").iterdir())) == 11
    rows = await store.submit(
        lambda conn: conn.execute(
            select(message_table.c.uid, blob.c.id).join_from(
                message_table, blob, message_table.c.blob == blob.c.id
            )
        ).all()
    )
    assert len(rows) == 11


async def test_an_unfinished_run_is_removed_at_start(home: StoreHome, store: Store) -> None:
    data = message()
    await deliver(store, data)
    await store.append(ACCOUNT, "Archive", [appended(message()), appended(message())])
    box = await store.mailbox(ACCOUNT, "Archive")

    def hide(conn: Connection) -> None:
        conn.execute(
            update(mailbox)
            .where(mailbox.c.account == ACCOUNT, mailbox.c.id == box.id)
            .values(uidnext=2, messages=1, unseen=1)
        )

    await store.submit(hide)
    await home.crash(store)
    again = await home.open()
    assert len(await bodies(again, "Archive")) == 1
    assert await bodies(again) == [data]
    assert len(list((again.maildir(ACCOUNT) / ".Archive" / "new").iterdir())) == 1
    moved = [path.name for path in (home.data_dir / "orphans").iterdir()]
    assert len([name for name in moved if name.endswith("U=2")]) == 1
    later = await again.append(ACCOUNT, "Archive", [appended(message())])
    assert later.target[0] >= 2 and len(await bodies(again, "Archive")) == 2


@pytest.mark.usefixtures("small_pieces")
async def test_accounts_take_turns(store: Store) -> None:
    await fill(store, 40)
    box = await inbox(store)
    done: list[str] = []

    async def noted(name: str, work: object) -> None:
        await work  # type: ignore[misc]
        done.append(name)

    await asyncio.gather(
        noted("large", store.store(ACCOUNT, box, range(1, 41), FlagChange.ADD, DELETED)),
        noted("small", deliver(store, message(), OTHER)),
    )
    assert done == ["small", "large"]
