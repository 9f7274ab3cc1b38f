"""Files of contacts in and out, duplicates made one, collected addresses, completion."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from message.contact_csv import Columns, NotCsv, read_csv, write_csv
from message.jscontact import emails_of, full_name
from net.threads import Offload
from storage.cards import Put
from storage.contact_exchange import ContactExchange, Format, Imported
from storage.contact_service import ContactService
from storage.contact_values import BadContact, Book, Conflict, NoSuchContact
from storage.directory import Directory
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

ADA = "ada@example.test"
VCARDS = b"""BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;Eva
FN:Eva
EMAIL;INTERNET:eva@world.test
END:VCARD
BEGIN:VCARD
VERSION:4.0
UID:tom
FN:Tom Noor
EMAIL:tom@world.test
X-ODD:kept
END:VCARD
"""
GOOGLE = b"""First Name,Last Name,Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,\
Phone 1 - Value,Address 1 - Label,Address 1 - Street,Address 1 - City,Birthday
Ann,Noor,* myContacts ::: Friends,* Home,ann@home.test ::: ann@work.test,Mobile,+49 1,Cottage,\
"1 St, 2",Town,1985-04-12
"""
OUTLOOK = """\ufeffFirst Name,Last Name,E-mail Address,E-mail 2 Address,Business Phone,Company,\
Job Title,Business City,Categories
Bo,Lee,bo@world.test,lee@world.test,+1 2,"A, B",Boss,Rome,x;y
""".encode()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as url,
        open_directory(make_settings(tmp_path, url), MovedClock()) as opened,
    ):
        yield opened


@pytest.fixture
def offload() -> Iterator[Offload]:
    made = Offload(processes=1)
    yield made
    made.close()


@pytest.fixture
async def ada(directory: Directory) -> AccountId:
    return (await directory.add_account(ADA, "hash")).id


@pytest.fixture
def service(directory: Directory, offload: Offload) -> ContactService:
    return ContactService(directory.contacts, offload)


@pytest.fixture
def exchange(service: ContactService, offload: Offload) -> ContactExchange:
    return ContactExchange(service, offload)


async def test_files_are_read_once_and_written(
    exchange: ContactExchange, service: ContactService, ada: AccountId
) -> None:
    book = (await service.books.default(ada)).id
    for data, count in ((VCARDS, 2), (GOOGLE, 1), (OUTLOOK, 1)):
        assert await exchange.read(ada, book, data) == Imported(added=count)
        assert await exchange.read(ada, book, data) == Imported(same=count)
    changed = VCARDS.replace(b"Tom Noor", b"Thomas")
    assert await exchange.read(ada, book, changed) == Imported(changed=1, same=1)
    other = (await service.books.add(ada, Book("Other"))).id
    assert await exchange.read(ada, other, VCARDS) == Imported(changed=1, same=1)
    assert await exchange.read(ada, other, changed) == Imported(changed=1, same=1)
    cards = [one.content.card() async for one in service.cards.stored(ada, book)]
    assert {full_name(card) for card in cards} == {"Eva", "Thomas", "Ann Noor", "Bo Lee"}
    whole = await exchange.write(ada, Format.VCARD)
    assert whole.count(b"BEGIN:VCARD") == 4 and b"X-ODD:kept\r\n" in whole
    third = await exchange.write(ada, Format.VCARD, book, "3.0")
    assert third.count(b"VERSION:3.0") == 4
    for kind in (Format.GOOGLE, Format.OUTLOOK):
        again = list(read_csv(await exchange.write(ada, kind)))
        assert {emails_of(card) for card in again} == {emails_of(card) for card in cards}
        assert {full_name(card) for card in again} >= {"Thomas", "Ann Noor", "Bo Lee"}
    for wrong in (b"", b"a,b\n1,2\n", b"BEGIN:VCARD\n"):
        with pytest.raises(BadContact):
            await exchange.read(ada, book, wrong)


def test_columns_of_google_and_outlook() -> None:
    (ann,) = read_csv(GOOGLE)
    assert ann["emails"] == {
        "1": {"address": "ann@home.test", "contexts": {"private": True}},
        "2": {"address": "ann@work.test", "contexts": {"private": True}},
    }
    assert ann["phones"]["1"] == {"number": "+49 1", "features": {"mobile": True}}
    assert ann["addresses"]["1"]["label"] == "Cottage"
    assert ann["keywords"] == {"Friends": True}
    assert ann["anniversaries"]["1"]["date"]["year"] == 1985
    (bo,) = read_csv(OUTLOOK)
    assert bo["phones"]["1"] == {"number": "+1 2", "contexts": {"work": True}}
    assert bo["organizations"]["1"]["name"] == "A, B" and bo["keywords"] == {"x": True, "y": True}
    assert bo["addresses"]["1"]["contexts"] == {"work": True}
    for columns in Columns:
        (again,) = read_csv(write_csv([ann], columns))
        for name in ("name", "phones", "anniversaries", "keywords"):
            assert again[name] == ann[name], (columns, name)
    with pytest.raises(NotCsv):
        list(read_csv(b"x,y\n"))


async def test_duplicates_become_one(
    exchange: ContactExchange, service: ContactService, directory: Directory, ada: AccountId
) -> None:
    first = await service.add_address(ada, "ann@home.test", "Ann Noor")
    work = {"1": {"address": "ANN@work.test"}, "2": {"address": "Ann@home.test"}}
    phone = {"1": {"number": "+1"}}
    other = await service.add(ada, {"emails": work, "phones": phone, "keywords": {"x": True}})
    third = await service.add(
        ada, {"name": {"full": "Noor Ann"}, "nicknames": {"1": {"name": "A"}}}
    )
    alone = await service.add_address(ada, "tom@world.test", "Tom")
    await service.join(ada, "Team", [other.card.uid, third.card.uid, alone.listed.uid])
    (ids,) = await exchange.duplicates(ada)
    assert ids == [first.listed.id, other.card.id, third.card.id]
    assert await exchange.merge(ada, ids) == first.listed.id
    card = (await service.cards.get(ada, first.listed.id)).content.card()
    assert emails_of(card) == ("ann@home.test", "ANN@work.test")
    assert card["phones"] == phone and card["keywords"] == {"x": True} and card["nicknames"]
    assert await exchange.duplicates(ada) == []
    contacts = directory.contacts
    assert (await contacts.relation(ada, "ann@work.test")).groups == {"Team"}
    (team,) = await contacts.groups(ada)
    assert team.members == 2
    kept = await service.cards.versions(ada, other.card.id)
    assert (await service.restore(ada, kept[0].id)).made
    for wrong in ([first.listed.id], [first.listed.id, 99_999]):
        with pytest.raises(NoSuchContact):
            await exchange.merge(ada, wrong)


async def test_a_card_that_changes_while_it_is_merged_stays(
    exchange: ContactExchange,
    service: ContactService,
    ada: AccountId,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, other = [await service.add_address(ada, f"{n}@x.test", n) for n in ("ann", "bo")]
    change = service.change

    async def changing(account: AccountId, number: int, *args: Any) -> Put:
        note = {"notes": {"1": {"note": "new"}}}
        await change(account, other.listed.id, lambda card: {**card, **note})
        return await change(account, number, *args)

    monkeypatch.setattr(service, "change", changing)
    with pytest.raises(Conflict):
        await exchange.merge(ada, [first.listed.id, other.listed.id])
    assert "notes" in (await service.cards.get(ada, other.listed.id)).content.card()


async def test_completion(
    exchange: ContactExchange, service: ContactService, directory: Directory, ada: AccountId
) -> None:
    contacts = directory.contacts
    for number in range(30):
        await service.add_address(ada, f"u{number}@world.test", f"Ulla {number:02}")
    await service.add_address(ada, "angela@far.test", "Angéla Über")
    await service.join(ada, "Angling club", ["x"])
    contacts.correspondents.met(ada, ["u7@world.test"] * 3 + ["anglers@sea.test", "50%@sea.test"])
    await contacts.correspondents.close()

    async def names(text: str, limit: int = 10) -> list[str]:
        found = await contacts.complete(ada, text, limit)
        return [one.address or one.name for one in found]

    assert (await names("ull"))[0] == "u7@world.test" and len(await names("ull")) == 10
    assert await names("ANGÉ ub") == ["angela@far.test"] == await names("angela@f")
    assert set(await names("ang")) == {"angela@far.test", "Angling club", "anglers@sea.test"}
    assert await contacts.complete(ada, "anglers", seen=False) == []
    for nothing in ("", "  ", "zz", "@", "%%", "ulla zz"):
        assert await names(nothing) == []
    assert await names("ulla", 0) == []
    bob = (await directory.add_account("bob@example.test", "hash")).id
    assert await contacts.complete(bob, "ull") == []
    assert await exchange.collect(ada) == 2 and await exchange.collect(ada) == 0
    seen = await service.books.named(ada, "seen")
    assert (seen.name, seen.cards) == ("Seen", 2)
    (found,) = await contacts.complete(ada, "anglers")
    assert found.card and found.written == 1
