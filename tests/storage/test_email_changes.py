"""What JMAP is told of contents since a point: by hand, and by a client that follows at random."""

import random

import pytest
from sqlalchemy import update

from storage import email_changes
from storage.email_changes import EmailChanges, Point
from storage.errors import MailboxHasMessages, TooOld
from storage.mailbox_changes import mailboxes_changed
from storage.schema import journal
from storage.store import Store
from storage.values import BlobId, FlagChange, Flags, MailboxId, System
from tests.support.stores import ACCOUNT, deliver, message

DELETED, SEEN = Flags(System.DELETED), Flags(System.SEEN)


async def _now(store: Store) -> Point:
    return (await store.email_changes(ACCOUNT, Point(0), 10_000)).until


async def _told(store: Store, since: Point) -> tuple[EmailChanges, list[list[BlobId]]]:
    found = await store.email_changes(ACCOUNT, since, 1000)
    assert not found.has_more
    return found, [list(found.created), list(found.updated), list(found.destroyed)]


async def test_what_came_changed_and_went_is_told_once(store: Store) -> None:
    begun = await _now(store)
    for _ in range(3):
        await deliver(store, message(), ACCOUNT)
    inbox = await store.mailbox(ACCOUNT, "INBOX")
    blobs = await store.contents(ACCOUNT, inbox.id, [1, 2, 3])
    one, two, three = blobs[1], blobs[2], blobs[3]
    assert (await _told(store, begun))[1] == [[one, two, three], [], []]
    came = await _now(store)
    await store.store(ACCOUNT, inbox.id, [1], FlagChange.ADD, SEEN)
    await store.move(ACCOUNT, inbox.id, [2], "Archive")
    await store.store(ACCOUNT, inbox.id, [3], FlagChange.ADD, DELETED)
    await store.expunge(ACCOUNT, inbox.id, None)
    assert (await _told(store, came))[1] == [[], [one, two], [three]]
    assert (await _told(store, begun))[1] == [[one, two], [], []]  # three came and went
    assert (await _told(store, await _now(store)))[1] == [[], [], []]


async def test_a_content_is_gone_with_its_last_copy(store: Store) -> None:
    await deliver(store, message(), ACCOUNT)
    inbox = await store.mailbox(ACCOUNT, "INBOX")
    blob = (await store.contents(ACCOUNT, inbox.id, [1]))[1]
    await store.create(ACCOUNT, "Work")
    await store.copy(ACCOUNT, inbox.id, [1], "Work")
    before = await _now(store)
    await store.store(ACCOUNT, inbox.id, [1], FlagChange.ADD, DELETED)
    await store.expunge(ACCOUNT, inbox.id, None)
    assert (await _told(store, before))[1] == [[], [blob], []]
    between = await _now(store)
    await store.delete(ACCOUNT, "Work")
    assert (await _told(store, between))[1] == [[], [], [blob]]
    assert (await _told(store, before))[1] == [[], [], [blob]]


async def test_the_threads_of_what_is_gone_are_told(store: Store) -> None:
    await deliver(store, message(), ACCOUNT)
    await store.threads.settle(ACCOUNT)
    inbox = await store.mailbox(ACCOUNT, "INBOX")
    (rows,) = [found async for found in store.rows(ACCOUNT, inbox.id, [1])]
    before = await _now(store)
    await store.store(ACCOUNT, inbox.id, [1], FlagChange.ADD, DELETED)
    await store.expunge(ACCOUNT, inbox.id, None)
    found, _ = await _told(store, before)
    assert list(found.destroyed) == [rows[0].blob]
    assert len(found.threads) == 1


async def test_a_point_that_the_journal_does_not_tell_of_is_refused(store: Store) -> None:
    await deliver(store, message(), ACCOUNT)
    inbox = await store.mailbox(ACCOUNT, "INBOX")
    before = await _now(store)
    with pytest.raises(TooOld):
        await store.email_changes(ACCOUNT, Point(before.modseq + 1), 10)
    await store.store(ACCOUNT, inbox.id, [1], FlagChange.ADD, DELETED)
    await store.expunge(ACCOUNT, inbox.id, None)
    await store.submit(lambda conn: conn.execute(update(journal).values(ids=None)))
    with pytest.raises(TooOld):  # rows of a program that did not keep what was expunged
        await store.email_changes(ACCOUNT, before, 10)


