"""Which resources are there for a login: its principal, its home, the books in it and their cards.

Whatever is another's and not shared is not there: 404, as what nobody has.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from storage.book_shares import SharedBook
from storage.contact_values import Book, Listed, Stored
from storage.contacts import Contacts
from storage.object_ids import account_number
from web.dav.errors import DavError, absent
from web.dav.names import D
from web.dav.paths import HOMES, PRINCIPALS, Kind, Path, home, parse_path, principal
from web.dav.resources import Resource, Seen, User
from web.dav.xml_write import href, tag

SHARED: Final = "shared-"
"""What names of books of others begin with, in the home of who sees them."""
_OF_USER = frozenset({Kind.PRINCIPAL, Kind.HOME, Kind.BOOK, Kind.CARD})


class Tree:
    """Every call raises StoreError."""

    def __init__(self, contacts: Contacts) -> None:
        self._contacts = contacts

    async def find(self, path: Path, user: User) -> Resource:
        """What is there. Raises DavError."""
        if path.kind in _OF_USER and path.user != user.number:
            raise absent()
        found = Resource(path.kind, path.href, user)
        if path.kind not in (Kind.BOOK, Kind.CARD):
            return found
        found = replace(found, seen=await self.book(user, path.book))
        if path.kind is Kind.BOOK:
            return found
        return replace(found, card=(await self.card(found.seen, path.card)).listed)

    async def at(self, href: str, user: User) -> Resource:
        """As `find`, by a path of ours."""
        return await self.find(parse_path(href), user)

    async def book(self, user: User, slug: str) -> Seen:
        """Raises DavError."""
        for seen in await self.books(user):
            if seen.slug == slug:
                return seen
        raise absent()

    async def books(self, user: User) -> list[Seen]:
        """Those in the home of a user, own ones first."""
        own = await self._contacts.books.all(user.account)
        found = [Seen(book, user.account, book.slug, user.number) for book in own]
        taken = {seen.slug for seen in found}
        shared = await self._contacts.shares.seen_by(user.account)
        for owner in dict.fromkeys(one.owner for one in shared):
            # as they stand: what is remembered of them may be older than another server's change
            books = {book.id: book for book in await self._contacts.books.all(owner)}
            seen = [_shared(one, books[one.book.id]) for one in shared if one.book.id in books]
            found += [one for one in seen if one.slug not in taken]
        return found

    async def card(self, seen: Seen | None, name: str) -> Stored:
        """With its content. Raises DavError."""
        found = await self.cards(seen, [name])
        if not found:
            raise absent()
        return found[0]

    async def cards(self, seen: Seen | None, names: list[str]) -> list[Stored]:
        """Those of the book that are there."""
        assert seen is not None
        return await self._contacts.cards.by_href(seen.owner, seen.book.id, names)

    async def listed(self, seen: Seen, *, groups: bool) -> AsyncIterator[Listed]:
        """The cards of a book; without `groups` only those of people and such."""
        async for card in self._contacts.cards.listed(seen.owner, seen.book.id):
            if groups or card.kind != "group":
                yield card

    async def members(self, resource: Resource, *, groups: bool) -> AsyncIterator[Resource]:
        """What is directly in a collection."""
        user = resource.user
        inside = {
            Kind.ROOT: ((Kind.PRINCIPALS, PRINCIPALS), (Kind.HOMES, HOMES)),
            Kind.PRINCIPALS: ((Kind.PRINCIPAL, principal(user.number)),),
            Kind.HOMES: ((Kind.HOME, home(user.number)),),
        }
        for kind, path in inside.get(resource.kind, ()):
            yield Resource(kind, path, user)
        if resource.kind is Kind.HOME:
            for seen in await self.books(user):
                path = Path(Kind.BOOK, user.number, seen.slug).href
                yield Resource(Kind.BOOK, path, user, seen)
        if resource.kind is Kind.BOOK and resource.seen is not None:
            async for card in self.listed(resource.seen, groups=groups):
                yield resource.inside(card)

    async def with_own_card(self, resource: Resource) -> Resource:
        """With the card of the user's own address, where their home has one."""
        user = resource.user
        books = {seen.book.id: seen.slug for seen in await self.books(user) if seen.mine}
        for card in await self._contacts.with_address(user.account, user.address):
            if card.kind != "group" and card.book in books:
                path = Path(Kind.CARD, user.number, books[card.book], card.href)
                return replace(resource, own_card=path.href)
        return resource


def _shared(shared: SharedBook, book: Book) -> Seen:
    """In the home of who sees it."""
    named = replace(book, name=f"{book.name} ({shared.address})")
    number, writes = account_number(shared.owner), "w" in shared.rights
    slug = f"{SHARED}{book.id}"
    return Seen(named, shared.owner, slug, number, mine=False, writes=writes)


def writable(resource: Resource, privilege: str) -> None:
    """Raises DavError: 403 that names the privilege that is missing (RFC 3744 §7.1.1)."""
    if not resource.writes:
        missing = tag(D + "privilege", tag(D + privilege))
        inside = tag(D + "resource", href(resource.href) + missing)
        raise DavError(403, D + "need-privileges", inside=inside)
