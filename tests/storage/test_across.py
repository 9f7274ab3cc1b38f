"""COPY and MOVE into another account: a link of the same file, durable and atomic like any COPY."""

import asyncio
from array import array
from pathlib import Path

import pytest

from storage.errors import MessageMissing, NoSuchMailbox, OverQuota, TooMany
from storage.store import ACROSS, Store
from storage.values import EVERY_FLAG, Flags, Settable, System
from tests.support.stores import (
    ACCOUNT,
    OTHER,
    StoreHome,
    appended,
    bodies,
    deliver,
    flag_texts,
    inbox,
    message,
)

_SEEN = Flags(System.SEEN | System.DELETED, frozenset({"work"}))


def files(store: Store, account: int) -> list[Path]:
    root = store.maildir(account)  # type: ignore[arg-type]
    return sorted(path for part in ("new", "cur") for path in root.glob(f"**/{part}/*"))


async def test_a_copy_is_a_link_with_flags_and_date(store: Store) -> None:
    data = message("one")
    await store.append(ACCOUNT, "INBOX", [appended(data, _SEEN, 1_500_000_000.0)])
    box = await inbox(store)
    done = await store.copy_across(ACCOUNT, box, [1, 7], (OTHER, "Sent"))
    assert (list(done.source), list(done.target)) == ([1], [1])
    assert done.uidvalidity == (await store.mailbox(OTHER, "Sent")).uidvalidity
    assert await bodies(store, "Sent", OTHER) == [data]
    assert await flag_texts(store, "Sent", OTHER) == {1: "\\Deleted \\Seen work"}
    (ours,), (theirs,) = files(store, ACCOUNT), files(store, OTHER)
    assert ours.samefile(theirs)
    assert theirs.stat().st_nlink == 2
    assert not list(store.spool_dir.iterdir())
    sent = await store.mailbox(OTHER, "Sent")
    (row,) = [row async for rows in store.rows(OTHER, sent.id, [1]) for row in rows]
    assert row.internaldate == 1_500_000_000.0
    assert (await store.usage(OTHER)).messages == 1


async def test_flags_that_are_not_to_be_kept_are_left_out(store: Store) -> None:
    await store.append(ACCOUNT, "INBOX", [appended(message(), _SEEN)])
    box = await inbox(store)
    without_words = Settable(System.SEEN, keywords=False)
    await store.copy_across(ACCOUNT, box, [1], (OTHER, "INBOX"), keep=without_words)
    assert await flag_texts(store, "INBOX", OTHER) == {1: "\\Seen"}
    await store.copy(ACCOUNT, box, [1], "Sent", keep=without_words)
    await store.copy(ACCOUNT, box, [1], "Sent", keep=Settable(System(0)))
    await store.copy(ACCOUNT, box, [1], "Sent", keep=EVERY_FLAG)
    assert await flag_texts(store, "Sent") == {1: "\\Seen", 2: "work", 3: "\\Deleted \\Seen work"}
    sent = await store.mailbox(ACCOUNT, "Sent")
    assert (sent.unseen, sent.deleted) == (1, 1)
    await store.move(ACCOUNT, box, [1], "Trash", keep=Settable(System(0), keywords=False))
    assert await flag_texts(store, "Trash") == {1: ""}
    assert (await store.mailbox(ACCOUNT, "INBOX")).deleted == 0
    assert (await store.mailbox(ACCOUNT, "Trash")).unseen == 1


async def test_a_move_goes_from_the_source_whatever_its_flags(store: Store) -> None:
    for text in ("one", "two", "three"):
        await deliver(store, message(text))
    box = await inbox(store)
    done = await store.move_across(ACCOUNT, box, [1, 3], (OTHER, "INBOX"))
    assert (list(done.source), list(done.target)) == ([1, 3], [1, 2])
    assert len(await bodies(store)) == 1
    assert len(await bodies(store, "INBOX", OTHER)) == 2
    assert (await store.usage(ACCOUNT)).messages == 1


async def test_a_message_moves_once(store: Store) -> None:
    """Into two accounts at the same time, with others expunged meanwhile."""
    texts = [message(str(number)) for number in range(6)]
    await store.append(ACCOUNT, "INBOX", [appended(text, _SEEN) for text in texts])
    box = await inbox(store)
    results = await asyncio.gather(
        store.move_across(ACCOUNT, box, [1, 2, 3, 4], (OTHER, "INBOX")),
        store.move_across(ACCOUNT, box, [3, 4, 5], (OTHER, "Sent")),
        store.move(ACCOUNT, box, [2, 5], "Trash"),
        store.expunge(ACCOUNT, box, [1]),
    )
    there = await bodies(store, "INBOX", OTHER) + await bodies(store, "Sent", OTHER)
    kept = await bodies(store) + await bodies(store, "Trash")
    assert sorted([*there, *kept]) in (sorted(texts), sorted(texts[1:]))
    assert sum(len(done.source) for done in results[:3]) == len(there) + len(kept) - 1
    assert len(files(store, OTHER)) == len(there)
    assert not list(store.spool_dir.iterdir())


