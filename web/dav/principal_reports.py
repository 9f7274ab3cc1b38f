"""Reports about principals (RFC 3744 §9) and expand-property (RFC 3253 §3.8).

The one principal that a user finds is their own: who else has an account is nobody's business.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from starlette.responses import Response

from web.dav.answers import minimal, multistatus, streamed, xml
from web.dav.asking import Asking
from web.dav.errors import DavError
from web.dav.headers import Depth, depth_of
from web.dav.multistatus import response_of
from web.dav.names import CS, DISPLAYNAME, PROP, C, D
from web.dav.paths import Kind, principal
from web.dav.properties import property_of
from web.dav.report_request import (
    AclPrincipals,
    Expand,
    PrincipalMatch,
    PrincipalSearch,
    PrincipalSearchSet,
)
from web.dav.request import Asked
from web.dav.resources import Resource
from web.dav.tree import Tree
from web.dav.xml_write import escape, href, propstat, tag

_SEARCHED: Final = {
    DISPLAYNAME: lambda user: user.name,
    CS + "email-address-set": lambda user: user.address,
}
_DESCRIBED: Final = {DISPLAYNAME: "Name", CS + "email-address-set": "Address"}
_TO_PRINCIPAL: Final = ("current-user-principal", "owner", "principal-URL")
_LINKS: Final[Mapping[str, Callable[[Resource], str]]] = {
    **{D + name: lambda resource: resource.principal for name in _TO_PRINCIPAL},
    D + "owner": lambda resource: resource.owner,
    C + "addressbook-home-set": lambda resource: resource.home,
}
"""Properties with the href of a resource."""


class PrincipalReports:
    """Every call raises DavError, StoreError."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def match(self, asking: Asking, resource: Resource, report: PrincipalMatch) -> Response:
        """DAV:principal-match: the principal itself, or what names it in a property."""
        _depth_zero(asking)
        if report.by:
            return streamed(self._matching(asking, resource, report))
        inside = resource.kind in (Kind.ROOT, Kind.PRINCIPALS, Kind.PRINCIPAL)
        found = [await self._principal(resource)] if inside else []
        return self._told(asking, report.asked, found)

    async def _matching(
        self, asking: Asking, resource: Resource, report: PrincipalMatch
    ) -> AsyncIterator[str]:
        """Members at any depth, of any number."""
        brief, link = minimal(asking.request), _LINKS.get(report.by)
        if link is None:
            return
        async for one in self._tree.members(resource, groups=True):
            has_link = property_of(one, report.by) is not None
            yield (
                response_of(one, report.asked, minimal=brief)
                if has_link and link(one) == one.principal
                else ""
            )
            async for said in self._matching(asking, one, report):
                yield said

    async def search(self, asking: Asking, resource: Resource, report: PrincipalSearch) -> Response:
        """DAV:principal-property-search."""
        _depth_zero(asking)
        user = resource.user
        tests: list[bool] = []
        for names, text in report.searches:
            values = [_SEARCHED[name](user) for name in names if name in _SEARCHED]
            known = bool(names) and len(values) == len(names)
            tests.append(known and all(text.casefold() in one.casefold() for one in values))
        is_found = any(tests) if report.any_of else all(tests)
        inside = report.everywhere or resource.kind in (Kind.ROOT, Kind.PRINCIPALS)
        found = [await self._principal(resource)] if is_found and inside else []
        return self._told(asking, report.asked, found)

    async def search_set(
        self, asking: Asking, _resource: Resource, _report: PrincipalSearchSet
    ) -> Response:
        """DAV:principal-search-property-set."""
        _depth_zero(asking)
        content = "".join(
            tag(
                D + "principal-search-property",
                tag(PROP, tag(name)) + tag(D + "description", escape(text), {"xml:lang": "en"}),
            )
            for name, text in _DESCRIBED.items()
        )
        return xml(D + "principal-search-property-set", content)

    async def of_acl(self, asking: Asking, resource: Resource, report: AclPrincipals) -> Response:
        """DAV:acl-principal-prop-set: of the principals in the list those that may be known."""
        _depth_zero(asking)
        return self._told(asking, report.asked, [await self._principal(resource)])

    async def expand(self, asking: Asking, resource: Resource, report: Expand) -> Response:
        """DAV:expand-property."""
        return multistatus(await self._expanded(resource, report))

    async def _expanded(self, resource: Resource, wanted: Expand) -> str:
        found: list[str] = []
        missing: list[str] = []
        for name, inner in wanted.properties:
            value = property_of(resource, name)
            link = _LINKS.get(name)
            if value is None:
                missing.append(tag(name))
            elif inner.properties and link is not None:
                found.append(tag(name, await self._linked(link(resource), resource, inner)))
            else:
                found.append(value)
        said = propstat(200, found) if found or not missing else ""
        said += propstat(404, missing) if missing else ""
        return tag(D + "response", href(resource.href) + said)

    async def _linked(self, path: str, resource: Resource, inner: Expand) -> str:
        try:
            return await self._expanded(await self._tree.at(path, resource.user), inner)
        except DavError:
            return href(path)

    async def _principal(self, resource: Resource) -> Resource:
        return await self._tree.at(principal(resource.user.number), resource.user)

    def _told(self, asking: Asking, asked: Asked, found: list[Resource]) -> Response:
        brief = minimal(asking.request)
        return multistatus("".join(response_of(one, asked, minimal=brief) for one in found))


def _depth_zero(asking: Asking) -> None:
    """Raises DavError."""
    if depth_of(asking.header("depth"), Depth.ZERO) is not Depth.ZERO:
        raise DavError(400, detail="Depth of this report is 0")
