"""Privileges and access control lists as they are told (RFC 3744 §5). Pure.

Clients go by the single ones, so that each that is held is named, not the aggregate alone. Lists
are the server's own: a client cannot change them by ACL.
"""

from typing import Final

from web.dav.names import D
from web.dav.paths import Kind
from web.dav.resources import Resource
from web.dav.xml_write import escape, href, tag

READING: Final = ("read", "read-current-user-privilege-set", "read-acl")
WRITING: Final = ("write", "write-content", "write-properties", "bind", "unbind")
_WRITTEN: Final = frozenset({Kind.HOME, Kind.BOOK, Kind.CARD})
_TREE: Final = (
    ("read", "Read", ()),
    ("read-current-user-privilege-set", "Read one's own privileges", ()),
    ("read-acl", "Read the access control list", ()),
    (
        "write",
        "Write",
        (
            ("write-content", "Change what is there"),
            ("write-properties", "Change properties"),
            ("bind", "Put something new"),
            ("unbind", "Take something away"),
        ),
    ),
)


def privileges(resource: Resource) -> tuple[str, ...]:
    """What who asks holds."""
    if resource.kind in _WRITTEN and resource.writes:
        return READING + WRITING
    return READING


def current_user_privilege_set(resource: Resource) -> str:
    return _granted(privileges(resource))


def _granted(names: tuple[str, ...]) -> str:
    return "".join(tag(D + "privilege", tag(D + name)) for name in names)


def supported_privilege_set(_: Resource) -> str:
    """DAV:all and what is in it (RFC 3744 §5.3)."""
    inside = "".join(
        _supported(name, text, "".join(_supported(*one) for one in parts))
        for name, text, parts in _TREE
    )
    return _supported("all", "Everything", inside)


def _supported(name: str, text: str, inside: str = "") -> str:
    description = tag(D + "description", escape(text), {"xml:lang": "en"})
    return tag(
        D + "supported-privilege", tag(D + "privilege", tag(D + name)) + description + inside
    )


def acl(resource: Resource) -> str:
    """The entries of its owner and of who asks, protected (RFC 3744 §5.5)."""
    names = READING + WRITING if resource.kind in _WRITTEN else READING
    entries = _entry(resource.owner, names)
    if resource.owner != resource.principal:
        entries += _entry(resource.principal, privileges(resource))
    return entries


def _entry(principal: str, names: tuple[str, ...]) -> str:
    return tag(
        D + "ace",
        tag(D + "principal", href(principal))
        + tag(D + "grant", _granted(names))
        + tag(D + "protected"),
    )


def acl_restrictions(_: Resource) -> str:
    """Entries grant, to principals with an href (RFC 3744 §5.6)."""
    return tag(D + "grant-only") + tag(D + "no-invert")


def inherited_acl_set(_: Resource) -> str:
    return ""
