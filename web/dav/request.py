"""Bodies of PROPFIND, PROPPATCH and MKCOL, parsed (RFC 4918 §9.1, §9.2; RFC 5689 §3). Pure."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from web.dav.errors import DavError
from web.dav.names import ADDRESS_DATA, COLLECTION, PROP, RESOURCETYPE, C, D
from web.dav.xml_read import Element, parse_xml

MAX_PROPERTIES: Final = 200
MAX_HERE: Final = 5_000
"""Elements of a body, which is parsed in the event loop."""
VERSIONS: Final = ("3.0", "4.0")


class Which(Enum):
    """Properties that are asked for."""

    NAMED = "prop"
    ALL = "allprop"
    NAMES = "propname"


@dataclass(frozen=True, slots=True)
class CardProperty:
    """A property of a vCard that is wanted, without its value if `bare` (RFC 6352 §10.4.2)."""

    name: str
    bare: bool = False


@dataclass(frozen=True, slots=True)
class CardData:
    """How CARDDAV:address-data is wanted: in a version, or as it is stored; whole, or these
    properties alone.
    """

    version: str = ""
    properties: tuple[CardProperty, ...] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """`names` are those of DAV:prop, or with ALL those of DAV:include."""

    which: Which = Which.NAMED
    names: tuple[str, ...] = ()
    card: CardData | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """One property to set, or to remove where `value` is None."""

    name: str
    value: Element | None


@dataclass(frozen=True, slots=True)
class MkCol:
    """`types`: the children of DAV:resourcetype; `updates` without that."""

    types: frozenset[str]
    updates: tuple[Update, ...]


def parse_propfind(data: bytes) -> Asked:
    """Without a body it is allprop. Raises DavError."""
    if not data.strip():
        return Asked(Which.ALL)
    root = parse_xml(data, MAX_HERE)
    if root.name != D + "propfind":
        raise DavError(400, detail="DAV:propfind is needed")
    found = asked(root)
    if found is None:
        raise DavError(400, detail="DAV:prop, DAV:allprop or DAV:propname is needed")
    return found


def asked(parent: Element) -> Asked | None:
    """What an element of PROPFIND or REPORT asks for. Raises DavError."""
    kinds = [child for child in parent.children if child.name in _KINDS]
    if not kinds:
        return None
    if len(kinds) > 1:
        raise DavError(400, detail="one of DAV:prop, DAV:allprop and DAV:propname")
    which = _KINDS[kinds[0].name]
    if which is Which.NAMES:
        return Asked(which)
    names = kinds[0] if which is Which.NAMED else parent.find(D + "include") or Element("")
    if len(names.children) > MAX_PROPERTIES:
        raise DavError(400, detail=f"more than {MAX_PROPERTIES} properties")
    data = names.find(ADDRESS_DATA)
    unique = tuple(dict.fromkeys(child.name for child in names.children))
    return Asked(which, unique, None if data is None else _card_data(data))


_KINDS: Final = {PROP: Which.NAMED, D + "allprop": Which.ALL, D + "propname": Which.NAMES}


def _card_data(element: Element) -> CardData:
    kind = element.attributes.get("content-type", "text/vcard")
    version = element.attributes.get("version", "")
    if "content-type" in element.attributes and not version:
        version = "3.0"  # its default (RFC 6352 §10.4)
    if kind.strip().lower() != "text/vcard" or version not in ("", *VERSIONS):
        raise DavError(403, C + "supported-address-data", f"not {kind} {version}")
    named = [child for child in element.children if child.name == C + "prop"]
    if not named or element.find(C + "allprop") is not None:
        return CardData(version)
    properties = tuple(
        CardProperty(child.attributes.get("name", ""), child.attributes.get("novalue") == "yes")
        for child in named
    )
    return CardData(version, properties)


def parse_proppatch(data: bytes) -> tuple[Update, ...]:
    """In order. Raises DavError."""
    root = parse_xml(data, MAX_HERE)
    if root.name != D + "propertyupdate":
        raise DavError(400, detail="DAV:propertyupdate is needed")
    found = tuple(_updates(root))
    if not found:
        raise DavError(400, detail="DAV:set or DAV:remove is needed")
    return found


def _updates(root: Element) -> list[Update]:
    found: list[Update] = []
    for child in root.children:
        if child.name not in (D + "set", D + "remove"):
            continue
        sets = child.name == D + "set"
        for one in (child.find(PROP) or Element("")).children:
            found.append(Update(one.name, one if sets else None))
    if len(found) > MAX_PROPERTIES:
        raise DavError(400, detail=f"more than {MAX_PROPERTIES} properties")
    return found


def parse_mkcol(data: bytes) -> MkCol:
    """Without a body a plain collection is asked for. Raises DavError."""
    if not data.strip():
        return MkCol(frozenset({COLLECTION}), ())
    root = parse_xml(data, MAX_HERE)
    if root.name != D + "mkcol":
        raise DavError(415, detail="DAV:mkcol is needed")
    updates = _updates(root)
    types: set[str] = set()
    for one in updates:
        if one.name == RESOURCETYPE and one.value is not None:
            types |= {child.name for child in one.value.children}
    rest = tuple(one for one in updates if one.name != RESOURCETYPE)
    return MkCol(frozenset(types or {COLLECTION}), rest)
