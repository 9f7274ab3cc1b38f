"""Address books that accounts share with others.

Rights are letters: `r` the book and its cards are seen, `w` cards are changed, `a` it is shared
with others, `x` the book itself is changed and removed. Its owner has all of them.
Invariants: a change is one transaction with its rows of the journals of both accounts; shares go
with the book and with the account that it is shared with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_contact_tables import address_book, address_book_share
from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, note
from storage.config_schema import account as accounts
from storage.contact_rows import book_of, find_book
from storage.contact_values import BadContact, Book, NoSuchContact, TooManyContacts
from storage.share_notices import ShareNotice, tell
from storage.values import AccountId

ALL: Final = "rwax"
IN_MEMORY: Final = 10_000
MAX_SHARES: Final = 500
"""Accounts that one book may be shared with."""
_b, _s = address_book.c, address_book_share.c


@dataclass(frozen=True, slots=True)
class SharedBook:
    """A book of `owner`, whose address is `address`, that somebody else sees; `subscribed`: and
    wants to.
    """

    owner: AccountId
    address: str
    book: Book
    rights: str
    subscribed: bool = False


class BookShares:
    """Belongs to storage/contacts.py. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase, clock: Clock, changed: Callable[[], None]) -> None:
        self._database, self._clock, self._changed = database, clock, changed
        self._seen: LRUCache[AccountId, tuple[SharedBook, ...]] = LRUCache(IN_MEMORY)
        self._generation = 0

    def forget(self) -> None:
        """Books or shares changed."""
        self._generation += 1
        self._seen.clear()

    async def of(self, owner: AccountId, book: int) -> Mapping[AccountId, str]:
        """Whom a book is shared with, with what rights. Raises NoSuchContact."""
        return await self._database.finish(self._of(owner, book))

    async def seen_by(self, account: AccountId) -> Sequence[SharedBook]:
        """The books of others that an account sees, in order of id; no SQL once it is known."""
        found = self._seen.get(account)
        if found is None:
            before = self._generation
            found = tuple(await self._database.finish(self._seen_by(account)))
            if before == self._generation:
                self._seen[account] = found
        return found

    async def give(
        self,
        owner: AccountId,
        book: int,
        grantee: AccountId,
        rights: str,
        by: AccountId | None = None,
    ) -> None:
        """These rights in place of those that there were, "" for none; `by` who gives them, if
        that is not the owner. The grantee is told. Raises NoSuchContact,
        BadContact, TooManyContacts, NoSuchAccount.
        """
        if not set(rights) <= set(ALL) or (rights and "r" not in rights) or grantee == owner:
            raise BadContact("A book is shared with another account, by r and w, a or x beside it")
        kept = "".join(letter for letter in ALL if letter in rights)
        try:
            await self._database.finish(self._give(owner, book, grantee, kept, by or owner))
        finally:
            self._changed()

    async def subscribe(
        self, owner: AccountId, book: int, grantee: AccountId, *, subscribed: bool
    ) -> None:
        """The grantee wants to see the book, or not. Raises NoSuchContact, NoSuchAccount."""
        try:
            await self._database.finish(self._subscribe(owner, book, grantee, subscribed))
        finally:
            self._changed()

    async def _subscribe(
        self, owner: AccountId, book: int, grantee: AccountId, subscribed: bool
    ) -> None:
        mine = (_s.book == book) & (_s.account == grantee)
        async with self._database.writing() as at:
            await note(at, owner, [Change(Kind.BOOK, How.UPDATED, str(book))])
            await find_book(at, owner, book)
            done = update(address_book_share).where(mine).values(subscribed=subscribed)
            if not (await at.execute(done)).rowcount:
                raise NoSuchContact("The address book is not shared any more")

    async def _of(self, owner: AccountId, book: int) -> Mapping[AccountId, str]:
        async with self._database.reading() as at:
            await find_book(at, owner, book)
            return await _shares(at, book)

    async def _seen_by(self, account: AccountId) -> list[SharedBook]:
        query = (
            select(address_book, _s.rights, _s.subscribed.label("wanted"), accounts.c.address)
            .join(address_book_share, _s.book == _b.id)
            .join(accounts, accounts.c.id == _b.account)
            .where(_s.account == account)
            .order_by(_b.id)
        )
        async with self._database.reading() as at:
            rows = (await at.execute(query)).all()
        return [
            SharedBook(AccountId(row.account), row.address, book_of(row), row.rights, row.wanted)
            for row in rows
        ]

    async def _give(
        self, owner: AccountId, book: int, grantee: AccountId, rights: str, by: AccountId
    ) -> None:
        async with self._database.writing() as at:
            for account in sorted((owner, grantee)):  # in one order, as they are locked
                await note(at, account, [Change(Kind.BOOK, How.UPDATED, str(book))])
            name = (await find_book(at, owner, book)).name
            present = await _shares(at, book)
            if rights and grantee not in present and len(present) >= MAX_SHARES:
                raise TooManyContacts(f"A book is shared with at most {MAX_SHARES} accounts")
            mine = (_s.book == book) & (_s.account == grantee)
            if not rights:
                await at.execute(delete(address_book_share).where(mine))
            elif grantee in present:
                await at.execute(update(address_book_share).where(mine).values(rights=rights))
            else:
                values = {"book": book, "account": grantee, "rights": rights}
                await at.execute(insert(address_book_share).values(values))
            if (old := present.get(grantee, "")) != rights:
                now = self._clock.now()
                notice = ShareNotice(0, now, owner, by, book, name, old, rights)
                await tell(at, grantee, notice)


async def _shares(at: AsyncConnection, book: int) -> Mapping[AccountId, str]:
    query = select(_s.account, _s.rights).where(_s.book == book).order_by(_s.account)
    return {AccountId(row.account): row.rights for row in await at.execute(query)}
