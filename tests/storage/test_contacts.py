"""Address books and correspondents: kept, bounded, journalled, gone with their account."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage import config_journal, contacts
from storage.config_journal import Change, How, Kind
from storage.contact_values import (
    BadContact,
    ContactExists,
    Email,
    Group,
    NoSuchContact,
    Person,
    Relation,
    TooManyContacts,
)
from storage.correspondents import Correspondents
from storage.directory import Directory
from storage.errors import NoSuchAccount
from storage.values import AccountId
from tests.support.config_journal import changes_after
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

ADA, BOB = "ada@example.test", "bob@example.test"
ANN = Person(
    "Ann Noor",
    (Email("Ann@World.test", "work"), Email("a.noor@home.test")),
    given_name="Ann",
    note="two\nlines",
    more=("TEL;TYPE=CELL:+49 1", "X-A:ü"),
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    async with own_database(request.param) as made:
        yield made


async def two_accounts(directory: Directory) -> tuple[AccountId, AccountId]:
    return tuple([(await directory.add_account(one, "hash")).id for one in (ADA, BOB)])  # type: ignore[return-value]


async def test_people_and_groups_outlive_a_restart_and_go_with_their_account(
    url: str, tmp_path: Path
) -> None:
    clock = MovedClock()
    settings = make_settings(tmp_path, url)
    async with open_directory(settings, clock) as directory:
        ada, bob = await two_accounts(directory)
        book = directory.contacts
        ann = await book.add(ada, ANN)
        tom = await book.add(ada, Person("", (Email("tom@world.test"),), uid="tom"))
        await book.add(bob, replace(ANN, uid=ann.uid))
        friends = await book.add_group(ada, Group("Friends", (tom.id, ann.id, tom.id)))
        await book.add_group(ada, Group("All", (tom.id,)))
        assert await book.relation(ada, "ANN@world.test") == Relation(True, frozenset({"Friends"}))
    clock.seconds += 60
    async with open_directory(settings, clock) as directory:
        book = directory.contacts
        found = await book.person(ada, ann.id)
        assert found == replace(
            ANN, uid=ann.uid, id=ann.id, created=ann.created, changed=ann.created
        )
        assert [one.name for one in await book.people(ada)] == ["Ann Noor", ""]
        assert await book.with_address(ada, "A.Noor@home.test") == found
        assert await book.with_address(ada, "nobody@home.test") is None
        assert await book.with_address(bob, "tom@world.test") is None
        assert [(one.name, one.members) for one in await book.groups(ada)] == [
            ("All", (tom.id,)),
            ("Friends", (ann.id, tom.id)),
        ]
        assert await book.addresses(ada, "Friends") == ["Ann@World.test", "tom@world.test"]
        assert await book.addresses(ada) == ["Ann@World.test", "tom@world.test"]
        changed = await book.change(ada, Person("Ann", (Email("new@world.test"),), id=ann.id))
        assert (changed.uid, changed.created, changed.changed) == (
            ann.uid,
            ann.created,
            clock.seconds,
        )
        assert not (await book.relation(ada, "ann@world.test")).contact
        assert (await book.relation(ada, "New@World.TEST")).groups == {"Friends"}
        await book.delete(ada, tom.id)
        assert not (await book.relation(ada, "tom@world.test")).contact
        assert await book.change_group(ada, Group("Pals", (), id=friends.id)) == Group(
            "Pals", (), friends.uid, friends.id
        )
        await book.delete_group(ada, friends.id)
        assert [(one.name, one.members) for one in await book.groups(ada)] == [("All", ())]
        await directory.delete_account(ADA)
        assert not await book.people(ada) and not await book.groups(ada)
        assert [one.uid for one in await book.people(bob)] == [ann.uid]
        with pytest.raises(NoSuchAccount):
            await book.add(ada, ANN)


async def test_what_is_refused_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_directory(make_settings(tmp_path)) as directory:
        ada, bob = await two_accounts(directory)
        book = directory.contacts
        ann = await book.add(ada, replace(ANN, uid="ann"))
        tom = await book.add(ada, Person("Tom"))
        foreign = await book.add(bob, Person("Eve"))
        group = await book.add_group(ada, Group("Friends", (ann.id,)))
        before = await book.people(ada), await book.groups(ada)
        for wrong in (
            Person(""),
            Person("x" * 5000),
            Person("a\0b"),
            Person("a", (Email("nobody"),)),
            Person("a", (Email("a@b.test"),) * 51),
            Person("a", more=("TEL:1\nX:2",)),
            Person("\ud800"),
        ):
            with pytest.raises(BadContact):
                await book.add(ada, wrong)
        for again in (
            book.add(ada, replace(ANN, uid="ann")),
            book.change(ada, replace(tom, uid="ann")),
        ):
            with pytest.raises(ContactExists):
                await again
        for missing in (
            book.change(ada, replace(foreign, name="Mine")),
            book.delete(ada, foreign.id),
            book.person(ada, foreign.id),
            book.change_group(ada, replace(group, members=(ann.id, foreign.id))),
            book.add_group(ada, Group("Others", (foreign.id,))),
            book.change_group(bob, replace(group, name="Mine")),
            book.delete_group(bob, group.id),
            book.addresses(ada, "Others"),
        ):
            with pytest.raises(NoSuchContact):
                await missing
        with pytest.raises(ContactExists):
            await book.add_group(ada, Group("Friends"))
        with pytest.raises(BadContact):
            await book.add_group(ada, Group("a\nb"))
        monkeypatch.setattr(contacts, "MAX_PEOPLE", 2)
        monkeypatch.setattr(contacts, "MAX_GROUPS", 1)
        for more in (book.add(ada, Person("More")), book.add_group(ada, Group("More"))):
            with pytest.raises(TooManyContacts):
                await more
        assert (await book.people(ada), await book.groups(ada)) == before


async def test_each_change_is_in_the_journal(tmp_path: Path) -> None:
    async with open_directory(make_settings(tmp_path)) as directory:
        ada, _ = await two_accounts(directory)
        book = directory.contacts
        async with directory.database.reading() as at:
            start = await config_journal.modseq_of(at, ada)
        ann = await book.add(ada, ANN)
        group = await book.add_group(ada, Group("Friends", (ann.id,)))
        await book.change(ada, replace(ann, name="Anna"))
        await book.change_group(ada, replace(group, name="Pals"))
        await book.delete(ada, ann.id)
        await book.delete_group(ada, group.id)
        async with directory.database.reading() as at:
            changes = await changes_after(at, ada, start)
        person, friends = str(ann.id), str(group.id)
        assert changes == [
            Change(Kind.PERSON, How.CREATED, person),
            Change(Kind.GROUP, How.CREATED, friends),
            Change(Kind.PERSON, How.UPDATED, person),
            Change(Kind.GROUP, How.UPDATED, friends),
            Change(Kind.GROUP, How.UPDATED, friends),
            Change(Kind.PERSON, How.DELETED, person),
            Change(Kind.GROUP, How.DELETED, friends),
        ]


async def test_correspondents_are_counted_over_restarts(url: str, tmp_path: Path) -> None:
    clock = MovedClock()
    settings = make_settings(tmp_path, url)
    async with open_directory(settings, clock) as directory:
        ada, bob = await two_accounts(directory)
        met = directory.contacts.correspondents
        assert await met.get(ada, "x@world.test") is None
        met.met(ada, ["x@world.test", "Y@world.test", "no address"])
        met.met(bob, ["x@world.test"])
        found = await directory.contacts.relation(ada, "X@World.test")
        assert found == Relation(written=1, last=clock.seconds) and found.known
        assert [one.address for one in await met.listed(ada)] == ["Y@world.test", "x@world.test"]
    first = clock.seconds
    clock.seconds += 60
    async with open_directory(settings, clock) as directory:
        met = directory.contacts.correspondents
        met.met(ada, ["x@world.test"])
        found_again = await met.get(ada, "x@world.test")
        assert found_again is not None
        assert (found_again.count, found_again.first, found_again.last) == (2, first, first + 60)
        assert [one.count for one in await met.listed(ada)] == [2, 1]
    async with open_directory(settings, clock) as directory:
        met = directory.contacts.correspondents
        assert [one.count for one in await met.listed(ada)] == [2, 1]
        await directory.delete_account(ADA)
        assert await met.listed(ada) == []
        assert await met.get(ada, "x@world.test") is None
        met.met(ada, ["late@world.test"])  # what was under way when the account went
        await met.close()
        await met.prune()
        assert await met.listed(ada) == [] and len(await met.listed(bob)) == 1


async def test_correspondents_of_an_account_are_bounded(tmp_path: Path) -> None:
    clock = MovedClock()
    async with open_directory(make_settings(tmp_path), clock) as directory:
        ada, bob = await two_accounts(directory)
        met = Correspondents(directory.database, clock, kept=3)
        for n in range(5):
            clock.seconds += 1
            met.met(ada, [f"u{n}@world.test"])
        met.met(bob, ["x@world.test"])
        await met.close()
        await met.prune()
        assert [one.address for one in await met.listed(ada)] == [
            f"u{n}@world.test" for n in (4, 3, 2)
        ]
        assert len(await met.listed(bob)) == 1
