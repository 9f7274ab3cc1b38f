"""GET, PUT and DELETE of cards, and DELETE of books (RFC 4918 §9.4 to §9.7, RFC 6352 §6.3).

What is put comes back octet for octet; what a change replaces is kept by the store.
"""

import re
from dataclasses import replace
from email.utils import formatdate
from typing import Final

from starlette.responses import Response

from net.threads import Offload, Pool
from storage.contact_values import (
    MAX_OCTETS,
    BadContact,
    Conflict,
    ContactExists,
    Content,
    NoSuchContact,
    TooManyContacts,
    Wanted,
)
from storage.contacts import Contacts
from web.dav.answers import NO_STORE
from web.dav.asking import Asking
from web.dav.card_text import content_of, needs_work, shown
from web.dav.conditions import told_tag
from web.dav.errors import DavError, absent
from web.dav.headers import Depth, depth_of
from web.dav.names import C
from web.dav.paths import Kind, card_in
from web.dav.properties import CARD_TYPE
from web.dav.request import VERSIONS, CardData
from web.dav.resources import GROUPS, Resource, Seen
from web.dav.tree import Tree, writable
from web.dav.xml_write import href, tag
from web.json_body import BadBody

_VERSION: Final = re.compile(r';\s*version\s*=\s*"?([0-9.]+)"?', re.IGNORECASE)
_CHARSETS: Final = ("", "utf-8", "utf8", "us-ascii")
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^;"\s]+)"?', re.IGNORECASE)
TYPES: Final = ("text/vcard", "text/x-vcard", "text/directory", "application/octet-stream", "")


