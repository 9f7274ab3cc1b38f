"""Look-ups of addresses and correspondents: kept, bounded, gone with their account."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from net.threads import Offload
from storage.config_contact_tables import CONTACT_TABLES
from storage.contact_service import ContactService
from storage.contact_values import NoSuchContact, Relation
from storage.correspondents import Correspondents
from storage.directory import Directory
from storage.errors import NoSuchAccount
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

ADA, BOB = "ada@example.test", "bob@example.test"
ANN = {
    "uid": "ann",
    "name": {"full": "Ann Noor"},
    "emails": {
        "2": {"address": "a.noor@home.test"},
        "1": {"address": "Ann@World.test", "pref": 1},
    },
}


@pytest.fixture
def offload() -> Iterator[Offload]:
    made = Offload(processes=1)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    async with own_database(request.param) as made:
        yield made


async def two_accounts(directory: Directory) -> tuple[AccountId, AccountId]:
    return tuple([(await directory.add_account(one, "hash")).id for one in (ADA, BOB)])  # type: ignore[return-value]


async def test_what_contacts_tell_of_an_address_follows_the_cards(
    url: str, tmp_path: Path, offload: Offload
) -> None:
    settings = make_settings(tmp_path, url)
    async with open_directory(settings) as directory:
        ada, bob = await two_accounts(directory)
        contacts, service = directory.contacts, ContactService(directory.contacts, offload)
        ann = await service.add(ada, ANN)
        tom = await service.add_address(ada, "tom@world.test")
        await service.add(bob, ANN)
        friends = await service.join(ada, "Friends", [tom.listed.uid, "URN:UUID:ANN"])
        await service.join(ada, "All", [tom.listed.uid, "who-is-not-there"])
        found = await contacts.relation(ada, "ANN@world.test")
        assert found == Relation(True, frozenset({"Friends"}))
    async with open_directory(settings) as directory:
        contacts, service = directory.contacts, ContactService(directory.contacts, offload)
        assert [one.id for one in await contacts.with_address(ada, "A.Noor@home.test")] == [
            ann.card.id
        ]
        assert await contacts.with_address(ada, "nobody@home.test") == []
        assert await contacts.with_address(bob, "tom@world.test") == []
        assert [(one.name, one.members) for one in await contacts.groups(ada)] == [
            ("All", 2),
            ("Friends", 2),
        ]
        assert await contacts.addresses(ada, "Friends") == ["Ann@World.test", "tom@world.test"]
        assert await contacts.addresses(ada) == ["Ann@World.test", "tom@world.test"]
        with pytest.raises(NoSuchContact):
            await contacts.addresses(ada, "Others")
        new = {"1": {"address": "new@world.test"}}
        await service.change(ada, ann.card.id, lambda card: {**card, "emails": new})
        assert not (await contacts.relation(ada, "ann@world.test")).contact
        assert (await contacts.relation(ada, "New@World.TEST")).groups == {"Friends"}
        await contacts.cards.delete_id(ada, tom.listed.id)
        assert not (await contacts.relation(ada, "tom@world.test")).contact
        assert await contacts.addresses(ada, "Friends") == ["new@world.test"]
        await contacts.cards.delete_id(ada, friends.listed.id)
        assert (await contacts.relation(ada, "new@world.test")).groups == frozenset()
        await directory.delete_account(ADA)
        assert not await contacts.groups(ada) and not await contacts.addresses(ada)
        assert await contacts.addresses(bob) == ["Ann@World.test"]
        async with directory.database.reading() as at:
            for table in CONTACT_TABLES:
                rows = (await at.execute(select(table.c.account))).scalars().all()
                assert set(rows) <= {bob}
        with pytest.raises(NoSuchAccount):
            await service.add(ada, ANN)


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
