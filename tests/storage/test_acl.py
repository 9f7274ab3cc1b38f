"""Access control lists in config.db: kept by mailbox, found by grantee, told once committed."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from storage.acl import EVERYBODY, MAX_ENTRIES, AclChange, BoxKey, Entries, Entry
from storage.directory import Directory
from storage.errors import TooMany
from storage.values import AccountId, MailboxId
from tests.support.directories import make_settings, open_directory, own_database

KEY = BoxKey(MailboxId(3), 1_700_000_000)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as database,
        open_directory(make_settings(tmp_path, database)) as opened,
    ):
        for name in ("ada", "bob", "cy"):
            await opened.add_account(f"{name}@example.test", "hash")
        yield opened


async def ids(directory: Directory) -> list[AccountId]:
    return [account.id for account in await directory.accounts()]


def given(*entries: Entry) -> Entries:
    return tuple(sorted(entries))


def edited(_: Entries, to: Entries) -> Entries:
    return to


async def test_a_list_is_found_by_owner_and_by_grantee(directory: Directory) -> None:
    ada, bob, cy = await ids(directory)
    table = directory.acl
    assert await table.owners(bob) == frozenset()
    wanted = given(Entry(bob, False, "lr"), Entry(bob, True, "w"), Entry(EVERYBODY, False, "l"))
    await table.change(ada, KEY, lambda _: wanted)
    assert await table.lists(ada) == {KEY: wanted}
    assert await table.owners(bob) == {ada}
    assert await table.owners(EVERYBODY) == {ada}
    assert await table.owners(cy) == frozenset()
    table.clear()
    assert await table.lists(ada) == {KEY: wanted}
    await table.change(ada, KEY, lambda _: given(Entry(bob, True, "w")))
    assert await table.owners(bob) == frozenset()
    await table.change(ada, KEY, lambda _: ())
    assert await table.lists(ada) == {}


async def test_another_mailbox_with_the_same_number_has_no_list(directory: Directory) -> None:
    ada, bob, _ = await ids(directory)
    await directory.acl.change(ada, KEY, lambda _: given(Entry(bob, False, "lr")))
    lists = await directory.acl.lists(ada)
    assert KEY in lists
    assert KEY._replace(uidvalidity=KEY.uidvalidity + 1) not in lists


async def test_a_change_is_told_after_its_commit(directory: Directory) -> None:
    ada, bob, _ = await ids(directory)
    heard: list[AclChange] = []
    unwatch = directory.acl.watch(ada, heard.append)
    entries = given(Entry(bob, False, "lr"))
    for _ in range(2):  # the second changes nothing
        await directory.acl.change(ada, KEY, lambda _: entries)
    await directory.acl.change(bob, KEY, lambda _: given(Entry(ada, False, "lr")))
    unwatch()
    await directory.acl.change(ada, KEY, lambda _: ())
    assert heard == [AclChange(ada, KEY, entries, frozenset({bob}))]
    directory.acl.watch(None, heard.append)
    await directory.acl.change(bob, KEY, lambda _: ())
    assert heard[1:] == [AclChange(bob, KEY, (), frozenset({ada}))]


async def test_what_edit_raises_changes_nothing(directory: Directory) -> None:
    ada, bob, _ = await ids(directory)
    entries = given(Entry(bob, False, "lr"))
    await directory.acl.change(ada, KEY, lambda _: entries)

    def refuse(_: Entries) -> Entries:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await directory.acl.change(ada, KEY, refuse)
    many = [Entry(AccountId(number), False, "l") for number in range(1, MAX_ENTRIES + 2)]
    with pytest.raises(TooMany):
        await directory.acl.change(ada, KEY, lambda _: given(*many))
    directory.acl.clear()
    assert await directory.acl.lists(ada) == {KEY: entries}


async def test_a_deleted_account_gives_and_is_given_nothing(directory: Directory) -> None:
    ada, bob, cy = await ids(directory)
    for owner, grantee in ((ada, bob), (bob, cy), (cy, ada)):
        entries = given(Entry(grantee, False, "lr"))
        await directory.acl.change(owner, KEY, partial(edited, to=entries))
    assert await directory.acl.owners(cy) == {bob}
    await directory.delete_account("bob@example.test")
    assert await directory.acl.lists(ada) == {}
    assert await directory.acl.lists(bob) == {}
    assert await directory.acl.owners(cy) == frozenset()
    assert await directory.acl.owners(ada) == {cy}