@pytest.mark.parametrize("seed", range(4))
async def test_a_client_that_follows_knows_what_there_is(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    names = ["INBOX", "Archive", "Junk"]
    known: set[BlobId] = set()
    point = await _now(store)
    for _ in range(40):
        box = await store.mailbox(ACCOUNT, chance.choice(names))
        view = await store.view(ACCOUNT, box.id)
        uids = chance.sample(list(view.uids), min(len(view.uids), chance.randint(1, 4)))
        view.release()
        match chance.choice("dddmcfee"):
            case "d":
                await deliver(store, message(), ACCOUNT)
            case "m":
                await store.move(ACCOUNT, box.id, uids, chance.choice(names))
            case "c":
                await store.copy(ACCOUNT, box.id, uids, chance.choice(names))
            case "f":
                await store.store(ACCOUNT, box.id, uids, FlagChange.ADD, SEEN)
            case "e":
                await store.store(ACCOUNT, box.id, uids, FlagChange.ADD, DELETED)
                await store.expunge(ACCOUNT, box.id, uids)
        if chance.random() < 0.5:
            continue
        point = await _follow(store, known, point, chance.randint(1, 3))
    await _follow(store, known, point, 2)
    there: set[BlobId] = set()
    for name in names:
        box = await store.mailbox(ACCOUNT, name)
        view = await store.view(ACCOUNT, box.id)
        there |= set((await store.contents(ACCOUNT, box.id, list(view.uids))).values())
        view.release()
    assert known == there


async def _follow(store: Store, known: set[BlobId], point: Point, limit: int) -> Point:
    """A few changes at a time, until there are no more."""
    while True:
        found = await store.email_changes(ACCOUNT, point, limit)
        told = [*found.created, *found.updated, *found.destroyed]
        assert len(told) == len(set(told)) <= limit
        assert known.isdisjoint(found.created)
        assert known.issuperset(found.updated)
        known |= set(found.created)
        known -= set(found.destroyed)
        point = found.until
        if not found.has_more:
            return point


async def test_more_messages_than_can_be_told_are_too_many(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await _now(store)
    for _ in range(3):
        await deliver(store, message(), ACCOUNT)
    monkeypatch.setattr(email_changes, "MAX_PLACES", 2)
    with pytest.raises(TooOld):
        await store.email_changes(ACCOUNT, begun, 10)


async def test_a_mailbox_made_while_changes_are_read_is_told(store: Store) -> None:
    begun = await store.modseq(ACCOUNT)
    await store.create(ACCOUNT, "Work")
    work = await store.mailbox(ACCOUNT, "Work")

    async def present() -> list[MailboxId]:
        await store.create(ACCOUNT, "Later")
        return [box.id for box in await store.mailboxes(ACCOUNT)]

    found = await mailboxes_changed(store.database, ACCOUNT, begun, present)
    later = await store.mailbox(ACCOUNT, "Later")
    assert list(found.created) == [work.id]
    again = await store.mailboxes_changed(ACCOUNT, found.modseq)
    assert list(again.created) == [later.id]


async def test_a_mailbox_with_messages_is_deleted_only_by_who_means_them(store: Store) -> None:
    await store.create(ACCOUNT, "Work")
    await deliver(store, message(), ACCOUNT)
    inbox = await store.mailbox(ACCOUNT, "INBOX")
    await store.copy(ACCOUNT, inbox.id, [1], "Work")
    with pytest.raises(MailboxHasMessages):
        await store.delete(ACCOUNT, "Work", empty=True)
    work = await store.mailbox(ACCOUNT, "Work")
    assert work.messages == 1
    await store.store(ACCOUNT, work.id, [1], FlagChange.ADD, DELETED)
    await store.delete(ACCOUNT, "Work", empty=True)
    assert "Work" not in [box.name for box in await store.mailboxes(ACCOUNT)]
