"""Names of elements and properties, as `{namespace}local`. Pure."""

from typing import Final

D: Final = "{DAV:}"
C: Final = "{urn:ietf:params:xml:ns:carddav}"
CS: Final = "{http://calendarserver.org/ns/}"
AB: Final = "{http://inf-it.com/ns/ab/}"
PREFIXES: Final = {
    "DAV:": "D",
    "urn:ietf:params:xml:ns:carddav": "C",
    "http://calendarserver.org/ns/": "CS",
    "http://inf-it.com/ns/ab/": "AB",
}
"""Declared by every document that is sent."""

RESOURCETYPE: Final = D + "resourcetype"
DISPLAYNAME: Final = D + "displayname"
DESCRIPTION: Final = C + "addressbook-description"
COLOUR: Final = AB + "addressbook-color"
ADDRESS_DATA: Final = C + "address-data"
ADDRESSBOOK: Final = C + "addressbook"
COLLECTION: Final = D + "collection"
PROP: Final = D + "prop"
HREF: Final = D + "href"


def split_name(name: str) -> tuple[str, str]:
    """Namespace, "" for none, and local part."""
    # a namespace may have a brace in it, a local part has none
    namespace, brace, local = name[1:].rpartition("}") if name[:1] == "{" else ("", "", name)
    return (namespace, local) if brace else ("", name)
