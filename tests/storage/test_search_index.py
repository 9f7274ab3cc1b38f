"""The word index behind a store: filled by itself, tidy, and made anew when it is of no use."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete

from message.search_text import SearchText, search_text
from storage.search import index as index_module
from storage.search import indexer, tables, tidy
from storage.search.build import segment_of
from storage.search.looking import Answer, look_for_field, look_for_text
from storage.store import Store
from storage.values import AccountId, FlagChange, Flags, System
from tests.support.stores import ACCOUNT, OTHER, StoreHome, appended, deliver, inbox, message


async def found(store: Store, value: str, account: AccountId = ACCOUNT) -> list[int]:
    """UIDs in INBOX that match for sure."""
    return await _uids(store, await store.search.look(account, look_for_text(value, True)), account)


async def _uids(store: Store, answer: Answer, account: AccountId) -> list[int]:
    view = await store.view(account, await inbox(store, account))
    try:
        blobs = await store.search.blobs(account, view.mailbox, view.uids[:])
        return [uid for uid, blob in zip(view.uids, blobs, strict=True) if blob in answer.sure]
    finally:
        view.release()


async def until(check: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> float:
    """How long it took to come true."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return loop.time() - began


def segments(store: Store, account: AccountId = ACCOUNT) -> list[int]:
    """Sizes of an open account's segments."""
    return sorted(len(one.blobs) for one in store.search._open[account].segments.values())


async def test_a_delivery_is_in_the_index_within_two_seconds(store: Store) -> None:
    await deliver(store, message("zebra crossing"))

    async def there() -> bool:
        return await found(store, "ebra") == [1]

    assert await until(there) < 2


async def test_fields_and_parts_apart(store: Store) -> None:
    await deliver(store, message("hello", subject="zebra"))
    await deliver(store, message("zebra", subject="hello"))
    await store.search.settle()
    for name, value, uids in [
        ("Subject", "EBR", [1]),
        ("From", "lovelace", []),
        ("from", "example", [1, 2]),
        ("To", "user", [1, 2]),
        ("Cc", "user", []),
    ]:
        answer = await store.search.look(ACCOUNT, look_for_field(name, value))
        assert await _uids(store, answer, ACCOUNT) == uids, (name, value)
    body = await store.search.look(ACCOUNT, look_for_text("zebra", False))
    assert await _uids(store, body, ACCOUNT) == [2]
    phrase = await store.search.look(ACCOUNT, look_for_field("Subject", "zebra?"))
    assert not phrase.sure
    assert len(phrase.unsure) == 1


async def test_a_kill_is_followed_up(home: StoreHome) -> None:
    store = await home.open()
    await store.add_account(ACCOUNT)
    await deliver(store, message("before"))
    await store.search.settle()
    await deliver(store, message("behind"))
    await home.crash(store)
    store = await home.open()

    async def there() -> bool:
        return await found(store, "behind") == [2] and await found(store, "before") == [1]

    await until(there)


async def test_a_copy_needs_nothing_and_shares_the_text(store: Store) -> None:
    await deliver(store, message("zebra"))
    await store.search.settle()
    box = await inbox(store)
    await store.copy(ACCOUNT, box, [1], "Archive")
    await store.search.settle()
    assert segments(store) == [1]
    archive = await store.mailbox(ACCOUNT, "Archive")
    answer = await store.search.look(ACCOUNT, look_for_text("zebra", True))
    view = await store.view(ACCOUNT, archive.id)
    blobs = await store.search.blobs(ACCOUNT, archive.id, view.uids[:])
    view.release()
    assert [blob in answer.sure for blob in blobs] == [True]


async def test_expunged_messages_leave(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "SWEEP", 0.1)
    for number in range(20):
        await deliver(store, message(f"word{number} zebra"))
    await store.search.settle()
    box = await inbox(store)
    answer = await store.search.look(ACCOUNT, look_for_text("zebra", True))
    blobs = sorted(answer.sure)
    await store.store(ACCOUNT, box, [1, 2, 3], FlagChange.ADD, Flags(System.DELETED))
    await store.expunge(ACCOUNT, box, None)

    async def gone() -> bool:
        return set(await store.search.texts(ACCOUNT, blobs)) == set(blobs[3:])

    await until(gone)
    assert await found(store, "word1") == list(range(11, 21))  # their own numbers, not word1's
    await store.store(ACCOUNT, box, list(range(4, 16)), FlagChange.ADD, Flags(System.DELETED))
    await store.expunge(ACCOUNT, box, None)

    async def rewritten() -> bool:
        return sum(segments(store)) == 5

    await until(rewritten)
    assert await found(store, "zebra") == [16, 17, 18, 19, 20]


