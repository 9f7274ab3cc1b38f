"""The address books of accounts: rows of config.db.

Invariants: an account that is asked for its books has one, its default one; exactly one is the
default; a change is one transaction with its row of the journal.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

from sqlalchemy import bindparam, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_contact_tables import address_book, card, card_gone, card_history
from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, note, skip
from storage.contact_rows import (
    book_columns,
    book_of,
    find_book,
    insert_book,
    locked,
    touch_book,
)
from storage.contact_values import (
    DEFAULT,
    MAX_BOOKS,
    Book,
    BookNotEmpty,
    ContactExists,
    NoSuchContact,
    TooManyContacts,
    check_book,
)
from storage.values import AccountId

_b, _c = address_book.c, card.c


class AddressBooks:
    """Belongs to storage/contacts.py; `changed` is called after each change. Every call raises
    StoreUnavailable, changes NoSuchAccount too.
    """

    def __init__(self, database: ConfigDatabase, clock: Clock, changed: Callable[[], None]) -> None:
        self._database, self._clock, self._changed = database, clock, changed

    async def all(self, account: AccountId) -> list[Book]:
        """As they are listed: by position, then name. Raises NoSuchAccount."""
        found = await self._database.finish(self._read(account))
        if not found:
            await self._database.finish(self._first(account))
            found = await self._database.finish(self._read(account))
        return sorted(found, key=lambda book: (book.position, book.name.casefold(), book.id))

    async def get(self, account: AccountId, number: int) -> Book:
        """Raises NoSuchContact."""
        return _only(one for one in await self.all(account) if one.id == number)

    async def named(self, account: AccountId, slug: str) -> Book:
        """By the last part of its URL. Raises NoSuchContact."""
        return _only(one for one in await self.all(account) if one.slug == slug)

    async def default(self, account: AccountId) -> Book:
        return _only(one for one in await self.all(account) if one.standard)

    async def add(self, account: AccountId, book: Book) -> Book:
        """Without a slug it gets one; one that is `standard` takes that from the other. Raises
        BadContact, ContactExists, TooManyContacts.
        """
        book = replace(book, slug=book.slug or str(uuid.uuid4()))
        check_book(book)
        await self.all(account)
        return await self._database.finish(self._add(account, book))

    async def change(self, account: AccountId, book: Book, *, groups: bool = False) -> Book:
        """In place of the book with its id, whose slug stays; the default book stays default until
        another becomes it. `groups`: those in it count as changed, for clients that were not shown
        them until now. Raises NoSuchContact, BadContact.
        """
        return await self._database.finish(self._change(account, book, groups))

    async def delete(self, account: AccountId, number: int, *, contents: bool = True) -> None:
        """With its cards, or without `contents` only when it has none; another becomes the default
        one. Raises NoSuchContact, BookNotEmpty.
        """
        await self._database.finish(self._delete(account, number, contents))

    async def _read(self, account: AccountId) -> list[Book]:
        async with self._database.reading() as at:
            query = select(address_book).where(_b.account == account)
            return [book_of(row) for row in await at.execute(query)]

    async def _first(self, account: AccountId) -> None:
        async with self._database.writing() as at:
            modseq = await locked(at, account) + 1
            if (await at.execute(select(_b.id).where(_b.account == account))).first() is None:
                made = await insert_book(at, account, DEFAULT, modseq)
                await note(at, account, [Change(Kind.BOOK, How.CREATED, str(made.id))])
        self._changed()

    async def _add(self, account: AccountId, book: Book) -> Book:
        async with self._database.writing() as at:
            modseq = await locked(at, account) + 1
            books = (await at.execute(select(_b.slug).where(_b.account == account))).scalars().all()
            if book.slug in books:
                raise ContactExists(f"There is an address book {book.slug} already")
            if len(books) >= MAX_BOOKS:
                raise TooManyContacts(f"An account has at most {MAX_BOOKS} address books")
            made = await insert_book(at, account, replace(book, standard=False), modseq)
            await note(at, account, [Change(Kind.BOOK, How.CREATED, str(made.id))])
            if book.standard:
                await _make_default(at, account, made.id)
                made = replace(made, standard=True)
        self._changed()
        return made

    async def _change(self, account: AccountId, book: Book, groups: bool) -> Book:
        async with self._database.writing() as at:
            modseq = await locked(at, account) + 1
            present = await find_book(at, account, book.id)
            made = replace(book, slug=present.slug, standard=present.standard, born=present.born)
            check_book(made)
            if book_columns(made) != book_columns(present):
                values = {**book_columns(made), "modseq": modseq, "changed": modseq}
                await at.execute(update(address_book).where(_b.id == book.id).values(values))
                await note(at, account, [Change(Kind.BOOK, How.UPDATED, str(book.id))])
            if book.standard and not present.standard:
                await _make_default(at, account, book.id)
            if groups:
                await _touch_groups(at, account, book.id)
            made = await find_book(at, account, book.id)
        self._changed()
        return made

    async def _delete(self, account: AccountId, number: int, contents: bool) -> None:
        async with self._database.writing() as at:
            await locked(at, account)
            present = await find_book(at, account, number)
            if present.cards and not contents:
                raise BookNotEmpty("The address book has cards")
            if present.cards:
                await self._empty(at, account, present)
            modseq = await note(at, account, [Change(Kind.BOOK, How.DELETED, str(number))])
            gone = {"book": number, "card": None, "href": present.slug, "born": present.born}
            await at.execute(insert(card_gone).values(account=account, modseq=modseq, **gone))
            await at.execute(delete(address_book).where(_b.id == number))
            if present.standard:
                first = select(func.min(_b.id)).where(_b.account == account)
                if (other := (await at.execute(first)).scalar()) is not None:
                    await _make_default(at, account, other)
        self._changed()

    async def _empty(self, at: AsyncConnection, account: AccountId, book: Book) -> None:
        """Each card that goes has a modseq of its own; the journal names one of them."""
        base = await skip(at, account, book.cards) - book.cards
        where = _c.book == book.id
        order = func.row_number().over(order_by=_c.id) + base
        gone = select(_c.account, _c.book, _c.id, _c.href, _c.born, order).where(where)
        names = ["account", "book", "card", "href", "born", "modseq"]
        await at.execute(insert(card_gone).from_select(names, gone))
        kept = ["account", "card", "book", "href", "jscontact", "raw", "version", "octets"]
        columns = (_c.account, _c.id, _c.book, _c.href, _c.jscontact, _c.raw, _c.version, _c.octets)
        old = select(*columns, order, literal(self._clock.now())).where(where)
        await at.execute(insert(card_history).from_select([*kept, "modseq", "replaced"], old))
        one = (await at.execute(select(func.min(_c.id)).where(where))).scalar_one()
        await at.execute(delete(card).where(where))
        await note(at, account, [Change(Kind.CARD, How.DELETED, str(one))])


async def _make_default(at: AsyncConnection, account: AccountId, number: int) -> None:
    """Both books change."""
    mine = (_b.account == account) & (_b.standard | (_b.id == number))
    ids = (await at.execute(select(_b.id).where(mine).order_by(_b.id))).scalars().all()
    first = await note(
        at, account, [Change(Kind.BOOK, How.UPDATED, str(one)) for one in ids]
    ) - len(ids)
    for modseq, one in enumerate(ids, first + 1):
        values = {"standard": one == number, "modseq": modseq, "changed": modseq}
        await at.execute(update(address_book).where(_b.id == one).values(values))


async def _touch_groups(at: AsyncConnection, account: AccountId, number: int) -> None:
    """Each with a modseq of its own."""
    groups = select(_c.id).where(_c.book == number, _c.kind == "group").order_by(_c.id)
    ids = (await at.execute(groups)).scalars().all()
    if not ids:
        return
    changes = [Change(Kind.CARD, How.UPDATED, str(one)) for one in ids]
    last = await note(at, account, changes)
    rows = [{"number": one, "at": modseq} for modseq, one in enumerate(ids, last - len(ids) + 1)]
    one = update(card).where(_c.id == bindparam("number")).values(modseq=bindparam("at"))
    await at.execute(one, rows)
    await touch_book(at, number, last, 0, 0)


def _only(found: Iterator[Book]) -> Book:
    book = next(iter(found), None)
    if book is None:
        raise NoSuchContact("There is no such address book")
    return book