class CardMethods:
    """Of single cards."""

    def __init__(self, contacts: Contacts, tree: Tree, offload: Offload) -> None:
        self._contacts, self._tree, self._offload = contacts, tree, offload

    async def get(self, asking: Asking) -> Response:
        """In the version that Accept names, or as it was put. Raises DavError, StoreError."""
        resource = await self._tree.find(asking.path, asking.user)
        if resource.kind is not Kind.CARD:
            raise DavError(405, detail="only cards can be fetched")
        stored = await self._tree.card(resource.seen, asking.path.card)
        listed, wanted = stored.listed, CardData(_accepted(asking.header("accept")))
        other = needs_work(listed.version, wanted)
        etag = told_tag(listed.etag, wanted.version) if other else listed.etag
        headers = {
            "ETag": f'"{etag}"',
            "Last-Modified": formatdate(listed.changed, usegmt=True),
            "Cache-Control": "private, no-cache",
            "Vary": "Accept",
        }
        asking.conditions.check_match(etag)
        if not asking.conditions.modified(etag):
            return Response(status_code=304, headers=headers)
        data = stored.content.raw
        if other:
            data = await self._offload.run(Pool.MIME, shown, stored.content, wanted)
        return Response(data, headers=headers, media_type=CARD_TYPE)

    async def put(self, asking: Asking) -> Response:
        """Raises DavError, StoreError."""
        if asking.path.kind is not Kind.CARD:
            raise DavError(405, detail="only cards can be put")
        if asking.header("content-range") is not None:
            raise DavError(400, detail="a card is put whole")
        book = await self._parent(asking)
        writable(book, "write-content")
        _check_type(asking.header("content-type") or "")
        try:
            data = await asking.body(MAX_OCTETS)
        except BadBody as bad:
            if bad.status != 413:
                raise
            raise DavError(403, C + "max-resource-size") from None
        content = await self._offload.run(Pool.MIME, content_of, data)
        return await self.store(asking, book, asking.path.card, content)

    async def store(
        self,
        asking: Asking,
        book: Resource,
        name: str,
        content: Content,
        wanted: Wanted | None = None,
    ) -> Response:
        """Puts a card into a book; `wanted` in place of the request's conditions."""
        seen = book.seen
        assert seen is not None
        if wanted is None:
            wanted = await self._conditions(asking, seen, name)
        try:
            done = await self._contacts.cards.put(seen.owner, seen.book.id, name, content, wanted)
        except Conflict:
            raise DavError(412) from None
        except NoSuchContact:
            raise DavError(409, detail="the address book is gone") from None
        except ContactExists as known:
            here = known.href and known.book == seen.book.id
            inside = href(card_in(book.href, known.href)) if here else ""
            raise DavError(409, C + "no-uid-conflict", inside=inside) from None
        except TooManyContacts as many:
            raise DavError(507, "{DAV:}quota-not-exceeded", str(many)) from None
        except BadContact as bad:
            raise DavError(403, C + "valid-address-data", str(bad)) from None
        if done.card.kind == "group":
            await self._show_groups(seen)
        headers = NO_STORE | {"ETag": f'"{done.card.etag}"'}
        return Response(status_code=201 if done.made else 204, headers=headers)

    async def delete(self, asking: Asking) -> Response:
        """A card, or a book with its cards. Raises DavError, StoreError."""
        resource = await self._tree.find(asking.path, asking.user)
        seen = resource.seen
        if seen is None:
            raise DavError(403, detail="that is the server's own")
        writable(resource, "unbind")
        if resource.card is None:
            return await self._delete_book(asking, seen)
        etag = resource.card.etag
        asking.conditions.check(etag)
        try:
            wanted = asking.conditions.wanted(etag)
            await self._contacts.cards.delete(seen.owner, seen.book.id, asking.path.card, wanted)
        except Conflict:
            raise DavError(412) from None
        except NoSuchContact:
            raise absent() from None
        return Response(status_code=204, headers=NO_STORE)

    async def _delete_book(self, asking: Asking, seen: Seen) -> Response:
        if not seen.mine:
            raise DavError(403, detail="that is another's")
        if depth_of(asking.header("depth"), Depth.INFINITY) is not Depth.INFINITY:
            raise DavError(400, detail="Depth of a collection is infinity")
        asking.conditions.check(None)
        try:
            await self._contacts.books.delete(seen.owner, seen.book.id)
        except NoSuchContact:
            raise absent() from None
        return Response(status_code=204, headers=NO_STORE)

    async def _parent(self, asking: Asking) -> Resource:
        """The book of the path. Raises DavError: 409 where it is missing (RFC 4918 §9.7.1)."""
        try:
            return await self._tree.find(replace(asking.path, kind=Kind.BOOK), asking.user)
        except DavError as error:
            if error.status != 404:
                raise
            raise DavError(409, detail="there is no such address book") from None

    async def _conditions(self, asking: Asking, seen: Seen, name: str) -> Wanted:
        there = await self._tree.cards(seen, [name])
        etag = there[0].listed.etag if there else None
        asking.conditions.check(etag)
        return asking.conditions.wanted(etag)

    async def _show_groups(self, seen: Seen) -> None:
        """Somebody's client keeps groups in the book: from then on they are listed, unless its
        owner said otherwise.
        """
        if not seen.shows_groups and seen.mine:
            book = await self._contacts.books.get(seen.owner, seen.book.id)
            properties = {GROUPS: tag(GROUPS, "yes"), **book.properties}
            book = replace(book, properties=properties)
            await self._contacts.books.change(seen.owner, book, groups=True)


def _accepted(value: str | None) -> str:
    """The version of vCard that Accept wants, "" for any. Raises DavError."""
    versions: list[str] = []
    for part in (value or "").split(","):
        kind, _, params = part.partition(";")
        if kind.strip().lower() != "text/vcard":
            continue
        found = _VERSION.search(";" + params)
        if found is None:
            return ""
        versions.append(found[1])
    if not versions:
        return ""
    known = [version for version in versions if version in VERSIONS]
    if not known:
        raise DavError(406, C + "supported-address-data-conversion")
    return known[0]


def _check_type(value: str) -> None:
    """Raises DavError."""
    kind = value.partition(";")[0].strip().lower()
    version, charset = _VERSION.search(value), _CHARSET.search(value)
    known = version is None or version[1] in VERSIONS
    if kind not in TYPES or not known:
        raise DavError(403, C + "supported-address-data", f"not {value}")
    if charset is not None and charset[1].lower() not in _CHARSETS:
        raise DavError(403, C + "valid-address-data", "cards are UTF-8")
