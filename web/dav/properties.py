"""The table of properties: which kind of resource has which, and what it is. Pure.

A value is XML, None where the resource has no such property. Those of RFC 4918 and what clients set
are in allprop; the others are told when asked by name (RFC 6352 §5.3, RFC 3744 §5, RFC 6578 §4).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Final

from storage.contact_values import MAX_OCTETS
from web.dav.filter import COLLATIONS
from web.dav.names import (
    ADDRESSBOOK,
    COLLECTION,
    COLOUR,
    CS,
    DESCRIPTION,
    DISPLAYNAME,
    RESOURCETYPE,
    C,
    D,
)
from web.dav.paths import PRINCIPALS, Kind
from web.dav.privileges import (
    acl,
    acl_restrictions,
    current_user_privilege_set,
    inherited_acl_set,
    supported_privilege_set,
)
from web.dav.request import VERSIONS
from web.dav.resources import Resource
from web.dav.xml_write import escape, href, tag

Value = Callable[[Resource], str | None]
CARD_TYPE: Final = "text/vcard; charset=utf-8"
_OF_PRINCIPALS: Final = (
    D + "principal-match",
    D + "principal-property-search",
    D + "principal-search-property-set",
    D + "expand-property",
    D + "acl-principal-prop-set",
)
_OF_BOOKS: Final = (
    C + "addressbook-query",
    C + "addressbook-multiget",
    D + "sync-collection",
)
REPORTS: Final[Mapping[Kind, tuple[str, ...]]] = {
    **dict.fromkeys(Kind, _OF_PRINCIPALS),
    Kind.BOOK: _OF_BOOKS + _OF_PRINCIPALS,
    Kind.CARD: (C + "addressbook-multiget", C + "addressbook-query", *_OF_PRINCIPALS),
}
_TYPES: Final = {
    Kind.PRINCIPAL: tag(COLLECTION) + tag(D + "principal"),
    Kind.BOOK: tag(COLLECTION) + tag(ADDRESSBOOK),
    Kind.CARD: "",
}


def _resourcetype(resource: Resource) -> str:
    return _TYPES.get(resource.kind, tag(COLLECTION))


def _displayname(resource: Resource) -> str | None:
    if resource.seen is not None:
        return None if resource.card is not None else escape(resource.seen.book.name)
    names = {Kind.PRINCIPAL: resource.user.name, Kind.HOME: "Address books"}
    name = names.get(resource.kind)
    return None if name is None else escape(name)


def _reports(resource: Resource) -> str:
    return "".join(
        tag(D + "supported-report", tag(D + "report", tag(name))) for name in REPORTS[resource.kind]
    )


def _of_card(value: Callable[[Resource], str]) -> Value:
    return lambda resource: None if resource.card is None else value(resource)


def _etag(resource: Resource) -> str:
    assert resource.card is not None
    return f'"{resource.card.etag}"'


def _length(resource: Resource) -> str:
    assert resource.card is not None
    return str(resource.card.octets)


def _modified(resource: Resource) -> str:
    assert resource.card is not None
    return formatdate(resource.card.changed, usegmt=True)


def _created(resource: Resource) -> str:
    assert resource.card is not None
    made = datetime.fromtimestamp(int(resource.card.created), UTC)
    return made.isoformat().replace("+00:00", "Z")


def _token(resource: Resource) -> str | None:
    return None if resource.seen is None else escape(resource.seen.token)


def _description(resource: Resource) -> str | None:
    book = resource.seen and resource.seen.book
    return escape(book.description) if book and book.description else None


def _colour(resource: Resource) -> str | None:
    book = resource.seen and resource.seen.book
    return escape(book.colour) if book and book.colour else None


def _address_data(_: Resource) -> str:
    return "".join(
        tag(C + "address-data-type", "", {"content-type": "text/vcard", "version": version})
        for version in VERSIONS
    )


def _collations(_: Resource) -> str:
    return "".join(tag(C + "supported-collation", escape(name)) for name in COLLATIONS)


def _own_card(resource: Resource) -> str | None:
    return href(resource.own_card) if resource.own_card else None


_LIVE: Final[dict[str, Value]] = {
    RESOURCETYPE: _resourcetype,
    DISPLAYNAME: _displayname,
}
_EVERYWHERE: Final[dict[str, Value]] = {
    D + "current-user-principal": lambda resource: href(resource.principal),
    D + "current-user-privilege-set": current_user_privilege_set,
    D + "supported-privilege-set": supported_privilege_set,
    D + "owner": lambda resource: href(resource.owner),
    D + "group": lambda _: "",
    D + "acl": acl,
    D + "acl-restrictions": acl_restrictions,
    D + "inherited-acl-set": inherited_acl_set,
    D + "principal-collection-set": lambda _: href(PRINCIPALS),
    D + "supported-report-set": _reports,
}
_OF_PRINCIPAL: Final[dict[str, Value]] = {
    D + "principal-URL": lambda resource: href(resource.principal),
    D + "alternate-URI-set": lambda resource: href(f"mailto:{resource.user.address}"),
    D + "group-member-set": lambda _: "",
    D + "group-membership": lambda _: "",
    C + "addressbook-home-set": lambda resource: href(resource.home),
    C + "principal-address": _own_card,
    CS + "email-address-set": lambda resource: tag(
        CS + "email-address", escape(resource.user.address)
    ),
}
_OF_BOOK: Final[dict[str, Value]] = {
    D + "sync-token": _token,
    CS + "getctag": _token,
    DESCRIPTION: _description,
    COLOUR: _colour,
    C + "supported-address-data": _address_data,
    C + "supported-collation-set": _collations,
    C + "max-resource-size": lambda _: str(MAX_OCTETS),
}
_OF_CARD: Final[dict[str, Value]] = {
    D + "getetag": _of_card(_etag),
    D + "getcontenttype": lambda _: CARD_TYPE,
    D + "getcontentlength": _of_card(_length),
    D + "getlastmodified": _of_card(_modified),
    D + "creationdate": _of_card(_created),
}
# Thunderbird and others look for the home at what they were given, whatever that is
_HOME: Final[dict[str, Value]] = {C + "addressbook-home-set": lambda resource: href(resource.home)}
TABLE: Final[Mapping[Kind, Mapping[str, Value]]] = {
    Kind.ROOT: {**_LIVE, **_EVERYWHERE, **_HOME},
    Kind.PRINCIPALS: {**_LIVE, **_EVERYWHERE},
    Kind.PRINCIPAL: {**_LIVE, **_EVERYWHERE, **_OF_PRINCIPAL},
    Kind.HOMES: {**_LIVE, **_EVERYWHERE},
    Kind.HOME: {**_LIVE, **_EVERYWHERE, **_HOME},
    Kind.BOOK: {**_LIVE, **_EVERYWHERE, **_OF_BOOK},
    Kind.CARD: {**_LIVE, **_EVERYWHERE, **_OF_CARD},
}
IN_ALLPROP: Final = frozenset({*_LIVE, *_OF_CARD})
LIVE: Final = frozenset(name for table in TABLE.values() for name in table)
"""Those that the server makes: clients set only DISPLAYNAME, DESCRIPTION and COLOUR among them."""


def names_of(resource: Resource) -> Iterator[str]:
    """Every property that the resource has."""
    for name, value in TABLE[resource.kind].items():
        if value(resource) is not None:
            yield name
    yield from dead_of(resource)


def dead_of(resource: Resource) -> Mapping[str, str]:
    """What clients set: whole elements, by name."""
    if resource.kind is not Kind.BOOK or resource.seen is None:
        return {}
    return resource.seen.book.properties


def property_of(resource: Resource, name: str) -> str | None:
    """The whole element, None where the resource has no such property."""
    value = TABLE[resource.kind].get(name)
    if value is None:
        return dead_of(resource).get(name)
    found = value(resource)
    return None if found is None else tag(name, found)