async def test_a_small_move_is_one_transaction(store: Store) -> None:
    for text in ("one", "two"):
        await deliver(store, message(text))
    box, before = await inbox(store), store._committer._sequence
    await store.move_across(ACCOUNT, box, [1, 2], (OTHER, "INBOX"))
    assert store._committer._sequence == before + 1
    assert (await bodies(store), len(await bodies(store, "INBOX", OTHER))) == ([], 2)


async def test_a_large_move_goes_when_the_copies_are_there(store: Store) -> None:
    texts = [message(str(number)) for number in range(300)]
    await store.append(ACCOUNT, "INBOX", [appended(text) for text in texts])
    done = await store.move_across(ACCOUNT, await inbox(store), range(1, 301), (OTHER, "INBOX"))
    assert (list(done.source), list(done.target)) == ([*range(1, 301)], [*range(1, 301)])
    assert (await bodies(store), await bodies(store, "INBOX", OTHER)) == ([], texts)
    # two that are more than one group of the committer takes
    await deliver(store, message("y" * 9_000_000))
    await deliver(store, message("z" * 9_000_000))
    uids = sorted(await flag_texts(store))
    done = await store.move_across(ACCOUNT, await inbox(store), uids, (OTHER, "Sent"))
    assert len(done.source) == len(await bodies(store, "Sent", OTHER)) == 2
    assert not list(store.spool_dir.iterdir())


async def test_a_copy_that_fails_leaves_nothing(store: Store) -> None:
    for _ in range(3):
        await deliver(store, message("text"))
    box = await inbox(store)
    with pytest.raises(NoSuchMailbox):
        await store.copy_across(ACCOUNT, box, [1, 2, 3], (OTHER, "Nowhere"))
    await store.set_limits(OTHER, 0, 2)
    with pytest.raises(OverQuota):
        await store.move_across(ACCOUNT, box, [1, 2, 3], (OTHER, "INBOX"))
    with pytest.raises(TooMany):
        await store.copy_across(ACCOUNT, box, range(1, ACROSS + 2), (OTHER, "INBOX"))
    assert await bodies(store, "INBOX", OTHER) == []
    assert len(await bodies(store)) == 3
    assert not files(store, OTHER)
    assert not list(store.spool_dir.iterdir())


async def test_the_copy_stays_when_the_source_is_gone(home: StoreHome) -> None:
    store = await home.open(mirror=True)
    for account in (ACCOUNT, OTHER):
        await store.add_account(account)
    data = message("kept")
    await deliver(store, data)
    await store.move_across(ACCOUNT, await inbox(store), [1], (OTHER, "INBOX"))
    store = await home.reopen(store, mirror=True)
    assert await bodies(store, "INBOX", OTHER) == [data]
    assert not files(store, ACCOUNT)


async def test_many_messages_are_copied_in_order(store: Store) -> None:
    texts = [message(str(number)) for number in range(600)]
    await store.append(ACCOUNT, "INBOX", [appended(text) for text in texts])
    box = await inbox(store)
    done = await store.copy_across(ACCOUNT, box, range(1, 601), (OTHER, "INBOX"))
    assert list(done.target) == list(range(1, 601))
    assert await bodies(store, "INBOX", OTHER) == texts


async def test_a_file_that_another_program_renamed_is_found(store: Store) -> None:
    data = message("moved")
    await deliver(store, data)
    (path,) = files(store, ACCOUNT)
    path.rename(path.parent.parent / "cur" / (path.name + ":2,S"))
    await store.copy_across(ACCOUNT, await inbox(store), [1], (OTHER, "INBOX"))
    assert await bodies(store, "INBOX", OTHER) == [data]


async def test_a_message_without_a_file_is_left_out(store: Store) -> None:
    for text in ("gone", "there"):
        await deliver(store, message(text))
    files(store, ACCOUNT)[0].unlink()
    done = await store.copy_across(ACCOUNT, await inbox(store), [1, 2], (OTHER, "INBOX"))
    assert list(done.source) == [2]
    with pytest.raises(MessageMissing):
        await bodies(store)


async def test_after_a_kill_a_copy_is_there_or_nothing_is(home: StoreHome, store: Store) -> None:
    texts = [message("one"), message("two")]
    await store.append(ACCOUNT, "INBOX", [appended(text) for text in texts])
    box = await inbox(store)
    await store.copy_across(ACCOUNT, box, [1], (OTHER, "INBOX"))
    await store._across.take(ACCOUNT, box, array("I", [2]), EVERY_FLAG)
    assert len(list(store.spool_dir.iterdir())) == 1
    await home.crash(store)
    again = await home.open(mirror=True)
    assert not list(again.spool_dir.iterdir())
    assert await bodies(again) == texts
    assert await bodies(again, "INBOX", OTHER) == texts[:1]
    await again.copy_across(ACCOUNT, box, [2], (OTHER, "INBOX"))
    assert await bodies(again, "INBOX", OTHER) == texts
