"""Deliveries, appends, flags, copies, moves and expunges, as the store's consumers see them."""

import asyncio
import itertools
from array import array

import pytest

from storage.errors import NoSuchAccount, NoSuchMailbox, OverQuota, TooMany
from storage.maildir_names import parse_base
from storage.schema import Origin
from storage.store import Store
from storage.values import (
    AccountId,
    FlagChange,
    Flags,
    LocalRecipient,
    MailboxChanged,
    QueueChanged,
    System,
)
from tests.support.stores import (
    ACCOUNT,
    OTHER,
    StoreHome,
    appended,
    bodies,
    content,
    deliver,
    delivery,
    flag_texts,
    inbox,
    message,
    spooled,
)

SEEN = Flags(System.SEEN)
DELETED = Flags(System.DELETED)


async def test_a_delivery_is_a_file_a_row_and_an_event(store: Store) -> None:
    events: list[object] = []
    store.bus.subscribe(ACCOUNT, events.append)
    data = message()
    result = await store.deliver(delivery(content(data, b"Return-Path: <a@b.test>\r\n"), ACCOUNT))
    box = await store.mailbox(ACCOUNT, "inbox")
    assert result.queue_id is None
    assert [(one.mailbox, one.uid) for one in result.local] == [(box.id, 1)]
    assert await bodies(store) == [b"Return-Path: <a@b.test>\r\n" + data]
    assert events == [MailboxChanged(ACCOUNT, box.id, box.highestmodseq, appended=array("I", [1]))]
    (file,) = (store.maildir(ACCOUNT) / "new").iterdir()
    assert file.read_bytes() == b"Return-Path: <a@b.test>\r\n" + data
    assert file.name.endswith(f".mx.example.test,S={len(data) + 25},U=1")
    assert (box.messages, box.unseen, box.uidnext) == (1, 1, 2)


async def test_recipients_of_one_message_share_a_file(store: Store) -> None:
    data = message()
    result = await deliver(store, data, ACCOUNT, OTHER)
    assert [one.account for one in result.local] == [ACCOUNT, OTHER]
    files = [next((store.maildir(a) / "new").iterdir()) for a in (ACCOUNT, OTHER)]
    assert files[0].stat().st_ino == files[1].stat().st_ino
    assert await bodies(store, account=OTHER) == [data]


async def test_a_vanished_mailbox_means_inbox_and_a_vanished_account_a_bounce(
    store: Store,
) -> None:
    gone = AccountId(99)
    result = await store.deliver(
        delivery(
            message(),
            LocalRecipient(ACCOUNT, "a@b.test", "No/Such"),
            LocalRecipient(gone, "c@b.test"),
        )
    )
    assert result.local[0].mailbox == await inbox(store)
    assert (result.local[1].mailbox, result.local[1].uid) == (0, 0)


async def test_a_spooled_message_is_taken_over(store: Store) -> None:
    data = message("x" * 300_000)
    spool = spooled(store, data, b"Received: here\r\n")
    await store.deliver(delivery(spool, ACCOUNT, OTHER, queued=["far@example.net"]))
    assert await bodies(store) == [b"Received: here\r\n" + data]
    assert await bodies(store, account=OTHER) == [b"Received: here\r\n" + data]
    assert not list(store.spool_dir.iterdir())
    (queued,) = [entry async for entry in store.queue.entries()]
    assert queued.size == len(data) + 16


async def test_local_and_queued_recipients_are_one_transaction(store: Store) -> None:
    events: list[object] = []
    store.bus.subscribe(None, events.append)
    result = await store.deliver(delivery(message(), ACCOUNT, queued=["far@example.net"]))
    assert result.queue_id is not None
    shown = await store.queue.show(result.queue_id)
    assert shown is not None
    assert [recipient.address for recipient in shown.recipients] == ["far@example.net"]
    assert QueueChanged() in events


