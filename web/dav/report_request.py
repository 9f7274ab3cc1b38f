"""Bodies of REPORT, parsed (RFC 3253 §3.6, RFC 3744 §9, RFC 6352 §8, RFC 6578 §3). Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from web.dav.errors import DavError
from web.dav.filter import CardFilter, parse_filter
from web.dav.names import HREF, PROP, C, D
from web.dav.request import Asked, asked
from web.dav.xml_read import Element, parse_xml, size_of

MAX_HREFS: Final = 120_000
MAX_PROPERTIES: Final = 200
"""Of an expand-property, and of a principal-property-search, with what is inside."""
_LEAVES: Final = 3
_LOCAL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Multiget:
    """CARDDAV:addressbook-multiget."""

    asked: Asked
    hrefs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """CARDDAV:addressbook-query; `limit` results at most, 0 for all."""

    asked: Asked
    filter: CardFilter
    limit: int


@dataclass(frozen=True, slots=True)
class Sync:
    """DAV:sync-collection; `token` "" the first time, `limit` results at most, 0 for all."""

    asked: Asked
    token: str
    limit: int


@dataclass(frozen=True, slots=True)
class Expand:
    """DAV:expand-property: the properties by name, with what is wanted of the resources that their
    values lead to.
    """

    properties: tuple[tuple[str, "Expand"], ...]


@dataclass(frozen=True, slots=True)
class PrincipalMatch:
    """DAV:principal-match: resources of who asks, by DAV:self or by a property that names them."""

    asked: Asked
    by: str


@dataclass(frozen=True, slots=True)
class PrincipalSearch:
    """DAV:principal-property-search: each of the texts in one of its properties, or any of them."""

    asked: Asked
    searches: tuple[tuple[tuple[str, ...], str], ...]
    any_of: bool
    everywhere: bool


@dataclass(frozen=True, slots=True)
class PrincipalSearchSet:
    """DAV:principal-search-property-set."""


@dataclass(frozen=True, slots=True)
class AclPrincipals:
    """DAV:acl-principal-prop-set."""

    asked: Asked


Report = (
    Multiget
    | Query
    | Sync
    | Expand
    | PrincipalMatch
    | PrincipalSearch
    | PrincipalSearchSet
    | AclPrincipals
)


def parse_report(data: bytes) -> Report:
    """Raises DavError, with DAV:supported-report for one that nobody serves."""
    root = parse_xml(data)
    parse = _PARSERS.get(root.name)
    if parse is None:
        raise DavError(403, D + "supported-report", "no such report")
    return parse(root)


def _multiget(root: Element) -> Multiget:
    hrefs = tuple(child.text.strip() for child in root.all(HREF))
    if not hrefs:
        raise DavError(400, detail="DAV:href is needed")
    if len(hrefs) > MAX_HREFS:
        raise DavError(413, detail=f"more than {MAX_HREFS} DAV:href")
    return Multiget(asked(root) or Asked(), hrefs)


def _query(root: Element) -> Query:
    found = root.find(C + "filter")
    if found is None:
        raise DavError(400, detail="CARDDAV:filter is needed")
    return Query(asked(root) or Asked(), parse_filter(found), _limit(root, C))


def _sync(root: Element) -> Sync:
    token = root.find(D + "sync-token")
    if token is None:
        raise DavError(400, detail="DAV:sync-token is needed")
    # a book has no collections in it: "infinite" is what "1" is
    if root.value(D + "sync-level", "1") not in ("1", "infinite"):
        raise DavError(400, detail="DAV:sync-level is 1 or infinite")
    named = root.find(PROP)
    if named is None:
        raise DavError(400, detail="DAV:prop is needed")
    return Sync(asked(root) or Asked(), token.text.strip(), _limit(root, D))


def _limit(root: Element, namespace: str) -> int:
    limit = root.find(namespace + "limit")
    if limit is None:
        return 0
    text = limit.value(namespace + "nresults")
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise DavError(400, detail="nresults is a number above 0")
    return int(text)


def _expand(root: Element) -> Expand:
    _check_size(root)
    return _expanded(root, _LEAVES)


def _check_size(element: Element) -> None:
    """Raises DavError."""
    if size_of(element) > MAX_PROPERTIES:
        raise DavError(400, detail=f"more than {MAX_PROPERTIES} elements")


def _expanded(element: Element, levels: int) -> Expand:
    if not levels:
        return Expand(())
    found: list[tuple[str, Expand]] = []
    for child in element.all(D + "property"):
        namespace = child.attributes.get("namespace", "DAV:")
        name = child.attributes.get("name", "")
        if _LOCAL.fullmatch(name) is None:
            raise DavError(400, detail="DAV:property has the name of a property")
        named = f"{{{namespace}}}{name}" if namespace else name
        found.append((named, _expanded(child, levels - 1)))
    return Expand(tuple(found))


def _match(root: Element) -> PrincipalMatch:
    found = asked(root) or Asked()
    if root.find(D + "self") is not None:
        return PrincipalMatch(found, "")
    by = root.find(D + "principal-property")
    if by is None or not by.children:
        raise DavError(400, detail="DAV:self or DAV:principal-property is needed")
    return PrincipalMatch(found, by.children[0].name)


def _search(root: Element) -> PrincipalSearch:
    _check_size(root)
    searches = tuple(
        (
            tuple(name.name for name in (one.find(PROP) or Element("")).children),
            one.value(D + "match"),
        )
        for one in root.all(D + "property-search")
    )
    if not searches:
        raise DavError(400, detail="DAV:property-search is needed")
    any_of = root.attributes.get("test") == "anyof"
    everywhere = root.find(D + "apply-to-principal-collection-set") is not None
    return PrincipalSearch(asked(root) or Asked(), searches, any_of, everywhere)


def _search_set(_root: Element) -> PrincipalSearchSet:
    return PrincipalSearchSet()


def _acl_principals(root: Element) -> AclPrincipals:
    return AclPrincipals(asked(root) or Asked())


_PARSERS: Final[Mapping[str, Callable[[Element], Report]]] = {
    C + "addressbook-multiget": _multiget,
    C + "addressbook-query": _query,
    D + "sync-collection": _sync,
    D + "expand-property": _expand,
    D + "principal-match": _match,
    D + "principal-property-search": _search,
    D + "principal-search-property-set": _search_set,
    D + "acl-principal-prop-set": _acl_principals,
}
