"""REPLACE in the store: a message comes and another goes in one transaction (RFC 8508 §3.4)."""

import asyncio
from array import array

import pytest

from storage.errors import MessageMissing, NoSuchMailbox, OverQuota
from storage.store import Store
from storage.values import Flags, MailboxChanged, System
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


async def test_one_comes_and_one_goes(store: Store) -> None:
    first, second, third = message("1"), message("2"), message("3")
    await deliver(store, first)
    await deliver(store, second)
    box = await inbox(store)
    events: list[object] = []
    store.bus.subscribe(ACCOUNT, events.append)
    done = await store.replace(ACCOUNT, box, 1, "INBOX", appended(third, Flags(System.DRAFT)))
    assert list(done.target) == [3]
    assert await bodies(store) == [second, third]
    assert await flag_texts(store) == {2: "", 3: "\\Draft"}
    usage = await store.usage(ACCOUNT)
    assert (usage.messages, usage.bytes) == (2, len(second) + len(third))
    found = await store.mailbox(ACCOUNT, "INBOX")
    assert (found.messages, found.unseen, found.size) == (2, 2, len(second) + len(third))
    gone, come = (event for event in reversed(events) if isinstance(event, MailboxChanged))
    assert (come.appended, gone.expunged) == (array("I", [3]), array("I", [1]))
    changes = await store.journal(ACCOUNT, come.modseq - 1)
    assert [list(change.uids) for change in changes] == [[3], [1]]


async def test_into_another_mailbox(store: Store) -> None:
    await deliver(store, message())
    data = message("sent")
    await store.replace(ACCOUNT, await inbox(store), 1, "Sent", appended(data))
    assert await bodies(store) == []
    assert await bodies(store, "Sent") == [data]


async def test_what_fails_changes_nothing(store: Store) -> None:
    data = message("x" * 1000)
    await deliver(store, data)
    box = await inbox(store)
    with pytest.raises(MessageMissing):
        await store.replace(ACCOUNT, box, 9, "INBOX", appended(message()))
    with pytest.raises(NoSuchMailbox):
        await store.replace(ACCOUNT, box, 1, "Nowhere", appended(message()))
    await store.set_limits(ACCOUNT, 1500, 1)
    with pytest.raises(OverQuota):
        await store.replace(ACCOUNT, box, 1, "INBOX", appended(message("y" * 2000)))
    assert await bodies(store) == [data]
    # its own octets are free for what takes its place
    await store.replace(ACCOUNT, box, 1, "INBOX", appended(message("z" * 900)))
    assert (await store.usage(ACCOUNT)).messages == 1
    # a limit that was lowered below what is used does not keep a draft from being saved
    await deliver(store, message("second"))
    await store.set_limits(ACCOUNT, 100, 1)
    first = min(await flag_texts(store))
    done = await store.replace(ACCOUNT, box, first, "INBOX", appended(message("z" * 800)))
    with pytest.raises(OverQuota):
        await store.replace(ACCOUNT, box, done.target[0], "INBOX", appended(message("z" * 1200)))
    assert (await store.usage(ACCOUNT)).messages == 2


async def test_into_another_account(store: Store) -> None:
    old, data = message("old"), message("new")
    await deliver(store, old)
    box = await inbox(store)
    done = await store.replace(ACCOUNT, box, 1, "Sent", appended(data), owner=OTHER)
    assert done.uidvalidity == (await store.mailbox(OTHER, "Sent")).uidvalidity
    assert (await bodies(store), await bodies(store, "Sent", OTHER)) == ([], [data])
    assert (await store.usage(ACCOUNT)).messages == 0
    assert (await store.usage(OTHER)).bytes == len(data)
    (gone,) = (await store.journal(ACCOUNT, 1))[-1:]
    (come,) = (await store.journal(OTHER, 1))[-1:]
    assert (list(gone.uids), list(come.uids)) == ([1], [1])


async def test_what_fails_between_accounts_changes_neither(store: Store) -> None:
    old = message("old")
    await deliver(store, old)
    box = await inbox(store)
    await store.set_limits(OTHER, 10, 0)
    with pytest.raises(OverQuota):
        await store.replace(ACCOUNT, box, 1, "Sent", appended(message()), owner=OTHER)
    await store.set_limits(OTHER, 0, 0)
    with pytest.raises(NoSuchMailbox):
        await store.replace(ACCOUNT, box, 1, "Nowhere", appended(message()), owner=OTHER)
    with pytest.raises(MessageMissing):
        await store.replace(ACCOUNT, box, 9, "Sent", appended(message()), owner=OTHER)
    assert (await bodies(store), await bodies(store, "Sent", OTHER)) == ([old], [])


async def test_between_accounts_only_one_of_two_wins(store: Store) -> None:
    await deliver(store, message())
    box = await inbox(store)
    results = await asyncio.gather(
        store.replace(ACCOUNT, box, 1, "Sent", appended(message("far")), owner=OTHER),
        store.replace(ACCOUNT, box, 1, "Sent", appended(message("near"))),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(MessageMissing) == 1
    assert len(await bodies(store, "Sent") + await bodies(store, "Sent", OTHER)) == 1


async def test_of_two_that_replace_one_only_one_wins(store: Store) -> None:
    await deliver(store, message())
    box = await inbox(store)
    results = await asyncio.gather(
        *(store.replace(ACCOUNT, box, 1, "INBOX", appended(message(str(i)))) for i in range(2)),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(MessageMissing) == 1
    assert len(await bodies(store)) == 1


async def test_it_is_there_after_a_kill(home: StoreHome) -> None:
    store = await home.open()
    await store.add_account(ACCOUNT)
    await deliver(store, message())
    data = message("stays")
    await store.replace(ACCOUNT, await inbox(store), 1, "INBOX", appended(data))
    await home.crash(store)
    assert await bodies(await home.open(mirror=True)) == [data]