async def test_many_at_once_get_ascending_uids_and_modseqs(store: Store) -> None:
    view = await store.view(ACCOUNT, await inbox(store))
    results = await asyncio.gather(*[deliver(store, message()) for _ in range(100)])
    assert sorted(one.local[0].uid for one in results) == list(range(1, 101))
    assert list(view.uids) == list(range(1, 101))
    assert list(view.modseqs) == sorted(set(view.modseqs))
    box = await store.mailbox(ACCOUNT, "INBOX")
    assert (box.messages, box.highestmodseq) == (100, view.modseqs[-1])
    view.release()


async def test_bodies_are_read_in_ranges(store: Store) -> None:
    data = message("0123456789" * 60_000)
    await deliver(store, data)
    box = await inbox(store)
    (row,) = [row async for rows in store.rows(ACCOUNT, box, [1]) for row in rows]
    assert row.size == len(data)
    assert await store.read_body(ACCOUNT, row.blob, box, 1, 5, 7) == data[5:12]
    assert await store.read_body(ACCOUNT, row.blob, box, 1, 10, 500_000) == data[10:500_010]
    assert await store.read_body(ACCOUNT, row.blob, box, 1, len(data) - 3, 100) == data[-3:]
    assert await store.read_body(ACCOUNT, row.blob, box, 1, len(data) + 3, 100) == b""


async def test_append_keeps_flags_and_date(store: Store) -> None:
    flags = Flags(System.SEEN | System.DRAFT, frozenset({"$Forwarded", "Project"}))
    uids = await store.append(ACCOUNT, "Drafts", [appended(message(), flags, 1_600_000_000.0)])
    box = await store.mailbox(ACCOUNT, "Drafts")
    assert (uids.uidvalidity, list(uids.target)) == (box.uidvalidity, [1])
    (row,) = [row async for rows in store.rows(ACCOUNT, box.id, [1]) for row in rows]
    assert (row.flags, row.internaldate) == (flags, 1_600_000_000.0)
    assert (box.unseen, box.messages) == (0, 1)


class _Hasty:
    """A clock that is a second further whenever it is asked."""

    def __init__(self) -> None:
        self.seconds = itertools.count(1_700_000_000)

    def now(self) -> float:
        return float(next(self.seconds))

    def monotonic(self) -> float:
        return float(next(self.seconds))


async def test_a_file_is_named_with_the_date_of_its_row(home: StoreHome) -> None:
    """Without the index the name is what tells INTERNALDATE."""
    home.clock = _Hasty()
    store = await home.open()
    await store.add_account(ACCOUNT)
    await store.append(ACCOUNT, "Drafts", [appended(message())])
    box = (await store.mailbox(ACCOUNT, "Drafts")).id
    (row,) = [row async for rows in store.rows(ACCOUNT, box, [1]) for row in rows]
    (file,) = home.mail_dir.rglob("new/*")
    base = parse_base(file.name)
    assert base is not None
    assert base.seconds == int(row.internaldate)


async def test_bare_lf_is_read_as_crlf(store: Store) -> None:
    await store.append(ACCOUNT, "INBOX", [appended(b"Subject: x\n\nline one\nline two\n")])
    assert await bodies(store) == [b"Subject: x\r\n\r\nline one\r\nline two\r\n"]
    box = await inbox(store)
    (row,) = [row async for rows in store.rows(ACCOUNT, box, [1]) for row in rows]
    assert await store.read_body(ACCOUNT, row.blob, box, 1, 10, 6) == b"\r\n\r\nli"
    assert row.size == 34


async def test_append_into_nowhere_leaves_nothing(store: Store) -> None:
    with pytest.raises(NoSuchMailbox):
        await store.append(ACCOUNT, "Nowhere", [appended(message())])
    with pytest.raises(NoSuchAccount):
        await store.append(AccountId(99), "INBOX", [appended(message())])
    assert not list(store.spool_dir.iterdir())


async def test_quota_is_strict_for_append_and_copy_but_not_for_delivery(store: Store) -> None:
    data = message("y" * 1000)
    await deliver(store, data)
    await store.set_limits(ACCOUNT, len(data) + 10, 0)
    with pytest.raises(OverQuota):
        await store.append(ACCOUNT, "INBOX", [appended(message())])
    with pytest.raises(OverQuota):
        await store.copy(ACCOUNT, await inbox(store), [1], "Archive")
    await deliver(store, data)
    usage = await store.usage(ACCOUNT)
    assert (usage.bytes, usage.messages, usage.limit_bytes) == (2 * len(data), 2, len(data) + 10)
    assert len(list((store.maildir(ACCOUNT) / "new").iterdir())) == 2


