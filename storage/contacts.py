"""What an account keeps of people: address books, their cards, and whom it wrote to.

Invariants: a change is one transaction with its rows of the journal, committed, then seen by
look-ups; an account has no more than contact_values' bounds; what an account has to do with an
address is looked up without SQL once it is known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from cachetools import LRUCache
from sqlalchemy import func, select

from config.clock import Clock
from storage.address_books import AddressBooks
from storage.book_shares import BookShares
from storage.cards import Cards
from storage.config_contact_tables import card, card_email, card_member
from storage.config_database import ConfigDatabase
from storage.contact_completion import Completion, complete
from storage.contact_rows import LISTED, batches, listed_of
from storage.contact_values import GroupOf, Listed, NoSuchContact, Relation
from storage.correspondents import Correspondents
from storage.directory_names import address_key
from storage.share_notices import ShareNotices
from storage.values import AccountId

IN_MEMORY = 50_000
_c, _e, _m = card.c, card_email.c, card_member.c
_GROUP = _c.kind == "group"


class Contacts:
    """Belongs to the directory, whose database it uses. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database = database
        self._relations: LRUCache[tuple[AccountId, str], Relation] = LRUCache(IN_MEMORY)
        self.books = AddressBooks(database, clock, self._changed)
        self.shares = BookShares(database, clock, self._changed)
        self.share_notices = ShareNotices(database)
        self.cards = Cards(database, clock, self._changed)
        self.correspondents = Correspondents(database, clock)
        self.changes = 0

    def _changed(self) -> None:
        self.changes += 1
        self._relations.clear()
        self.shares.forget()

    def forget(self, account: AccountId) -> None:
        """The account is gone."""
        self._changed()
        self.correspondents.forget(account)

    async def relation(self, account: AccountId, address: str) -> Relation:
        """What the account has to do with an address: contact, member of groups, correspondent."""
        key = address_key(address)
        if not key:
            return Relation()
        found = self._relations.get((account, key))
        if found is None:
            before = self.changes
            found = await self._database.finish(self._relation(account, key))
            if before == self.changes:
                self._relations[account, key] = found
        written = await self.correspondents.get(account, address)
        if written is None:
            return found
        return replace(found, written=written.count, last=written.last)

    async def _relation(self, account: AccountId, key: str) -> Relation:
        mine = (_e.account == account) & (_e.key == key)
        uids = select(_c.uid_key).join(card_email, _e.card == _c.id).where(mine)
        groups = (
            select(_c.name)
            .join(card_member, _m.card == _c.id)
            .where(_m.account == account, _m.uid_key.in_(uids), _GROUP)
        )
        async with self._database.reading() as at:
            if (await at.execute(select(_e.card).where(mine).limit(1))).first() is None:
                return Relation()
            return Relation(True, frozenset((await at.execute(groups)).scalars()))

    async def addresses(self, account: AccountId, group: str | None = None) -> list[str]:
        """The addresses of a group, or of all cards; the first of each card. Raises
        NoSuchContact.
        """
        if group is None:
            query = select(_e.address).where(_e.account == account, _e.position == 0)
            rows = await self._rows(query.order_by(_e.card))
            return list(dict.fromkeys(row.address for row in rows))
        return await self.addresses_of(account, (await self.group_named(account, group)).id)

    async def addresses_of(self, account: AccountId, group: int) -> list[str]:
        """The first address of each member of the group with that id."""
        member = (_c.account == _m.account) & (_c.uid_key == _m.uid_key)
        query = (
            select(_e.address)
            .join(card, _e.card == _c.id)
            .join(card_member, member)
            .where(_m.account == account, _m.card == group, _e.position == 0)
        )
        rows = await self._rows(query.order_by(_e.card))
        return list(dict.fromkeys(row.address for row in rows))

    async def with_address(self, account: AccountId, address: str) -> list[Listed]:
        """The cards that have it, in order of id."""
        mine = select(_e.card).where(_e.account == account, _e.key == address_key(address))
        query = select(*LISTED).where(_c.account == account, _c.id.in_(mine))
        return [listed_of(row) for row in await self._rows(query.order_by(_c.id))]

    async def strangers(self, account: AccountId, addresses: Iterable[str]) -> list[str]:
        """Those of the addresses that no card has, each once, in their order."""
        keys = {key: one for one in addresses if (key := address_key(one))}
        known: set[str] = set()
        for some in batches(list(keys)):
            query = select(_e.key).where(_e.account == account, _e.key.in_(some))
            known.update(row.key for row in await self._rows(query))
        return [one for key, one in keys.items() if key not in known]

    async def groups(self, account: AccountId) -> list[GroupOf]:
        """In order of name."""
        count = select(func.count()).where(_m.card == _c.id).correlate(card).scalar_subquery()
        query = select(_c.id, _c.name, count).where(_c.account == account, _GROUP)
        found = [GroupOf(*row) for row in await self._rows(query)]
        return sorted(found, key=lambda one: (one.name, one.id))

    async def group_named(self, account: AccountId, name: str) -> GroupOf:
        """Raises NoSuchContact."""
        query = select(_c.id, _c.name).where(_c.account == account, _GROUP, _c.name == name)
        rows = await self._rows(query.order_by(_c.id).limit(1))
        if not rows:
            raise NoSuchContact(f"There is no group {name!r}")
        return GroupOf(rows[0].id, name, 0)

    async def complete(
        self, account: AccountId, text: str, limit: int = 10, *, seen: bool = True
    ) -> list[Completion]:
        """Addresses by what is typed of them or of a name; see storage/contact_completion.py."""
        return await complete(self._database, account, text, limit, seen=seen)

    async def _rows(self, query: Any) -> Sequence[Any]:
        return await self._database.finish(self._read(query))

    async def _read(self, query: Any) -> Sequence[Any]:
        async with self._database.reading() as at:
            return (await at.execute(query)).all()
