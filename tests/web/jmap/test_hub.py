"""The hub: changes gathered, lost events caught up with, slow listeners bounded."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.logging import get_logger
from net.threads import Offload
from storage.config_journal import Change, How, Kind, note
from storage.contact_service import content_of_vcard
from storage.directory import Directory
from storage.store import Store
from storage.type_states import StatePoint, TypeChanges, TypeStates
from storage.values import AccountId
from tests.support.directories import make_settings, open_directory, own_database
from tests.support.freed import eventually
from tests.support.stores import deliver, message
from web.jmap.push import hub as hub_module
from web.jmap.push.hub import Boxes, Hub


@dataclass(eq=False)
class Ear:
    """A listener that keeps what it heard."""

    sees_all: bool = True
    told: list[TypeChanges] = field(default_factory=list)
    shared: list[tuple[AccountId, Mapping[str, str]]] = field(default_factory=list)

    def heard(self, account: AccountId, changes: TypeChanges, boxes: Boxes) -> None:
        self.told.append(changes)

    def heard_shared(self, owner: AccountId, states: Mapping[str, str]) -> None:
        self.shared.append((owner, states))

    @property
    def types(self) -> set[str]:
        return {name for one in self.told for name in one.states}


@dataclass
class Site:
    store: Store
    directory: Directory
    hub: Hub
    account: AccountId


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with own_database(request.param) as url:
        settings = make_settings(tmp_path, url)
        async with open_directory(settings) as directory:
            offload, clock = Offload(), SystemClock()
            maildir = settings.data_dir / "mail"
            store = await Store.open(
                settings.data_dir, maildir, url, offload, clock, "mx.example.test"
            )
            account = (await directory.add_account("ada@example.test", "hash")).id
            await store.add_account(account)
            states = TypeStates(store.database, directory.database, store.submissions)
            shares = directory.contacts.shares
            hub = Hub(states, store, directory.database, shares, get_logger("push"))
            hub.start()
            yield Site(store, directory, hub, account)
            await hub.stop()
            await store.close()
            offload.close()


async def noted(site: Site, kind: Kind) -> None:
    async with site.directory.database.writing() as at:
        await note(at, site.account, [Change(kind, How.CREATED, "1")])


async def test_many_changes_are_told_together(site: Site) -> None:
    ear = Ear()
    await site.hub.listen(site.account, ear)
    for number in range(30):
        await deliver(site.store, message(str(number)), site.account)
    last = await site.store.modseq(site.account)
    await eventually(lambda: bool(ear.told) and ear.told[-1].until.mail >= last)
    assert len(ear.told) < 30
    assert ear.types == {"Email", "Mailbox", "Thread", "EmailDelivery"}
    assert ear.told[-1].states["Email"] == str(last)


async def test_a_lost_event_is_caught_up_with_the_next(site: Site) -> None:
    ear = Ear()
    await site.hub.listen(site.account, ear)
    site.store.bus.publish = lambda event: None  # type: ignore[method-assign]
    await deliver(site.store, message("lost"), site.account)
    modseq = await site.store.modseq(site.account)
    del site.store.bus.publish
    await noted(site, Kind.SCRIPT)
    await eventually(lambda: {"Email", "SieveScript"} <= ear.types)
    assert ear.told[-1].until.mail == modseq


async def test_a_lost_event_is_found_without_another(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.hub.stop()
    monkeypatch.setattr(hub_module, "LOOK", 0.1)
    site.hub.start()
    ear = Ear()
    await site.hub.listen(site.account, ear)
    site.store.bus.publish = lambda event: None  # type: ignore[method-assign]
    await deliver(site.store, message("lost"), site.account)
    del site.store.bus.publish
    await eventually(lambda: "EmailDelivery" in ear.types)


async def test_nothing_is_told_of_what_was_rolled_back(site: Site) -> None:
    ear = Ear()
    await site.hub.listen(site.account, ear)
    with pytest.raises(RuntimeError):
        async with site.directory.database.writing() as at:
            await note(at, site.account, [Change(Kind.SCRIPT, How.CREATED, "1")])
            raise RuntimeError("rolled back")
    await noted(site, Kind.IDENTITY)
    await eventually(lambda: bool(ear.types))
    assert ear.types == {"Identity"}


async def test_who_left_hears_nothing(site: Site) -> None:
    gone, stays = Ear(), Ear()
    for ear in (gone, stays):
        await site.hub.listen(site.account, ear)
    site.hub.leave(site.account, gone)
    await noted(site, Kind.SCRIPT)
    await eventually(lambda: bool(stays.told))
    assert not gone.told


async def test_points_far_back_and_ahead_get_all_types(site: Site) -> None:
    await deliver(site.store, message("one"), site.account)
    now = await site.hub.states.now(site.account)
    found = await site.hub.states.since(site.account, StatePoint(now.mail + 9, now.config + 9))
    assert {"Email", "Mailbox", "Thread", "EmailDelivery", "ContactCard"} <= found.states.keys()
    assert found.until == now
    assert not (await site.hub.states.since(site.account, now)).states


async def test_listening_at_once_is_one_watch(site: Site) -> None:
    ears = [Ear() for _ in range(20)]
    points = await asyncio.gather(*(site.hub.listen(site.account, ear) for ear in ears))
    assert len(set(points)) == 1
    await noted(site, Kind.SCRIPT)
    await eventually(lambda: all(ear.told for ear in ears))


async def test_who_shares_books_is_followed_until_nobody_listens(site: Site) -> None:
    contacts = site.directory.contacts
    owner = (await site.directory.add_account("eve@example.test", "hash")).id
    await site.store.add_account(owner)
    book = (await contacts.books.default(owner)).id
    await contacts.shares.give(owner, book, site.account, "r")
    ear, folders = Ear(), Ear(sees_all=False)
    for one in (ear, folders):
        await site.hub.listen(site.account, one)
    assert not ear.shared
    content = content_of_vcard(b"BEGIN:VCARD\nVERSION:4.0\nUID:a\nFN:A\nEND:VCARD")
    await contacts.cards.put(owner, book, "a.vcf", content)
    await eventually(lambda: any("ContactCard" in states for _, states in ear.shared))
    assert {of for of, _ in ear.shared} == {owner} and not folders.shared
    before = len(ear.shared)
    await contacts.shares.give(owner, book, site.account, "")
    await eventually(lambda: owner not in site.hub._watched)
    await contacts.cards.put(owner, book, "a.vcf", content)
    await contacts.shares.give(owner, book, site.account, "rw")
    await eventually(lambda: len(ear.shared) > before)
    for one in (ear, folders):
        site.hub.leave(site.account, one)
    assert not site.hub._watched
