"""COPY and MOVE of cards, within a book or to another (RFC 4918 §9.8, §9.9; RFC 6352 §6.3.2.1).

Books stay where they are: their names are part of what clients know them by.
"""

from dataclasses import replace

from starlette.responses import Response

from storage.contact_values import Conflict, NoSuchContact, Stored, Wanted
from storage.contacts import Contacts
from web.dav.answers import NO_STORE
from web.dav.asking import Asking
from web.dav.cards import CardMethods
from web.dav.errors import DavError, absent
from web.dav.headers import destination_of, overwrites
from web.dav.names import C
from web.dav.paths import Kind, Path, parse_path
from web.dav.resources import Resource, Seen
from web.dav.tree import Tree, writable


class Moving:
    """Both methods."""

    def __init__(self, contacts: Contacts, tree: Tree, cards: CardMethods) -> None:
        self._contacts, self._tree, self._cards = contacts, tree, cards

    async def copy(self, asking: Asking) -> Response:
        """Raises DavError, StoreError."""
        source, stored = await self._source(asking)
        path, book, there = await self._target(asking, source)
        wanted = Wanted(absent=True) if there is None else Wanted(there.listed.etag)
        return await self._cards.store(asking, book, path.card, stored.content, wanted)

    async def move(self, asking: Asking) -> Response:
        """Raises DavError, StoreError."""
        source, stored = await self._source(asking)
        writable(source, "unbind")
        path, book, there = await self._target(asking, source)
        assert source.seen is not None and book.seen is not None
        if source.seen.owner != book.seen.owner:
            wanted = Wanted(absent=True) if there is None else Wanted(there.listed.etag)
            answer = await self._cards.store(asking, book, path.card, stored.content, wanted)
            await self._delete(source.seen, stored, Wanted(stored.listed.etag))
            return answer
        await self._move(stored, book, path.card, there)
        return Response(status_code=201 if there is None else 204, headers=NO_STORE)

    async def _move(self, stored: Stored, book: Resource, name: str, there: Stored | None) -> None:
        assert book.seen is not None
        owner, number = book.seen.owner, stored.listed.id
        try:
            place = (book.seen.book.id, name)
            wanted = Wanted(stored.listed.etag)
            over = None if there is None else Wanted(there.listed.etag)
            await self._contacts.cards.change(owner, number, place=place, wanted=wanted, over=over)
        except Conflict:
            raise DavError(412) from None
        except NoSuchContact:
            raise absent() from None

    async def _delete(self, seen: Seen, stored: Stored, wanted: Wanted) -> None:
        try:
            await self._contacts.cards.delete(seen.owner, seen.book.id, stored.listed.href, wanted)
        except Conflict:
            raise DavError(412) from None
        except NoSuchContact:
            return

    async def _source(self, asking: Asking) -> tuple[Resource, Stored]:
        source = await self._tree.find(asking.path, asking.user)
        if source.kind is Kind.BOOK:
            raise DavError(403, C + "addressbook-collection-location-ok", "books stay")
        if source.kind is not Kind.CARD:
            raise DavError(403, detail="that is the server's own")
        stored = await self._tree.card(source.seen, asking.path.card)
        asking.conditions.check(stored.listed.etag)
        return source, stored

    async def _target(
        self, asking: Asking, source: Resource
    ) -> tuple[Path, Resource, Stored | None]:
        """Where it goes, the book of it, and what is there."""
        host = asking.request.url.netloc
        path = await self._destination(asking, host)
        if path.href == source.href:
            raise DavError(403, detail="source and destination are one")
        try:
            book = await self._tree.find(replace(path, kind=Kind.BOOK), asking.user)
        except DavError:
            raise DavError(409, detail="there is no such address book") from None
        writable(book, "bind")
        there = await self._tree.cards(book.seen, [path.card])
        if there and not overwrites(asking.header("overwrite")):
            raise DavError(412)
        return path, book, there[0] if there else None

    async def _destination(self, asking: Asking, host: str) -> Path:
        named = destination_of(asking.header("destination"), host)
        try:
            path = parse_path(named)
        except DavError:
            raise DavError(403, detail="cards go into address books") from None
        if path.kind is not Kind.CARD:
            raise DavError(403, detail="cards go into address books")
        return path
