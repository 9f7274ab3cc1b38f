"""Mailboxes: default ones, CREATE, DELETE, RENAME, subscriptions, names on disk, accounts."""

import pytest

from storage.errors import (
    MailboxExists,
    MailboxForbidden,
    MailboxHasChildren,
    NoSuchAccount,
    NoSuchMailbox,
)
from storage.maildir_names import folder_path, mailbox_name
from storage.names import checked
from storage.store import Store
from storage.values import FoldersChanged
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

DEFAULT = ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]


async def names(store: Store) -> list[str]:
    return [box.name for box in await store.mailboxes(ACCOUNT)]


async def test_a_new_account_has_its_mailboxes(store: Store) -> None:
    boxes = await store.mailboxes(ACCOUNT)
    assert [box.name for box in boxes] == DEFAULT
    assert {box.name: box.special_use for box in boxes} == {
        "INBOX": "",
        "Archive": "\\Archive",
        "Drafts": "\\Drafts",
        "Junk": "\\Junk",
        "Sent": "\\Sent",
        "Trash": "\\Trash",
    }
    assert await store.subscriptions(ACCOUNT) == DEFAULT
    for folder in ("", ".Archive", ".Drafts", ".Junk", ".Sent", ".Trash"):
        for part in ("tmp", "new", "cur"):
            assert (store.maildir(ACCOUNT) / folder / part).is_dir()


async def test_uidvalidity_is_never_given_twice(store: Store) -> None:
    given = [box.uidvalidity for box in await store.mailboxes(ACCOUNT)]
    for _ in range(3):
        given.append((await store.create(ACCOUNT, "Again")).uidvalidity)
        await store.delete(ACCOUNT, "Again")
    assert len(set(given)) == len(given)
    assert given[-3:] == sorted(given[-3:]) and given[-1] > max(given[:6])


async def test_create_makes_parents_and_its_folder(store: Store) -> None:
    events: list[object] = []
    store.bus.subscribe(ACCOUNT, events.append)
    box = await store.create(ACCOUNT, "Work/2026/Ü.x/")
    assert box.name == "Work/2026/Ü.x"
    assert await names(store) == [*DEFAULT, "Work", "Work/2026", "Work/2026/Ü.x"]
    assert (store.maildir(ACCOUNT) / ".Work.2026.&ANwALg-x" / "new").is_dir()
    assert isinstance(events[0], FoldersChanged)
    assert list(events[0].created) == ["Work", "Work/2026", "Work/2026/Ü.x"]
    with pytest.raises(MailboxExists):
        await store.create(ACCOUNT, "Work/2026")
    with pytest.raises(MailboxExists):
        await store.create(ACCOUNT, "inbox")


@pytest.mark.parametrize("name", ["", "a//b", "/a", "a\rb", "a%b", "a*", "x" * 250, "é" * 100])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(MailboxForbidden):
        checked(name)


async def test_delete_takes_messages_and_keeps_a_name_with_children(store: Store) -> None:
    await store.create(ACCOUNT, "A/B")
    await store.append(ACCOUNT, "A", [appended(message()), appended(message())])
    await store.delete(ACCOUNT, "A")
    (kept,) = [box for box in await store.mailboxes(ACCOUNT) if box.name == "A"]
    assert (kept.selectable, kept.messages) == (False, 0)
    assert (await store.usage(ACCOUNT)).messages == 0
    with pytest.raises(NoSuchMailbox):
        await store.mailbox(ACCOUNT, "A")
    with pytest.raises(MailboxHasChildren):
        await store.delete(ACCOUNT, "A")
    revived = await store.create(ACCOUNT, "A")
    assert revived.selectable
    await store.delete(ACCOUNT, "A/B")
    await store.delete(ACCOUNT, "A")
    assert await names(store) == DEFAULT
    with pytest.raises(NoSuchMailbox):
        await store.delete(ACCOUNT, "A")
    with pytest.raises(MailboxForbidden):
        await store.delete(ACCOUNT, "inbox")


