"""Reports about address books: addressbook-multiget, addressbook-query (RFC 6352 §8.6, §8.7) and
sync-collection (RFC 6578).

Invariants: a report is told in pieces, so that no book is in memory whole; the token of a report is
older than all that it tells, so that a change made meanwhile is told again, never left out.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from math import inf
from urllib.parse import urlsplit

from starlette.responses import Response

from net.threads import Offload, Pool
from storage.contact_values import Listed, NoSuchContact, Stored
from storage.contacts import Contacts
from web.dav.answers import minimal, preferred, streamed
from web.dav.asking import Asking
from web.dav.card_text import AS_IT_IS, found_all, needs_work, shown_all
from web.dav.errors import DavError, absent
from web.dav.headers import Depth, depth_of
from web.dav.multistatus import response_of
from web.dav.names import ADDRESS_DATA, D
from web.dav.paths import Kind, card_in, path_of
from web.dav.report_request import Multiget, Query, Sync
from web.dav.request import Asked
from web.dav.resources import Resource, token_of, token_state
from web.dav.tree import Tree
from web.dav.xml_write import gone, text_tag

AT_ONCE = 100
OF_MULTIGET = 25
"""Cards whose size is not known before they are read."""
OCTETS_AT_ONCE = 512 * 1024
_WITHIN = D + "number-of-matches-within-limits"


class BookReports:
    """Every call raises DavError, StoreError."""

    def __init__(self, contacts: Contacts, tree: Tree, offload: Offload) -> None:
        self._contacts, self._tree, self._offload = contacts, tree, offload

    async def multiget(self, asking: Asking, resource: Resource, report: Multiget) -> Response:
        if resource.kind not in (Kind.BOOK, Kind.CARD):
            raise DavError(403, D + "supported-report")
        book = await self._book(asking, resource)
        return self._streamed(asking, self._multiget(asking, book, report))

    async def query(self, asking: Asking, resource: Resource, report: Query) -> Response:
        if resource.kind not in (Kind.BOOK, Kind.CARD):
            raise DavError(403, D + "supported-report")
        if resource.kind is Kind.CARD and resource.card is not None:
            cards: AsyncIterator[Listed] = _only(resource.card)
        elif depth_of(asking.header("depth"), Depth.ZERO) is Depth.ZERO:
            cards = _each(())  # the book itself is no card (RFC 6352 §8.6)
        else:
            assert resource.seen is not None
            cards = self._tree.listed(resource.seen, groups=_groups(resource, report.asked))
        book = await self._book(asking, resource)
        return self._streamed(asking, self._query(asking, book, report, cards))

    async def sync(self, asking: Asking, resource: Resource, report: Sync) -> Response:
        if resource.kind is not Kind.BOOK or resource.seen is None:
            raise DavError(403, D + "supported-report")
        seen = resource.seen
        since = 0
        if report.token:
            state = token_state(report.token, seen.book.id)
            if state is None or state > seen.book.changed:
                # 400: Thunderbird begins anew after that, and never after 403
                raise DavError(400, D + "valid-sync-token")
            since = state
        return self._streamed(asking, await self._sync(asking, resource, report, since))

    def _streamed(self, asking: Asking, parts: AsyncIterator[str]) -> Response:
        return streamed(parts, preferred(asking.request))

    async def _book(self, asking: Asking, resource: Resource) -> Resource:
        """The book itself, or that of a card."""
        if resource.kind is Kind.BOOK:
            return resource
        return await self._tree.find(replace(asking.path, kind=Kind.BOOK), asking.user)

    async def _multiget(
        self, asking: Asking, book: Resource, report: Multiget
    ) -> AsyncIterator[str]:
        hrefs = iter(dict.fromkeys(report.hrefs))
        while some := list(islice(hrefs, OF_MULTIGET)):
            names = {href: _name_in(book, href) for href in some}
            wanted = list({name for name in names.values() if name})
            stored = {one.listed.href: one for one in await self._tree.cards(book.seen, wanted)}
            there = [
                # as the client wrote it: some compare letter by letter
                (replace(book.inside(stored[name].listed), href=urlsplit(href).path), stored[name])
                for href, name in names.items()
                if name in stored
            ]
            for said in await self._told(asking, report.asked, there):
                yield said
            for href, name in names.items():
                if name not in stored:
                    yield gone(href)

    async def _query(
        self, asking: Asking, book: Resource, report: Query, cards: AsyncIterator[Listed]
    ) -> AsyncIterator[str]:
        left = report.limit
        async for some in self._batches(cards):
            found = await self._found(book, report, some)
            cut = report.limit > 0 and len(found) > left
            found = found[:left] if cut else found
            left -= len(found)
            for said in await self._told(asking, report.asked, _inside(book, found)):
                yield said
            if cut:
                yield gone(book.href, 507, _WITHIN)
                return

    async def _found(self, book: Resource, report: Query, some: list[Listed]) -> list[Stored]:
        stored = await self._stored(book, some)
        if not report.filter.properties:
            return stored
        contents = [one.content for one in stored]
        found = await self._offload.run(Pool.MIME, found_all, contents, report.filter)
        return [one for one, is_found in zip(stored, found, strict=True) if is_found]

    async def _sync(
        self, asking: Asking, resource: Resource, report: Sync, since: int
    ) -> AsyncIterator[str]:
        seen = resource.seen
        assert seen is not None
        token = seen.token
        groups = _groups(resource, report.asked)
        if not since and not report.limit:
            cards = self._tree.listed(seen, groups=groups)
            return self._synced(asking, resource, report, cards, (), token)
        try:
            changes = await self._contacts.cards.changes(seen.owner, seen.book.id, since)
        except NoSuchContact:
            raise absent() from None
        changed = [one for one in changes.changed if groups or one.kind != "group"]
        went = changes.gone
        modseqs = [*(one.modseq for one in changed), *(one.modseq for one in went)]
        until = _until(report.limit, sorted(modseqs))
        others = [gone(card_in(resource.href, one.href)) for one in went if one.modseq <= until]
        changed, all_of_them = [one for one in changed if one.modseq <= until], len(changed)
        if len(changed) + len(others) < all_of_them + len(went):
            # the rest is told to who asks with the token (RFC 6578 §3.6)
            token = token_of(seen.book.id, int(until))
            others.append(gone(resource.href, 507, _WITHIN))
        return self._synced(asking, resource, report, _each(changed), others, token)

    async def _synced(
        self,
        asking: Asking,
        resource: Resource,
        report: Sync,
        cards: AsyncIterator[Listed],
        others: Sequence[str],
        token: str,
    ) -> AsyncIterator[str]:
        """The cards, the responses about others, and the token."""
        brief = minimal(asking.request)
        async for some in self._batches(cards):
            if ADDRESS_DATA in report.asked.names:
                stored = await self._stored(resource, some)
                for said in await self._told(asking, report.asked, _inside(resource, stored)):
                    yield said
            else:
                for one in some:
                    yield response_of(resource.inside(one), report.asked, minimal=brief)
        for said in others:
            yield said
        yield text_tag(D + "sync-token", token)

    async def _stored(self, book: Resource, some: Sequence[Listed]) -> list[Stored]:
        """With their contents, in the same order, without those that went meanwhile."""
        found = await self._tree.cards(book.seen, [one.href for one in some])
        by_name = {one.listed.href: one for one in found}
        return [by_name[one.href] for one in some if one.href in by_name]

    async def _told(
        self, asking: Asking, asked: Asked, cards: Sequence[tuple[Resource, Stored]]
    ) -> list[str]:
        brief = minimal(asking.request)
        if ADDRESS_DATA not in asked.names:
            return [response_of(resource, asked, minimal=brief) for resource, _ in cards]
        wanted = asked.card or AS_IT_IS
        raws: list[bytes] = [stored.content.raw for _, stored in cards]
        if any(needs_work(stored.listed.version, wanted) for _, stored in cards):
            contents = [stored.content for _, stored in cards]
            raws = await self._offload.run(Pool.MIME, shown_all, contents, wanted)
        return [
            response_of(resource, asked, minimal=brief, data=raw)
            for (resource, _), raw in zip(cards, raws, strict=True)
        ]

    async def _batches(self, cards: AsyncIterator[Listed]) -> AsyncIterator[list[Listed]]:
        """Few enough to be in memory together."""
        some: list[Listed] = []
        octets = 0
        async for card in cards:
            some.append(card)
            octets += card.octets
            if len(some) >= AT_ONCE or octets >= OCTETS_AT_ONCE:
                yield some
                some, octets = [], 0
        if some:
            yield some


def _groups(resource: Resource, asked: Asked) -> bool:
    """Whether cards of groups are listed: as the book says, else to who asks for vCard 4."""
    seen = resource.seen
    said = "" if seen is None else seen.shows_groups
    if said in ("yes", "no"):
        return said == "yes"
    return asked.card is not None and asked.card.version == "4.0"


def _until(limit: int, modseqs: Sequence[int]) -> float:
    """The last change that is told of those: a change of two names, of a move, is told whole."""
    return modseqs[limit - 1] if 0 < limit < len(modseqs) else inf


def _inside(book: Resource, cards: Iterable[Stored]) -> list[tuple[Resource, Stored]]:
    return [(book.inside(one.listed), one) for one in cards]


def _name_in(book: Resource, href: str) -> str:
    """The card in the book that an href names, "" for none."""
    try:
        path = path_of(href)
    except DavError:
        return ""
    if path.kind is not Kind.CARD or replace(path, kind=Kind.BOOK).href != book.href:
        return ""
    return path.card


async def _each(cards: Iterable[Listed]) -> AsyncIterator[Listed]:
    for card in cards:
        yield card


def _only(card: Listed) -> AsyncIterator[Listed]:
    return _each([card])