async def test_segments_become_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidy, "_MANY", 3)
    for number in range(20):
        await deliver(store, message(f"word{number} zebra"))
        await store.search.settle()
    assert len(segments(store)) < 6
    assert sum(segments(store)) == 20
    assert await found(store, "zebra") == list(range(1, 21))
    assert await found(store, "ord7") == [8]
    answer = await store.search.look(ACCOUNT, look_for_text("word7", True))
    assert {text.body for text in (await store.search.texts(ACCOUNT, [*answer.sure])).values()} == {
        search_text(message("word7 zebra")).body
    }


@pytest.mark.parametrize("begun", [False, True], ids=["whole", "half filled"])
async def test_other_formats_are_made_anew(home: StoreHome, begun: bool) -> None:
    store = await home.open()
    await store.add_account(ACCOUNT)
    await deliver(store, message("zebra"))
    await store.search.settle()

    def as_another_program_has_it(conn: Connection) -> None:
        tables.drop_segments(conn, ACCOUNT, numbers)
        tables.put_segment(conn, ACCOUNT, 1, segment_of([(blob, SearchText(b"", b"quokka", b""))]))
        if begun:
            conn.execute(delete(tables.state).where(tables.state.c.account == ACCOUNT))
        else:
            tables._PUT_STATE.run(conn, [(ACCOUNT, index.mark, tables.FORMAT - 1)])

    async with store.search.using(ACCOUNT) as index:
        (blob,), numbers = index.covered(), list(index.segments)
        await index._database.write(ACCOUNT, as_another_program_has_it)
    store = await home.reopen(store)
    await store.search.settle()
    assert (await found(store, "zebra"), await found(store, "quokka")) == ([1], [])


async def test_a_first_segment_says_its_format(store: Store) -> None:
    async with store.search.using(ACCOUNT) as index:
        await index.add(segment_of([(1, SearchText(b"", b"quokka", b""))]))
        assert await index._fetch(tables.STATE) == [(0, tables.FORMAT)]


def _search_file(home: StoreHome) -> Path:
    return home.data_dir / "search" / f"{ACCOUNT}.db"


async def test_a_missing_file_is_made_anew(sqlite_home: StoreHome) -> None:
    store = await sqlite_home.open()
    await store.add_account(ACCOUNT)
    await deliver(store, message("zebra"))
    await store.search.settle()
    await sqlite_home.close(store)
    _search_file(sqlite_home).unlink()
    store = await sqlite_home.open()

    async def there() -> bool:
        return await found(store, "zebra") == [1]

    await until(there)


@pytest.mark.parametrize("where", [0, 0.3, 0.6, 0.9])
async def test_a_damaged_file_is_made_anew(sqlite_home: StoreHome, where: float) -> None:
    store = await sqlite_home.open()
    await store.add_account(ACCOUNT)
    for number in range(30):
        await deliver(store, message(f"zebra {number} " * 50))
    await store.search.settle()
    await sqlite_home.close(store)
    path = _search_file(sqlite_home)
    data = bytearray(path.read_bytes())
    start = int(len(data) * where)
    data[start : start + 6000] = b"\xa5" * len(data[start : start + 6000])
    path.write_bytes(data)
    store = await sqlite_home.open()

    async def there() -> bool:
        looked = await store.search.look(ACCOUNT, look_for_text("zebra", True))
        kept = await store.search.texts(ACCOUNT, sorted(looked.sure)[:250])
        return await found(store, "zebra") == list(range(1, 31)) and len(kept) == 30

    await until(there, 20)


async def test_accounts_are_closed_when_others_are_used(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_OPEN", 1)
    await deliver(store, message("zebra"), ACCOUNT)
    await deliver(store, message("lion"), OTHER)
    await store.search.settle()
    for _ in range(3):
        assert await found(store, "zebra") == [1]
        assert await found(store, "lion", OTHER) == [1]
    assert len(store.search._open) == 1


async def test_a_removed_account_leaves_nothing(store: Store) -> None:
    await deliver(store, message("zebra"))
    await store.search.settle()
    await store.remove_account(ACCOUNT)
    async with store.search.using(ACCOUNT) as index:
        assert not index.segments
        assert not index.mark


async def test_many_at_once_go_through_a_worker(store: Store) -> None:
    items = [appended(message(f"zebra{number}")) for number in range(600)]
    await store.append(ACCOUNT, "INBOX", items)
    await store.search.settle()
    assert await found(store, "zebra") == list(range(1, 601))
    assert await found(store, "zebra599") == [600]
    async with store.search.using(ACCOUNT) as index:
        assert index.mark == (await store._images.get(ACCOUNT)).modseq