async def test_rename_takes_children_and_mail_with_it(store: Store) -> None:
    await store.create(ACCOUNT, "Old/Child")
    data = message()
    await store.append(ACCOUNT, "Old/Child", [appended(data)])
    before = await store.mailbox(ACCOUNT, "Old/Child")
    await store.rename(ACCOUNT, "Old", "New/Home")
    assert await names(store) == [
        *DEFAULT[:4],
        "New",
        "New/Home",
        "New/Home/Child",
        *DEFAULT[4:],
    ]
    after = await store.mailbox(ACCOUNT, "New/Home/Child")
    assert (after.id, after.uidvalidity, after.messages) == (before.id, before.uidvalidity, 1)
    assert await bodies(store, "New/Home/Child") == [data]
    with pytest.raises(MailboxExists):
        await store.rename(ACCOUNT, "New", "Sent")
    with pytest.raises(MailboxForbidden):
        await store.rename(ACCOUNT, "New", "New/Deeper")
    with pytest.raises(NoSuchMailbox):
        await store.rename(ACCOUNT, "Old", "Other")


async def test_a_name_can_be_used_again_before_the_mirror_came(store: Store) -> None:
    first, second = message("first"), message("second")
    await store.create(ACCOUNT, "Box")
    await store.append(ACCOUNT, "Box", [appended(first)])
    await store.rename(ACCOUNT, "Box", "Elsewhere")
    await store.create(ACCOUNT, "Box")
    await store.append(ACCOUNT, "Box", [appended(second)])
    assert await bodies(store, "Elsewhere") == [first]
    assert await bodies(store, "Box") == [second]


async def test_renaming_inbox_moves_its_messages(store: Store) -> None:
    sent = [message(), message()]
    for data in sent:
        await deliver(store, data)
    await store.rename(ACCOUNT, "INBOX", "Saved")
    assert await bodies(store, "Saved") == sent
    assert await bodies(store) == []


async def test_subscriptions_live_without_mailboxes(store: Store) -> None:
    await store.subscribe(ACCOUNT, "Sent", False)
    await store.subscribe(ACCOUNT, "Not/There", True)
    assert await store.subscriptions(ACCOUNT) == [
        "INBOX",
        "Archive",
        "Drafts",
        "Junk",
        "Not/There",
        "Trash",
    ]
    await store.create(ACCOUNT, "Not/There")
    await store.delete(ACCOUNT, "Not/There")
    assert "Not/There" in await store.subscriptions(ACCOUNT)
    await store.subscribe(ACCOUNT, "Not/There", False)
    assert "Not/There" not in await store.subscriptions(ACCOUNT)


async def test_everything_is_there_after_a_restart(home: StoreHome, store: Store) -> None:
    await store.create(ACCOUNT, "Keep")
    await store.subscribe(ACCOUNT, "Keep", False)
    await store.subscribe(ACCOUNT, "Ghost", True)
    await store.set_limits(ACCOUNT, 1000, 10)
    data = message()
    await store.append(ACCOUNT, "Keep", [appended(data)])
    before = (await store.mailboxes(ACCOUNT), await store.subscriptions(ACCOUNT))
    again = await home.reopen(store)
    assert (await again.mailboxes(ACCOUNT), await again.subscriptions(ACCOUNT)) == before
    assert await bodies(again, "Keep") == [data]
    usage = await again.usage(ACCOUNT)
    assert (usage.bytes, usage.messages, usage.limit_bytes) == (len(data), 1, 1000)


async def test_a_removed_account_goes_to_the_orphans(home: StoreHome, store: Store) -> None:
    await deliver(store, message())
    root = store.maildir(ACCOUNT)
    await store.remove_account(ACCOUNT)
    with pytest.raises(NoSuchAccount):
        await store.mailboxes(ACCOUNT)
    assert not root.exists()
    assert (home.data_dir / "orphans" / "account-1" / "new").is_dir()
    again = await home.reopen(store)
    with pytest.raises(NoSuchAccount):
        await again.usage(ACCOUNT)
    await again.add_account(ACCOUNT)
    assert await bodies(again) == []
    assert await inbox(again, OTHER)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("INBOX", ""),
        ("Sent", ".Sent"),
        ("Work/2026", ".Work.2026"),
        ("a.b", ".a&AC4-b"),
        ("Entwürfe & mehr", ".Entw&APw-rfe &- mehr"),
        ("日本語", ".&ZeVnLIqe-"),
        ("INBOX/Sub", ".INBOX.Sub"),
    ],
)
def test_folder_names(name: str, path: str) -> None:
    assert folder_path(name) == path
    assert mailbox_name(path) == name
