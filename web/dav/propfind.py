"""PROPFIND, PROPPATCH and MKCOL: properties of what is there, and new address books (RFC 4918 §9.1
to §9.3, RFC 5689).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from storage.contact_values import BadContact, Book, ContactExists, TooManyContacts
from storage.contacts import Contacts
from web.dav.answers import NO_STORE, minimal, multistatus, preferred, streamed, xml
from web.dav.asking import Asking
from web.dav.errors import DavError
from web.dav.headers import Depth, depth_of
from web.dav.multistatus import response_of
from web.dav.names import ADDRESSBOOK, COLLECTION, COLOUR, DESCRIPTION, DISPLAYNAME, C, D
from web.dav.paths import Kind
from web.dav.properties import LIVE
from web.dav.request import Asked, MkCol, Update, parse_mkcol, parse_propfind, parse_proppatch
from web.dav.resources import Resource
from web.dav.tree import SHARED, Tree, writable
from web.dav.xml_write import href, propstat, tag, written

PRINCIPAL_ADDRESS: Final = C + "principal-address"
_FIELDS: Final[Mapping[str, str]] = {
    DISPLAYNAME: "name",
    DESCRIPTION: "description",
    COLOUR: "colour",
}
_PROTECTED: Final = D + "cannot-modify-protected-property"


class Collections:
    """Properties and books."""

    def __init__(self, contacts: Contacts, tree: Tree) -> None:
        self._contacts, self._tree = contacts, tree

    async def propfind(self, asking: Asking) -> Response:
        """Raises DavError, StoreError."""
        depth = depth_of(asking.header("depth"), Depth.INFINITY)
        asked = parse_propfind(await asking.body())
        resource = await self._tree.find(asking.path, asking.user)
        if resource.kind is Kind.ROOT and asking.request.url.path == "/":
            resource = replace(resource, href="/")
        is_leaf = resource.kind in (Kind.CARD, Kind.PRINCIPAL)
        if depth is Depth.INFINITY and not is_leaf:
            raise DavError(403, D + "propfind-finite-depth")
        if PRINCIPAL_ADDRESS in asked.names and resource.kind is Kind.PRINCIPAL:
            resource = await self._tree.with_own_card(resource)
        brief = minimal(asking.request)
        if depth is Depth.ZERO or is_leaf:
            said = response_of(resource, asked, minimal=brief)
            return multistatus(said, preferred(asking.request))
        parts = self._with_members(resource, asked, minimal=brief)
        return streamed(parts, preferred(asking.request))

    async def _with_members(
        self, resource: Resource, asked: Asked, *, minimal: bool
    ) -> AsyncIterator[str]:
        yield response_of(resource, asked, minimal=minimal)
        groups = resource.seen is not None and resource.seen.shows_groups == "yes"
        async for member in self._tree.members(resource, groups=groups):
            yield response_of(member, asked, minimal=minimal)

    async def proppatch(self, asking: Asking) -> Response:
        """All of the changes or none. Raises DavError, StoreError."""
        updates = parse_proppatch(await asking.body())
        resource = await self._tree.find(asking.path, asking.user)
        writable(resource, "write-properties")
        if resource.kind is not Kind.BOOK or resource.seen is None or not resource.seen.mine:
            statuses = [(one.name, 403, "") for one in updates]
            return multistatus(_patched(resource.href, statuses))
        statuses = _statuses(updates)
        if all(status == 200 for _, status, _ in statuses):
            seen = resource.seen
            made = replace(seen, book=_updated(seen.book, updates, seen.book.slug))
            groups = made.shows_groups == "yes" != seen.shows_groups
            try:
                await self._contacts.books.change(seen.owner, made.book, groups=groups)
            except BadContact as bad:
                raise DavError(403, detail=str(bad)) from None
        return multistatus(_patched(resource.href, statuses))

    async def mkcol(self, asking: Asking) -> Response:
        """A new book. Raises DavError, StoreError."""
        path = asking.path
        made = parse_mkcol(await asking.body())
        if path.kind is not Kind.BOOK or path.user != asking.user.number:
            raise await self._nowhere(asking)
        if any(seen.slug == path.book for seen in await self._tree.books(asking.user)):
            raise DavError(405, detail="there is an address book of that name")
        home = replace(path, kind=Kind.HOME, book="")
        writable(await self._tree.find(home, asking.user), "bind")
        if path.book.startswith(SHARED):
            raise DavError(403, C + "addressbook-collection-location-ok", "a name of shared books")
        if made.types != {COLLECTION, ADDRESSBOOK}:
            raise DavError(403, D + "valid-resourcetype", "only address books")
        return await self._made(asking, made)

    async def _made(self, asking: Asking, made: MkCol) -> Response:
        statuses = _statuses(made.updates)
        if any(status != 200 for _, status, _ in statuses):
            return xml(D + "mkcol-response", _propstats(statuses), 403)
        slug = asking.path.book
        book = _updated(Book(slug, slug), made.updates, slug)
        try:
            await self._contacts.books.add(asking.user.account, book)
        except ContactExists:
            raise DavError(405, detail="there is an address book of that name") from None
        except BadContact as bad:
            raise DavError(403, detail=str(bad)) from None
        except TooManyContacts as many:
            raise DavError(507, detail=str(many)) from None
        return Response(status_code=201, headers=NO_STORE)

    async def _nowhere(self, asking: Asking) -> DavError:
        """Why there can be no collection at the path."""
        try:
            await self._tree.find(asking.path, asking.user)
        except DavError:
            return DavError(403, C + "addressbook-collection-location-ok", "not in your home")
        return DavError(405, detail="there is something already")


def _statuses(updates: Sequence[Update]) -> list[tuple[str, int, str]]:
    """What becomes of each, and the precondition that failed. One that fails fails the others
    (RFC 4918 §9.2.1).
    """
    wrong = [one.name for one in updates if one.name in LIVE and one.name not in _FIELDS]
    if not wrong:
        return [(one.name, 200, "") for one in updates]
    return [
        (one.name, 403, _PROTECTED) if one.name in wrong else (one.name, 424, "") for one in updates
    ]


def _updated(book: Book, updates: Sequence[Update], slug: str) -> Book:
    """In order: what is set last stays."""
    properties = dict(book.properties)
    for one in updates:
        field = _FIELDS.get(one.name)
        text = "" if one.value is None else one.value.text.strip()
        if field is not None:
            text = text or (slug if field == "name" else "")
            book = replace(book, **{field: text})  # type: ignore[arg-type]
        elif one.value is None:
            properties.pop(one.name, None)
        else:
            properties[one.name] = written(one.value)
    return replace(book, properties=properties)


def _patched(path: str, statuses: Sequence[tuple[str, int, str]]) -> str:
    return tag(D + "response", href(path) + _propstats(statuses))


def _propstats(statuses: Sequence[tuple[str, int, str]]) -> str:
    kinds = dict.fromkeys((status, condition) for _, status, condition in statuses)
    return "".join(
        propstat(
            status,
            [tag(name) for name, *rest in statuses if tuple(rest) == (status, condition)],
            condition,
        )
        for status, condition in kinds
    )
