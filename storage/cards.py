"""The cards of address books: rows of config.db.

Invariants: a change is one transaction with its row of the journal, and has a modseq of its own;
what it replaced is kept; what is put as it is there already changes nothing; a card that leaves a
book leaves a row for ever, so that every state of a client can be brought up to date; a UID is in
an account once (RFC 9610 §3), however a card comes there.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from message.jscontact import Card, uid_key
from storage.card_reader import CardReader
from storage.config_contact_tables import card
from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, note
from storage.contact_limits import prune_history, refuse_more, refuse_uids
from storage.contact_rows import (
    BATCH,
    LISTED,
    batches,
    card_columns,
    find_book,
    keep_version,
    listed_of,
    locked,
    remove_index,
    touch_book,
    write_gone,
    write_index,
)
from storage.contact_values import (
    ANY,
    Conflict,
    ContactExists,
    Content,
    Listed,
    NoSuchContact,
    Wanted,
    check_card,
    check_href,
    etag_of,
)
from storage.values import AccountId

T = TypeVar("T")
_c = card.c


@dataclass(frozen=True, slots=True)
class Put:
    """What a put did: `made` a card that was not there, `same` nothing."""

    card: Listed
    made: bool = False
    same: bool = False


class Cards(CardReader):
    """Belongs to storage/contacts.py; `changed` is called after each change. Every call raises
    StoreUnavailable; books and cards of other accounts are not there.
    """

    def __init__(self, database: ConfigDatabase, clock: Clock, changed: Callable[[], None]) -> None:
        super().__init__(database)
        self._clock, self._changed = clock, changed

    async def put(
        self,
        account: AccountId,
        book: int,
        href: str,
        content: Content,
        wanted: Wanted = ANY,
    ) -> Put:
        """A card under a name, in place of what is there. Raises NoSuchContact (the book),
        BadContact, Conflict, ContactExists (another card has the UID),
        TooManyContacts, NoSuchAccount.
        """
        made = self._checked(href, content)
        return await self._changing(self._put(account, book, href, content, made, wanted))

    async def add_all(
        self, account: AccountId, book: int, contents: Sequence[tuple[str, Content]]
    ) -> list[Listed]:
        """New cards by their hrefs, all in one transaction or none. Raises as put."""
        cards = [(href, one, self._checked(href, one)) for href, one in contents]
        return await self._changing(self._add_all(account, book, cards))

    async def change(
        self,
        account: AccountId,
        number: int,
        content: Content | None = None,
        *,
        place: tuple[int, str] | None = None,
        wanted: Wanted = ANY,
        over: Wanted | None = None,
    ) -> Put:
        """The card with that id: other content, or another book and href ("" leaves it), or both.
        `over`: what is at that place goes if it is as wanted. Raises as put, Conflict also when the
        href is taken.
        """
        if place is not None and place[1]:
            check_href(place[1])
        made = None if content is None else check_card(content)
        work = self._change(account, number, content, made, place, wanted, over)
        return await self._changing(work)

    async def delete(
        self, account: AccountId, book: int, href: str, wanted: Wanted = ANY
    ) -> Listed:
        """What was there. Raises NoSuchContact, Conflict, NoSuchAccount."""
        where = (_c.book == book) & (_c.href == href)
        return await self._changing(self._delete(account, where, wanted))

    async def delete_id(self, account: AccountId, number: int, wanted: Wanted = ANY) -> Listed:
        """As delete."""
        return await self._changing(self._delete(account, _c.id == number, wanted))

    def _checked(self, href: str, content: Content) -> Card:
        check_href(href)
        return check_card(content)

    async def _changing(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._database.finish(work)
        finally:
            self._changed()

    async def _put(
        self,
        account: AccountId,
        book: int,
        href: str,
        content: Content,
        made: Card,
        wanted: Wanted,
    ) -> Put:
        async with self._database.writing() as at:
            modseq = await locked(at, account) + 1
            await find_book(at, account, book)
            query = select(*LISTED, _c.jscontact).where(_c.book == book, _c.href == href)
            row = (await at.execute(query)).first()
            present = None if row is None else listed_of(row)
            _check(present, wanted)
            if row is not None and present is not None:
                if _equal(row, content):
                    return Put(present, same=True)
                return Put(await self._replace(at, account, present, content, made, modseq))
            await refuse_uids(at, account, [str(made["uid"])])
            (one,) = await self._insert(at, account, book, [(href, content, made)], modseq)
            return Put(one, made=True)

    async def _replace(
        self,
        at: AsyncConnection,
        account: AccountId,
        present: Listed,
        content: Content,
        made: Card,
        modseq: int,
    ) -> Listed:
        if uid_key(str(made["uid"])) != uid_key(present.uid):
            raise ContactExists("The UID of a card stays", present.href, present.book)
        grown = len(content.raw) - present.octets
        await refuse_more(at, account, 0, max(grown, 0))
        now = self._clock.now()
        await keep_version(at, present.id, modseq, now)
        values = {**card_columns(content, made, etag_of(content.raw)), "modseq": modseq}
        await at.execute(update(card).where(_c.id == present.id).values(**values, changed=now))
        await remove_index(at, present.id)
        await write_index(at, account, [(present.id, made)])
        await touch_book(at, present.book, modseq, 0, grown)
        await note(at, account, [Change(Kind.CARD, How.UPDATED, str(present.id))])
        await prune_history(at, account, modseq, now)
        return await _read(at, present.id)

    async def _insert(
        self,
        at: AsyncConnection,
        account: AccountId,
        book: int,
        cards: Sequence[tuple[str, Content, Card]],
        modseq: int,
    ) -> list[Listed]:
        octets = sum(len(content.raw) for _, content, _ in cards)
        await refuse_more(at, account, len(cards), octets)
        now, rows = self._clock.now(), []
        for place, (href, content, made) in enumerate(cards):
            values = card_columns(content, made, etag_of(content.raw))
            values |= {"account": account, "book": book, "href": href, "created": now}
            values |= {"changed": now, "born": modseq + place, "modseq": modseq + place}
            rows.append(values)
        made_rows = insert(card).returning(_c.id, sort_by_parameter_order=True)
        ids = list((await at.execute(made_rows, rows)).scalars())
        await write_index(at, account, list(zip(ids, [one[2] for one in cards], strict=True)))
        await touch_book(at, book, modseq + len(cards) - 1, len(cards), octets)
        await note(at, account, [Change(Kind.CARD, How.CREATED, str(one)) for one in ids])
        found: list[Listed] = []
        for some in batches(ids):
            query = select(*LISTED).where(_c.id.in_(some)).order_by(_c.id)
            found += [listed_of(row) for row in await at.execute(query)]
        return found

    async def _add_all(
        self, account: AccountId, book: int, cards: Sequence[tuple[str, Content, Card]]
    ) -> list[Listed]:
        async with self._database.writing() as at:
            modseq = await locked(at, account) + 1
            await find_book(at, account, book)
            taken = {href for href, _, _ in cards}
            if len(taken) != len(cards):
                raise ContactExists("Two cards have one name")
            for some in batches(sorted(taken), BATCH):
                query = select(_c.href).where(_c.book == book, _c.href.in_(some))
                if (found := (await at.execute(query)).scalar()) is not None:
                    raise ContactExists(f"There is a card {found} already", found, book)
            await refuse_uids(at, account, [str(made["uid"]) for _, _, made in cards])
            return await self._insert(at, account, book, cards, modseq)

    async def _change(
        self,
        account: AccountId,
        number: int,
        content: Content | None,
        made: Card | None,
        place: tuple[int, str] | None,
        wanted: Wanted,
        over: Wanted | None,
    ) -> Put:
        async with self._database.writing() as at:
            modseq = await locked(at, account) + 1
            where = (_c.account == account) & (_c.id == number)
            row = (await at.execute(select(*LISTED, _c.jscontact).where(where))).first()
            if row is None:
                raise NoSuchContact("There is no such contact")
            before = present = listed_of(row)
            _check(present, wanted)
            if place is not None and over is not None:
                taken = (_c.book == place[0]) & (_c.href == place[1]) & (_c.id != number)
                modseq += await self._drop(at, account, taken, over, modseq) is not None
            if place is not None:
                present = await self._move(at, account, present, place, modseq)
                modseq += present is not before
            if content is None or made is None or _equal(row, content):
                return Put(present, same=present is before)
            return Put(await self._replace(at, account, present, content, made, modseq))

    async def _move(
        self,
        at: AsyncConnection,
        account: AccountId,
        present: Listed,
        place: tuple[int, str],
        modseq: int,
    ) -> Listed:
        book, href = place[0], place[1] or present.href
        await find_book(at, account, book)
        if (present.book, present.href) == (book, href):
            return present
        query = select(_c.id).where(_c.book == book, _c.href == href)
        if (await at.execute(query)).first() is not None:
            raise Conflict(f"There is a card {href} already")
        values = {"book": book, "href": href, "modseq": modseq}
        await at.execute(update(card).where(_c.id == present.id).values(values))
        await write_gone(at, account, present, modseq)
        await touch_book(at, present.book, modseq, -1, -present.octets)
        await touch_book(at, book, modseq, 1, present.octets)
        await note(at, account, [Change(Kind.CARD, How.UPDATED, str(present.id))])
        return await _read(at, present.id)

    async def _delete(
        self, account: AccountId, where: ColumnElement[bool], wanted: Wanted
    ) -> Listed:
        async with self._database.writing() as at:
            modseq = await locked(at, account) + 1
            went = await self._drop(at, account, where, wanted, modseq)
            if went is None:
                raise NoSuchContact("There is no such contact")
            return went

    async def _drop(
        self,
        at: AsyncConnection,
        account: AccountId,
        where: ColumnElement[bool],
        wanted: Wanted,
        modseq: int,
    ) -> Listed | None:
        """What was there, None for nothing."""
        mine = (_c.account == account) & where
        row = (await at.execute(select(*LISTED).where(mine))).first()
        present = None if row is None else listed_of(row)
        _check(present, wanted)
        if present is None:
            return None
        now = self._clock.now()
        await keep_version(at, present.id, modseq, now)
        await write_gone(at, account, present, modseq)
        await at.execute(delete(card).where(_c.id == present.id))
        await touch_book(at, present.book, modseq, -1, -present.octets)
        await note(at, account, [Change(Kind.CARD, How.DELETED, str(present.id))])
        await prune_history(at, account, modseq, now)
        return present


def _check(present: Listed | None, wanted: Wanted) -> None:
    if wanted.absent and present is not None:
        raise Conflict("The card is there already")
    if wanted.etag is None:
        return
    if present is None:
        raise Conflict("The card is not there")
    if wanted.etag not in ("*", present.etag):
        raise Conflict("The card was changed since")


async def _read(at: AsyncConnection, number: int) -> Listed:
    return listed_of((await at.execute(select(*LISTED).where(_c.id == number))).one())


def _equal(row: Any, content: Content) -> bool:
    """Whether the row says the same already."""
    same: bool = row.etag == etag_of(content.raw) and row.jscontact == content.text
    return same
