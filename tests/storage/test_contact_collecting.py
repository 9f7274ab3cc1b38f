"""Contacts made of whom accounts write to: where they prefer it, and each once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from config.logging import get_logger
from message.jscontact import emails_of
from net.threads import Offload
from storage.contact_collecting import ContactCollector
from storage.contact_exchange import SEEN, ContactExchange
from storage.contact_service import ContactService
from storage.directory import Directory
from storage.preferences import COLLECT_CONTACTS
from storage.values import AccountId
from tests.support.directories import make_settings, open_directory, own_database

ADA, BOB = "ada@example.test", "bob@example.test"


@pytest.fixture
def offload() -> Iterator[Offload]:
    made = Offload(processes=1)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as url,
        open_directory(make_settings(tmp_path, url)) as opened,
    ):
        yield opened


@pytest.fixture
def exchange(directory: Directory, offload: Offload) -> ContactExchange:
    return ContactExchange(ContactService(directory.contacts, offload), offload)


async def seen(directory: Directory, account: AccountId) -> list[str]:
    """The addresses in the book of whom the account wrote to."""
    books = [one for one in await directory.contacts.books.all(account) if one.slug == SEEN.slug]
    cards = directory.contacts.cards
    found = [
        address
        for book in books
        async for one in cards.stored(account, book.id)
        for address in emails_of(one.content.card())
    ]
    return sorted(found)


async def test_whom_an_account_writes_to_becomes_a_contact_once(
    directory: Directory, exchange: ContactExchange
) -> None:
    ada, bob = [(await directory.add_account(one, "hash")).id for one in (ADA, BOB)]
    await exchange._service.add_address(ada, "tom@x.test")
    collector = ContactCollector(directory, exchange, get_logger("contacts"))
    collector.start()
    met = directory.contacts.correspondents
    await directory.preferences.set(ada, COLLECT_CONTACTS, value=True)
    for account in (ada, bob):
        met.met(account, ["Ann@x.test", "tom@x.test", "no address"])
    await met.close()  # writes what waits
    await until(directory, ada, ["Ann@x.test"])
    met.met(ada, ["ann@X.test", "eve@x.test"])
    await met.close()
    await until(directory, ada, ["Ann@x.test", "eve@x.test"])
    assert await exchange.collect(ada) == 0 and await seen(directory, bob) == []
    await directory.preferences.set(ada, COLLECT_CONTACTS, None)
    met.met(ada, ["off@x.test"])
    await met.close()
    await collector.stop()
    assert await seen(directory, ada) == ["Ann@x.test", "eve@x.test"]


async def test_two_that_collect_at_once_add_each_once(
    directory: Directory, exchange: ContactExchange
) -> None:
    ada = (await directory.add_account(ADA, "hash")).id
    addresses = [f"{n}@x.test" for n in range(300)]
    added = await asyncio.gather(*(exchange.collect(ada, addresses) for _ in range(3)))
    assert sum(added) == 300
    assert await seen(directory, ada) == sorted(addresses)


async def test_an_account_that_goes_meanwhile_stops_nothing(
    directory: Directory, exchange: ContactExchange
) -> None:
    ada, bob = [(await directory.add_account(one, "hash")).id for one in (ADA, BOB)]
    for account in (ada, bob):
        await directory.preferences.set(account, COLLECT_CONTACTS, value=True)
    collector = ContactCollector(directory, exchange, get_logger("contacts"))
    collector.start()
    met = directory.contacts.correspondents
    met.met(bob, ["ann@x.test"])
    await met.close()
    await directory.delete_account(ADA)
    collector._written(ada, "late@x.test")
    met.met(bob, ["eve@x.test"])
    await met.close()
    await until(directory, bob, ["ann@x.test", "eve@x.test"])
    await collector.stop()


async def until(directory: Directory, account: AccountId, wanted: list[str]) -> None:
    async with asyncio.timeout(10):
        while await seen(directory, account) != wanted:  # noqa: ASYNC110 - rows tell nobody
            await asyncio.sleep(0.01)