async def test_store_changes_flags_once(store: Store) -> None:
    for _ in range(3):
        await deliver(store, message())
    box = await inbox(store)
    words = Flags(System.FLAGGED, frozenset({"Work"}))
    outcome = await store.store(ACCOUNT, box, [1, 2], FlagChange.ADD, words)
    assert list(outcome.changed) == [1, 2]
    again = await store.store(ACCOUNT, box, [1, 2, 7], FlagChange.ADD, words)
    assert list(again.changed) == []
    assert (await store.mailbox(ACCOUNT, "INBOX")).highestmodseq == outcome.modseq
    await store.store(ACCOUNT, box, [2], FlagChange.REMOVE, Flags(keywords=frozenset({"WORK"})))
    await store.store(ACCOUNT, box, [3], FlagChange.SET, SEEN)
    assert await flag_texts(store) == {1: "\\Flagged Work", 2: "\\Flagged", 3: "\\Seen"}
    assert (await store.mailbox(ACCOUNT, "INBOX")).unseen == 2


async def test_unchanged_since_is_decided_by_message(store: Store) -> None:
    await deliver(store, message())
    await deliver(store, message())
    box = await inbox(store)
    before = (await store.mailbox(ACCOUNT, "INBOX")).highestmodseq
    await store.store(ACCOUNT, box, [1], FlagChange.ADD, SEEN)
    outcome = await store.store(
        ACCOUNT, box, [1, 2], FlagChange.ADD, DELETED, unchanged_since=before
    )
    assert (list(outcome.changed), list(outcome.modified)) == ([2], [1])
    assert await flag_texts(store) == {1: "\\Seen", 2: "\\Deleted"}


async def test_copy_maps_uids_and_leaves_out_what_vanished(store: Store) -> None:
    sent = [message(str(number)) for number in range(4)]
    for data in sent:
        await deliver(store, data)
    box = await inbox(store)
    await store.store(ACCOUNT, box, [2], FlagChange.ADD, Flags(System.FLAGGED, frozenset({"K"})))
    mapped = await store.copy(ACCOUNT, box, [9, 4, 2], "Archive")
    assert (list(mapped.source), list(mapped.target)) == ([2, 4], [1, 2])
    assert await bodies(store, "Archive") == [sent[1], sent[3]]
    assert await flag_texts(store, "Archive") == {1: "\\Flagged K", 2: ""}
    assert (await store.usage(ACCOUNT)).messages == 6
    with pytest.raises(TooMany):
        await store.copy(ACCOUNT, box, range(1, 60_000), "Archive")


async def test_move_takes_messages_away(store: Store) -> None:
    sent = [message(str(number)) for number in range(3)]
    for data in sent:
        await deliver(store, data)
    view = await store.view(ACCOUNT, await inbox(store))
    before = view.uids
    mapped = await store.move(ACCOUNT, view.mailbox, [1, 3], "Trash")
    assert (list(mapped.source), list(mapped.target)) == ([1, 3], [1, 2])
    assert (list(before), list(view.uids)) == ([1, 2, 3], [2])
    assert await bodies(store, "Trash") == [sent[0], sent[2]]
    assert (await store.usage(ACCOUNT)).messages == 3
    view.release()


async def test_expunge_takes_deleted_messages_only(store: Store) -> None:
    for _ in range(4):
        await deliver(store, message())
    box = await inbox(store)
    await store.store(ACCOUNT, box, [1, 2, 4], FlagChange.ADD, DELETED)
    assert list(await store.expunge(ACCOUNT, box, [2, 3])) == [2]
    assert list(await store.expunge(ACCOUNT, box, None)) == [1, 4]
    assert list(await store.expunge(ACCOUNT, box, None)) == []
    counted = await store.mailbox(ACCOUNT, "INBOX")
    assert (counted.messages, counted.deleted, counted.unseen) == (1, 0, 1)
    assert (await store.usage(ACCOUNT)).messages == 1
    await deliver(store, message())
    assert (await flag_texts(store)).keys() == {3, 5}


