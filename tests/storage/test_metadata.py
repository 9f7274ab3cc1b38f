"""Metadata entries on both databases: who sees them, their bounds, what deletions take along."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage import metadata as module
from storage.directory import Directory
from storage.metadata import SERVER, Holder, Metadata, MetadataChanged, TooManyEntries
from storage.store import Store
from storage.values import AccountId, MailboxId
from tests.support.directories import make_settings, open_directory
from tests.support.stores import ACCOUNT, OTHER, StoreHome

COMMENT, SHARED = "/private/comment", "/shared/comment"


@pytest.fixture
async def directory(home: StoreHome, tmp_path: Path) -> AsyncIterator[Directory]:
    (tmp_path / "config").mkdir()
    settings = make_settings(tmp_path / "config", home.database)
    async with open_directory(settings) as made:
        yield made


@pytest.fixture
async def metadata(store: Store, directory: Directory) -> AsyncIterator[Metadata]:
    made = Metadata(directory.database, store)
    yield made
    await made.close()


async def holder(store: Store, name: str = "INBOX", account: AccountId = ACCOUNT) -> Holder:
    return Holder(account, (await store.mailbox(account, name)).id)


async def test_private_and_shared(store: Store, metadata: Metadata) -> None:
    here = await holder(store)
    heard: list[MetadataChanged] = []
    unsubscribe = metadata.on_change(heard.append)
    await metadata.change(here, "INBOX", ACCOUNT, {COMMENT: b"mine", SHARED: b"ours\0"}, "source")
    await metadata.change(here, "INBOX", OTHER, {COMMENT: b"theirs"})
    unsubscribe()
    names = (COMMENT, SHARED)
    assert await metadata.read(here, ACCOUNT, names) == {COMMENT: b"mine", SHARED: b"ours\0"}
    assert await metadata.read(here, OTHER, names) == {COMMENT: b"theirs", SHARED: b"ours\0"}
    assert [change.seen_by(OTHER) for change in heard] == [(SHARED,), (COMMENT,)]
    assert heard[0] == MetadataChanged(here, "INBOX", ACCOUNT, names, "source")
    await metadata.change(here, "INBOX", ACCOUNT, {COMMENT: None})
    assert await metadata.read(here, ACCOUNT, names) == {SHARED: b"ours\0"}
    assert await metadata.read_all([ACCOUNT, OTHER], OTHER, names) == {
        here: {COMMENT: b"theirs", SHARED: b"ours\0"}
    }


async def test_depth_takes_names_as_they_are(metadata: Metadata) -> None:
    names = ("/private/a", "/private/a/b", "/private/a/b/c", "/private/a_/b", "/private/ax/b")
    await metadata.change(SERVER, "", ACCOUNT, dict.fromkeys(names, b""))
    found = {
        depth: [*await metadata.read(SERVER, ACCOUNT, ["/private/a"], depth)] for depth in (0, 1)
    }
    assert found == {0: ["/private/a"], 1: ["/private/a", "/private/a/b"]}
    assert [*await metadata.read(SERVER, ACCOUNT, ["/private/a"], None)] == [*names[:3]]
    assert [*await metadata.read(SERVER, ACCOUNT, ["/private/a_"], None)] == ["/private/a_/b"]


async def test_a_change_is_all_or_nothing(
    store: Store, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = await holder(store), await holder(store, "Sent")
    monkeypatch.setattr(module, "MAX_OF_MAILBOX", 2)
    await metadata.change(here, "INBOX", ACCOUNT, {COMMENT: b"1", "/private/x": b"2"})
    with pytest.raises(TooManyEntries):
        await metadata.change(here, "INBOX", ACCOUNT, {COMMENT: b"changed", SHARED: b"3"})
    assert await metadata.read(here, ACCOUNT, (COMMENT, SHARED)) == {COMMENT: b"1"}
    await metadata.change(here, "INBOX", OTHER, {COMMENT: b"another user's count apart"})
    monkeypatch.setattr(module, "MAX_OF_ACCOUNT", 3)
    await metadata.change(there, "Sent", ACCOUNT, {SHARED: b"3"})
    with pytest.raises(TooManyEntries):
        await metadata.change(there, "Sent", ACCOUNT, {COMMENT: b"4"})
    await metadata.change(there, "Sent", ACCOUNT, {SHARED: None, COMMENT: b"4"})
    monkeypatch.setattr(module, "MAX_OCTETS", 10)
    with pytest.raises(TooManyEntries):
        await metadata.change(there, "Sent", ACCOUNT, {COMMENT: b"0123456789"})
    with pytest.raises(TooManyEntries):  # counts for the owner, whoever wrote it
        await metadata.change(there, "Sent", OTHER, {SHARED: b"0123456789"})


async def test_deleted_mailboxes_and_accounts_leave_nothing(
    store: Store, metadata: Metadata, directory: Directory
) -> None:
    await store.create(ACCOUNT, "a/b")
    kept, gone = await holder(store, "a"), await holder(store, "a/b")
    for here in (kept, gone):
        await metadata.change(here, "x", ACCOUNT, {COMMENT: b"x"})
        await metadata.change(here, "x", OTHER, {COMMENT: b"y"})
    await store.rename(ACCOUNT, "a", "c")
    await store.delete(ACCOUNT, "c/b")
    await metadata.change(SERVER, "", ACCOUNT, {COMMENT: b"x"})
    await metadata.change(kept, "c", ACCOUNT, {"/private/x": b"waits for what is being removed"})
    assert await metadata.read(gone, OTHER, [COMMENT]) == {}
    assert await metadata.read(kept, OTHER, [COMMENT]) == {COMMENT: b"y"}
    await store.remove_account(ACCOUNT)
    await metadata.close()
    assert await metadata.read(kept, OTHER, [COMMENT]) == {}


async def test_what_a_killed_process_left_goes_with_the_next_change(
    store: Store, metadata: Metadata, directory: Directory
) -> None:
    await store.create(ACCOUNT, "a/b")
    await store.delete(ACCOUNT, "a")
    await metadata.close()
    name, lost = await store.named(ACCOUNT, "a"), Holder(ACCOUNT, MailboxId(99))
    for here in (lost, Holder(ACCOUNT, name.id)):
        await metadata.change(here, "", ACCOUNT, {COMMENT: b"x"})
    after = Metadata(directory.database, store)
    await after.change(await holder(store), "INBOX", ACCOUNT, {COMMENT: b"y"})
    assert await after.read(lost, ACCOUNT, [COMMENT]) == {}
    assert await after.read(Holder(ACCOUNT, name.id), ACCOUNT, [COMMENT]) == {COMMENT: b"x"}
    await after.close()


async def test_a_deleted_account_takes_its_private_entries_elsewhere(
    store: Store, metadata: Metadata, directory: Directory
) -> None:
    account = await directory.add_account("ada@example.test", "")
    while account.id in (ACCOUNT, OTHER):
        await directory.delete_account("ada@example.test")
        account = await directory.add_account("ada@example.test", "")
    await metadata.change(await holder(store), "INBOX", account.id, {COMMENT: b"x", SHARED: b"y"})
    await directory.delete_account("ada@example.test")
    names = (COMMENT, SHARED)
    assert await metadata.read(await holder(store), account.id, names) == {SHARED: b"y"}


async def test_copies_for_the_renamed_inbox(store: Store, metadata: Metadata) -> None:
    here, there = await holder(store), await holder(store, "Sent")
    await metadata.change(here, "INBOX", ACCOUNT, {COMMENT: b"1", SHARED: b"2"})
    await metadata.copy(here, there)
    assert await metadata.read(there, ACCOUNT, (COMMENT, SHARED)) == {COMMENT: b"1", SHARED: b"2"}
