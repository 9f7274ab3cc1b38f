"""Address books and cards: byte for byte, under preconditions, with what changed and what was."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from net.threads import Offload
from storage import address_books, contact_limits, contact_rows, contact_values
from storage.config_journal import Change, How, Kind, modseq_of
from storage.contact_service import ContactService, content_of_vcard
from storage.contact_values import (
    BadContact,
    Book,
    BookNotEmpty,
    Conflict,
    ContactExists,
    NoSuchContact,
    TooManyContacts,
    Wanted,
)
from storage.directory import Directory
from storage.errors import NoSuchAccount
from storage.values import AccountId
from tests.support.config_journal import changes_after
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

ADA, BOB = "ada@example.test", "bob@example.test"


def vcard(uid: str, name: str = "Ann", more: str = "") -> bytes:
    """As a client writes it: no order of ours, line ends of its own."""
    return f"BEGIN:VCARD\nVERSION:3.0\nN:{name};;;;\nFN:{name}\n{more}UID:{uid}\nEND:VCARD".encode()


@pytest.fixture
def offload() -> Iterator[Offload]:
    made = Offload(processes=1)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as url,
        open_directory(make_settings(tmp_path, url), MovedClock()) as opened,
    ):
        yield opened


@pytest.fixture
async def ada(directory: Directory) -> AccountId:
    return (await directory.add_account(ADA, "hash")).id


@pytest.fixture
def service(directory: Directory, offload: Offload) -> ContactService:
    return ContactService(directory.contacts, offload)


async def hrefs(service: ContactService, account: AccountId, book: int) -> list[str]:
    return [one.href async for one in service.cards.listed(account, book)]


async def test_an_account_has_a_default_book_and_others(
    service: ContactService, ada: AccountId
) -> None:
    (first,) = await service.books.all(ada)
    assert (first.name, first.slug, first.standard, first.cards) == (
        "Contacts",
        "default",
        True,
        0,
    )
    work = await service.books.add(
        ada, Book("Work", "work", "of the office", "#ff0000", properties={"{x:}a": "1"})
    )
    assert await service.books.get(ada, work.id) == work
    assert await service.books.named(ada, "work") == work
    with pytest.raises(ContactExists):
        await service.books.add(ada, Book("Again", "work"))
    changed = await service.books.change(ada, replace(work, name="Office", standard=True))
    assert (changed.name, changed.slug, changed.standard) == ("Office", "work", True)
    assert changed.modseq > work.modseq and changed.changed >= changed.modseq
    assert (await service.books.default(ada)).id == work.id
    assert await service.books.change(ada, changed) == changed, "nothing changed"
    await service.put_vcard(ada, work.id, "a.vcf", vcard("a"))
    with pytest.raises(BookNotEmpty):
        await service.books.delete(ada, work.id, contents=False)
    await service.books.delete(ada, work.id)
    assert (await service.books.default(ada)).id == first.id
    for missing in (
        service.books.delete(ada, work.id),
        service.books.change(ada, work),
        service.books.get(ada, work.id),
        service.put_vcard(ada, work.id, "b.vcf", vcard("b")),
        service.cards.changes(ada, work.id, 0),
    ):
        with pytest.raises(NoSuchContact):
            await missing
    await service.books.delete(ada, first.id)
    (again,) = await service.books.all(ada)
    assert again.standard and again.id > work.id, "no id is given twice"
    for wrong in (Book(""), Book("a\nb"), Book("a", "b/c"), Book("a", ".."), Book("a" * 300)):
        with pytest.raises(BadContact):
            await service.books.add(ada, wrong)


async def test_a_vcard_comes_back_byte_for_byte(service: ContactService, ada: AccountId) -> None:
    book = (await service.books.default(ada)).id
    raw = vcard("a", "Ann", "X-ODD;x=1:yes\nEMAIL;TYPE=work:ann@world.test\n")
    put = await service.put_vcard(ada, book, "a.vcf", raw)
    assert put.made and not put.same
    (found,) = await service.cards.by_href(ada, book, ["a.vcf", "missing.vcf"])
    assert (found.content.raw, found.content.version) == (raw, "3.0")
    assert found.listed == put.card and found.content.card()["name"]["full"] == "Ann"
    again = await service.put_vcard(ada, book, "a.vcf", raw)
    assert again.same and again.card == put.card
    same = await service.change(ada, put.card.id, lambda card: dict(card))
    assert same.same and (await service.cards.get(ada, put.card.id)).content.raw == raw
    edited = await service.change(ada, put.card.id, lambda card: {**card, "keywords": {"k": True}})
    assert edited.card.etag != put.card.etag and edited.card.modseq > put.card.modseq
    text = (await service.cards.get(ada, put.card.id)).content.raw.decode()
    assert "VERSION:3.0\r\n" in text and "X-ODD;X=1:yes\r\n" in text and "CATEGORIES:k" in text
    assert (await service.books.get(ada, book)).cards == 1


async def test_preconditions_and_names(service: ContactService, ada: AccountId) -> None:
    book = (await service.books.default(ada)).id
    one = (await service.put_vcard(ada, book, "a.vcf", vcard("a"))).card
    for conflict in (
        service.put_vcard(ada, book, "a.vcf", vcard("a"), Wanted(absent=True)),
        service.put_vcard(ada, book, "a.vcf", vcard("a", "B"), Wanted("other")),
        service.put_vcard(ada, book, "b.vcf", vcard("b"), Wanted("*")),
        service.cards.delete(ada, book, "a.vcf", Wanted("other")),
        service.cards.delete(ada, book, "b.vcf", Wanted("other")),
    ):
        with pytest.raises(Conflict):
            await conflict
    with pytest.raises(ContactExists) as refused:
        await service.put_vcard(ada, book, "b.vcf", vcard("URN:UUID:A"))
    assert (refused.value.href, refused.value.book) == ("a.vcf", book)
    other = (await service.books.add(ada, Book("Other"))).id
    with pytest.raises(ContactExists):
        await service.put_vcard(ada, other, "a.vcf", vcard("a"))
    content = content_of_vcard(vcard("a"))
    with pytest.raises(ContactExists):
        await service.cards.add_all(ada, other, [("a.vcf", content)])
    with pytest.raises(ContactExists):
        await service.put_vcard(ada, book, "a.vcf", vcard("b"))
    for wrong in (b"", b"BEGIN:VCARD\nFN:a\nEND:VCARD", vcard("a") + b"\n" + vcard("b")):
        with pytest.raises(BadContact):
            await service.put_vcard(ada, book, "c.vcf", wrong)
    for href in ("", "a/b", "..", "x" * 300, "a\0"):
        with pytest.raises(BadContact):
            await service.put_vcard(ada, book, href, vcard("c"))
    two = await service.put_vcard(ada, book, "a.vcf", vcard("a", "B"), Wanted(one.etag))
    assert two.card.id == one.id and two.card.etag != one.etag
    await service.cards.delete(ada, book, "a.vcf", Wanted(two.card.etag))
    with pytest.raises(NoSuchContact):
        await service.cards.delete(ada, book, "a.vcf")
    assert (await service.put_vcard(ada, book, "a.vcf", vcard("a"))).made


async def test_a_state_of_any_age_is_brought_up_to_date(
    service: ContactService, directory: Directory, ada: AccountId
) -> None:
    book = (await service.books.default(ada)).id
    other = (await service.books.add(ada, Book("Other"))).id
    start = await service.cards.changes(ada, book, 0)
    assert start.changed == () and start.gone == ()
    a, b, c = [
        (await service.put_vcard(ada, book, f"{n}.vcf", vcard(n))).card for n in ("a", "b", "c")
    ]
    middle = await service.cards.changes(ada, book, start.modseq)
    assert middle.changed == (a, b, c) and middle.gone == ()
    await service.cards.delete(ada, book, "a.vcf")
    moved = await service.cards.change(ada, b.id, place=(other, ""))
    assert (moved.card.id, moved.card.href) == (b.id, "b.vcf")
    await service.put_vcard(ada, book, "d.vcf", vcard("d"))
    await service.cards.delete(ada, book, "d.vcf")
    again = (await service.put_vcard(ada, book, "a.vcf", vcard("a"))).card
    end = await service.cards.changes(ada, book, middle.modseq)
    assert (end.changed, [one.href for one in end.gone]) == ((again,), ["b.vcf"])
    whole = await service.cards.changes(ada, book, 0)
    assert [one.href for one in whole.changed] == ["c.vcf", "a.vcf"] and whole.gone == ()
    assert [one.href for one in (await service.cards.changes(ada, other, 0)).changed] == ["b.vcf"]
    assert (await service.books.get(ada, book)).changed == again.modseq
    async with directory.database.reading() as at:
        told = await changes_after(at, ada, middle.modseq)
        assert await modseq_of(at, ada) == end.modseq
    assert told == [
        Change(Kind.CARD, How.DELETED, str(a.id)),
        Change(Kind.CARD, How.UPDATED, str(b.id)),
        *(Change(Kind.CARD, how, str(again.id - 1)) for how in (How.CREATED, How.DELETED)),
        Change(Kind.CARD, How.CREATED, str(again.id)),
    ]
    await service.cards.delete(ada, book, "c.vcf")
    last = await service.cards.changes(ada, book, end.modseq)
    assert last.changed == () and [one.href for one in last.gone] == ["c.vcf"]


async def test_no_card_that_is_gone_goes_untold(service: ContactService, ada: AccountId) -> None:
    """One that left several books before takes no place of another."""
    book = (await service.books.default(ada)).id
    other = (await service.books.add(ada, Book("Other"))).id
    a, b = [(await service.put_vcard(ada, book, f"{n}.vcf", vcard(n))).card for n in ("a", "b")]
    for place in (other, book, other, book):
        await service.cards.change(ada, a.id, place=(place, ""))
    for one in (a, b):
        await service.cards.delete_id(ada, one.id)
    first = await service.cards.became(ada, b.modseq, 1)
    assert (first.destroyed, first.has_more) == ((a.id,), True)
    rest = await service.cards.became(ada, first.until, 1)
    assert (rest.destroyed, rest.has_more) == ((b.id,), False)
    whole = await service.cards.became(ada, b.modseq, 3)
    assert (whole.destroyed, whole.has_more) == ((a.id, b.id), False)


async def test_what_was_replaced_is_kept(
    service: ContactService, ada: AccountId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_rows, "KEPT_VERSIONS", 3)
    book = (await service.books.default(ada)).id
    for n in range(6):
        put = await service.put_vcard(ada, book, "a.vcf", vcard("a", f"Ann {n}"))
    await service.cards.delete(ada, book, "a.vcf")
    kept = await service.cards.versions(ada, put.card.id)
    assert [one.content.raw for one in kept] == [vcard("a", f"Ann {n}") for n in (5, 4, 3)]
    restored = await service.restore(ada, kept[0].id)
    assert (restored.card.href, restored.card.book, restored.made) == ("a.vcf", book, True)
    older = (await service.cards.versions(ada, put.card.id))[-1]
    back = await service.restore(ada, older.id)
    assert (back.card.id, back.made) == (restored.card.id, False)
    assert (await service.cards.get(ada, back.card.id)).content.raw == older.content.raw
    await service.books.delete(ada, book)
    lost = await service.cards.replaced(ada, 0)
    home = await service.restore(ada, lost[0].id)
    assert home.card.book == (await service.books.default(ada)).id, "the book is gone"


async def test_the_history_is_bounded(
    service: ContactService, ada: AccountId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_limits, "_EVERY", 1)
    monkeypatch.setattr(contact_limits, "HISTORY_OCTETS", 3 * len(vcard("a")))
    book = (await service.books.default(ada)).id
    for n in "abcdef":
        await service.put_vcard(ada, book, n, vcard(n))
        await service.cards.delete(ada, book, n)
    assert [one.href for one in await service.cards.replaced(ada, 0)] == ["f", "e", "d"]


async def test_cards_of_others_are_not_there(
    service: ContactService, directory: Directory, ada: AccountId
) -> None:
    bob = (await directory.add_account(BOB, "hash")).id
    book = (await service.books.default(ada)).id
    put = await service.put_vcard(ada, book, "a.vcf", vcard("a"))
    mine = (await service.books.default(bob)).id
    for missing in (
        service.cards.get(bob, put.card.id),
        service.cards.changes(bob, book, 0),
        service.put_vcard(bob, book, "a.vcf", vcard("a", "Eve")),
        service.cards.change(bob, put.card.id, place=(mine, "")),
        service.cards.change(ada, put.card.id, place=(mine, "")),
        service.cards.delete(bob, book, "a.vcf"),
        service.cards.delete_id(bob, put.card.id),
        service.books.delete(bob, book),
    ):
        with pytest.raises(NoSuchContact):
            await missing
    await service.cards.delete(ada, book, "a.vcf")
    kept = await service.cards.versions(ada, put.card.id)
    assert await service.cards.versions(bob, put.card.id) == []
    with pytest.raises(NoSuchContact):
        await service.restore(bob, kept[0].id)
    assert await service.cards.by_href(bob, book, ["a.vcf"]) == []
    assert await hrefs(service, bob, book) == []
    await directory.delete_account(ADA)
    with pytest.raises(NoSuchAccount):
        await service.books.all(ada)


async def test_many_at_once_are_all_or_none(
    service: ContactService, ada: AccountId, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = (await service.books.default(ada)).id
    cards = [(f"{n}.vcf", content_of_vcard(vcard(f"{n}"))) for n in range(50)]
    added = await service.cards.add_all(ada, book, cards)
    assert [one.modseq for one in added] == list(range(added[0].modseq, added[0].modseq + 50))
    assert len(await hrefs(service, ada, book)) == 50
    more = [(f"x{n}.vcf", content_of_vcard(vcard(f"x{n}"))) for n in range(5)]
    for twice in ([*more, cards[0]], [*more, ("y", cards[0][1])], [*more, ("z", more[0][1])]):
        with pytest.raises(ContactExists):
            await service.cards.add_all(ada, book, twice)
    monkeypatch.setattr(contact_limits, "MAX_CARDS", 52)
    with pytest.raises(TooManyContacts):
        await service.cards.add_all(ada, book, more)
    monkeypatch.setattr(contact_limits, "MAX_ALL_OCTETS", 50 * len(vcard("00")) + 10)
    with pytest.raises(TooManyContacts):
        await service.put_vcard(ada, book, "0.vcf", vcard("0", "x" * 500))
    monkeypatch.setattr(contact_values, "MAX_OCTETS", 400)
    with pytest.raises(BadContact):
        await service.put_vcard(ada, book, "0.vcf", vcard("0", "x" * 500))
    monkeypatch.setattr(address_books, "MAX_BOOKS", 1)
    with pytest.raises(TooManyContacts):
        await service.books.add(ada, Book("One more"))
    assert len(await hrefs(service, ada, book)) == 50
    assert (await service.books.get(ada, book)).cards == 50
