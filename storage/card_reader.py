"""Reading the cards of address books; they are changed by storage/cards.py."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from message.jscontact import uid_key
from storage.config_contact_tables import card, card_gone, card_history
from storage.config_database import ConfigDatabase
from storage.config_journal import modseq_of
from storage.contact_rows import (
    BATCH,
    LISTED,
    STORED,
    batches,
    find_book,
    listed_of,
    stored_of,
    version_of,
)
from storage.contact_values import (
    MAX_OCTETS,
    Became,
    BookChanges,
    Listed,
    NoSuchContact,
    Stored,
    Version,
    Went,
)
from storage.values import AccountId

PAGE: Final = 1_000
Column = Literal["book", "kind", "uid_key"]
Equal = Sequence[tuple[Column, int | str]]
"""Columns of a card and their values."""
_c, _g, _h = card.c, card_gone.c, card_history.c


class CardReader:
    """Every call raises StoreUnavailable; books and cards of other accounts are not there."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    async def listed(
        self, account: AccountId, book: int | None = None, after: int = 0
    ) -> AsyncIterator[Listed]:
        """The cards of a book, or of all, without their content, in order of id: those behind
        `after`.
        """
        where = _c.account == account
        if book is not None:
            where &= _c.book == book
        async for page in self._pages(where, after):
            for one in page:
                yield one

    async def among(
        self, account: AccountId, equal: Equal, books: Collection[int] | None = None
    ) -> AsyncIterator[list[Listed]]:
        """Pages of the cards in these books, or in all, whose columns have these values."""
        where = and_(_c.account == account, *(_c[name] == value for name, value in equal))
        if books is not None:
            where &= _c.book.in_(books)
        async for page in self._pages(where, 0):
            yield page

    async def texts(
        self, account: AccountId, equal: Equal, books: Collection[int] | None = None
    ) -> AsyncIterator[list[tuple[Listed, str]]]:
        """The same with their JSContact, in smaller pieces."""
        async for page in self.among(account, equal, books):
            piece: dict[int, Listed] = {}
            octets = 0
            for one in page:
                piece[one.id] = one
                octets += one.octets
                if len(piece) == BATCH or octets > MAX_OCTETS or one is page[-1]:
                    rows = await self._database.finish(self._texts(account, piece))
                    yield [(piece[number], text) for number, text in rows]
                    piece, octets = {}, 0

    async def stored(self, account: AccountId, book: int | None = None) -> AsyncIterator[Stored]:
        """The same with their content, read in pieces."""
        ids: list[int] = []
        octets = 0
        async for one in self.listed(account, book):
            ids.append(one.id)
            octets += one.octets
            if len(ids) == BATCH or octets > MAX_OCTETS:
                for found in await self.by_id(account, ids):
                    yield found
                ids, octets = [], 0
        for found in await self.by_id(account, ids):
            yield found

    async def by_href(self, account: AccountId, book: int, hrefs: Sequence[str]) -> list[Stored]:
        """Those that are there, in no order. They are in memory together: ask for few at once."""
        wheres = [
            (_c.account == account) & (_c.book == book) & _c.href.in_(some)
            for some in batches(hrefs)
        ]
        return await self._database.finish(self._where(wheres))

    async def by_id(self, account: AccountId, ids: Sequence[int]) -> list[Stored]:
        """Those that are there, in order of id. As by_href."""
        wheres = [(_c.account == account) & _c.id.in_(some) for some in batches(sorted(set(ids)))]
        found = await self._database.finish(self._where(wheres))
        return sorted(found, key=lambda one: one.listed.id)

    async def by_uid(self, account: AccountId, uid: str) -> list[Stored]:
        """In order of id."""
        where = (_c.account == account) & (_c.uid_key == uid_key(uid))
        found = await self._database.finish(self._where([where]))
        return sorted(found, key=lambda one: one.listed.id)

    async def get(self, account: AccountId, number: int) -> Stored:
        """Raises NoSuchContact."""
        found = await self.by_id(account, [number])
        if not found:
            raise NoSuchContact("There is no such contact")
        return found[0]

    async def changes(self, account: AccountId, book: int, since: int) -> BookChanges:
        """Of one book since a modseq, 0 for all of it. Raises NoSuchContact, NoSuchAccount."""
        return await self._database.finish(self._changes(account, book, since))

    async def _pages(self, where: ColumnElement[bool], after: int) -> AsyncIterator[list[Listed]]:
        while True:
            page = await self._database.finish(self._page(where, after))
            if page:
                yield page
            if len(page) < PAGE:
                return
            after = page[-1].id

    async def _texts(self, account: AccountId, ids: Collection[int]) -> Sequence[Any]:
        mine = (_c.account == account) & _c.id.in_(ids)
        async with self._database.reading() as at:
            query = select(_c.id, _c.jscontact).where(mine).order_by(_c.id)
            return (await at.execute(query)).all()

    async def _page(self, where: ColumnElement[bool], last: int) -> list[Listed]:
        query = select(*LISTED).where(where, _c.id > last)
        async with self._database.reading() as at:
            return [listed_of(row) for row in await at.execute(query.order_by(_c.id).limit(PAGE))]

    async def _where(self, wheres: Sequence[ColumnElement[bool]]) -> list[Stored]:
        found: list[Stored] = []
        async with self._database.reading() as at:
            for where in wheres:
                found += [stored_of(row) for row in await at.execute(select(*STORED).where(where))]
        return found

    async def _changes(self, account: AccountId, book: int, since: int) -> BookChanges:
        async with self._database.reading() as at:
            # first: what happens while the rest is read is told again, never left out
            modseq = await modseq_of(at, account)
            await find_book(at, account, book)
            changed = tuple([one async for one in _changed(at, book, since)])
            went = (_g.book == book) & (_g.modseq > since) & (_g.born <= since)
            there = select(_c.href).where(_c.book == book)
            query_gone = (
                select(_g.href, func.max(_g.modseq))
                .where(went, _g.card.is_not(None), _g.href.not_in(there))
                .group_by(_g.href)
                .order_by(func.max(_g.modseq))
            )
            gone = tuple(Went(*row) for row in await at.execute(query_gone))
            return BookChanges(modseq, changed, gone)

    async def became(
        self, account: AccountId, since: int, limit: int, books: Collection[int] | None = None
    ) -> Became:
        """Of at most `limit` cards in all books, or in these, since a modseq, the oldest changes
        first. Raises NoSuchAccount.
        """
        return await self._database.finish(self._became(account, since, limit, books))

    async def _became(
        self, account: AccountId, since: int, limit: int, books: Collection[int] | None
    ) -> Became:
        live = select(_c.id, _c.born, _c.modseq).where(_c.account == account, _c.modseq > since)
        there = select(_c.id).where(_c.account == account)
        if books is not None:
            live, there = live.where(_c.book.in_(books)), there.where(_c.book.in_(books))
        last = func.max(_g.modseq)  # a card may have left several books
        gone = select(_g.card, last).where(
            (_g.account == account) & (_g.modseq > since) & (_g.born <= since),
            _g.card.is_not(None) & _g.card.not_in(there),
        )
        if books is not None:
            gone = gone.where(_g.book.in_(books))
        gone = gone.group_by(_g.card).order_by(last).limit(limit + 1)
        async with self._database.reading() as at:
            until = await modseq_of(at, account)
            rows = await at.execute(live.order_by(_c.modseq).limit(limit + 1))
            found = [(modseq, number, born > since) for number, born, modseq in rows]
            lost = [(modseq, number, None) for number, modseq in await at.execute(gone)]
        told = sorted([*found, *lost], key=lambda one: one[:2])
        has_more = len(told) > limit
        if has_more:
            until = told[limit][0] - 1
            told = told[:limit]
        kinds = (True, False, None)
        ids = [tuple(number for _, number, kind in told if kind is one) for one in kinds]
        return Became(until, has_more, *ids)

    async def versions(self, account: AccountId, number: int) -> list[Version]:
        """What a card was before, the last first; of one that is deleted too."""
        where = (_h.account == account) & (_h.card == number)
        return await self._database.finish(self._versions(where))

    async def version(self, account: AccountId, number: int) -> Version:
        """Raises NoSuchContact."""
        found = await self._database.finish(
            self._versions((_h.account == account) & (_h.id == number))
        )
        if not found:
            raise NoSuchContact("That version is not kept")
        return found[0]

    async def replaced(self, account: AccountId, since: float) -> list[Version]:
        """What changes since then replaced or removed, the last first; 200 at most."""
        where = (_h.account == account) & (_h.replaced >= since)
        return await self._database.finish(self._versions(where))

    async def _versions(self, where: ColumnElement[bool]) -> list[Version]:
        query = select(card_history).where(where).order_by(_h.id.desc()).limit(200)
        async with self._database.reading() as at:
            return [version_of(row) for row in await at.execute(query)]


async def _changed(at: AsyncConnection, book: int, since: int) -> AsyncIterator[Listed]:
    """In order of modseq, in pieces, so that nothing else waits for a large book."""
    while True:
        query = select(*LISTED).where(_c.book == book, _c.modseq > since)
        rows = (await at.execute(query.order_by(_c.modseq).limit(PAGE))).all()
        for row in rows:
            yield listed_of(row)
        if len(rows) < PAGE:
            return
        since = rows[-1].modseq