async def test_journal_tells_every_change_in_order(store: Store) -> None:
    start = (await store.mailbox(ACCOUNT, "INBOX")).highestmodseq
    await deliver(store, message())
    box = await inbox(store)
    await store.store(ACCOUNT, box, [1], FlagChange.ADD, SEEN)
    await store.move(ACCOUNT, box, [1], "Trash")
    changes = await store.journal(ACCOUNT, start)
    told = [(change.kind.name, change.mailbox == box, list(change.uids)) for change in changes]
    assert told == [
        ("APPEND", True, [1]),
        ("FLAGS", True, [1]),
        ("EXPUNGE", True, [1]),
        ("APPEND", False, [1]),
    ]
    assert changes[2].modseq == changes[3].modseq
    assert await store.journal(ACCOUNT, changes[1].modseq) == changes[2:]


async def test_journal_tells_delivered_mail_from_what_a_client_brings(store: Store) -> None:
    start = (await store.mailbox(ACCOUNT, "INBOX")).highestmodseq
    await deliver(store, message())
    await store.append(ACCOUNT, "INBOX", [appended(message())])
    await store.copy(ACCOUNT, await inbox(store), [1], "Archive")
    changes = await store.journal(ACCOUNT, start)
    assert [change.name for change in changes] == [Origin.DELIVERY, Origin.CLIENT, Origin.CLIENT]


async def test_views_of_both_loads_agree_with_what_was_fed(store: Store) -> None:
    view = await store.view(ACCOUNT, await inbox(store))
    for _ in range(5):
        await deliver(store, message())
    await store.store(ACCOUNT, view.mailbox, [2, 3], FlagChange.ADD, DELETED)
    await store.expunge(ACCOUNT, view.mailbox, [3])
    fed = (list(view.uids), list(view.flags), list(view.modseqs), view.highestmodseq)
    store._views._forget((ACCOUNT, view.mailbox))
    loaded = await store.view(ACCOUNT, view.mailbox)
    assert loaded is not view
    assert fed == (
        list(loaded.uids),
        list(loaded.flags),
        list(loaded.modseqs),
        loaded.highestmodseq,
    )
    assert loaded.unseen() == view.unseen() == 4


async def test_messages_follow_a_mailbox_that_is_renamed(store: Store) -> None:
    for number in range(3):
        await store.append(ACCOUNT, "INBOX", [appended(message(str(number)))])
    meant = (await store.create(ACCOUNT, "Projects")).id
    await store.rename(ACCOUNT, "Projects", "Old")
    await store.create(ACCOUNT, "Projects")
    box = await inbox(store)
    await store.append(ACCOUNT, meant, [appended(message("new"))])
    await store.copy(ACCOUNT, box, [1], meant)
    await store.move(ACCOUNT, box, [2], meant)
    await store.replace(ACCOUNT, box, 3, meant, appended(message("last")))
    assert (await store.mailbox(ACCOUNT, "Old")).messages == 4
    assert (await store.mailbox(ACCOUNT, "Projects")).messages == 0
    await store.delete(ACCOUNT, "Old")
    with pytest.raises(NoSuchMailbox):
        await store.copy(ACCOUNT, box, [1], meant)


async def test_another_mailbox_of_the_name_is_left_alone(store: Store) -> None:
    meant = (await store.create(ACCOUNT, "Projects")).id
    await store.rename(ACCOUNT, "Projects", "Old", only=meant)
    await store.create(ACCOUNT, "Projects")
    with pytest.raises(NoSuchMailbox):
        await store.delete(ACCOUNT, "Projects", only=meant)
    with pytest.raises(NoSuchMailbox):
        await store.rename(ACCOUNT, "Projects", "New", only=meant)
    await store.delete(ACCOUNT, "Old", only=meant)
    names = {box.name for box in await store.mailboxes(ACCOUNT)}
    assert "Projects" in names and not {"Old", "New"} & names
