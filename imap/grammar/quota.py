"""GETQUOTA, GETQUOTAROOT and SETQUOTA: values, parsers and responses (RFC 9208 §4, §7).

A quota root is an opaque name. STORAGE counts units of 1024 octets, MESSAGE messages; resources
that nobody knows are parsed all the same, since only the handler may refuse them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from imap.grammar.encode import astring, mailbox
from imap.grammar.tokens import MAX_NUMBER64, Cursor


class Resource(Enum):
    """The resources that this server limits (RFC 9208 §5)."""

    STORAGE = "STORAGE"
    MESSAGE = "MESSAGE"


@dataclass(frozen=True, slots=True)
class GetQuota:
    """GETQUOTA (RFC 9208 §4.1.1)."""

    tag: str
    root: str


@dataclass(frozen=True, slots=True)
class GetQuotaRoot:
    """GETQUOTAROOT (RFC 9208 §4.1.2)."""

    tag: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class SetQuota:
    """SETQUOTA (RFC 9208 §4.1.3); resources in upper case with the limits they are to have."""

    tag: str
    root: str
    limits: tuple[tuple[str, int], ...]


QuotaCommand: TypeAlias = GetQuota | GetQuotaRoot | SetQuota


@dataclass(frozen=True, slots=True)
class Limited:
    """One resource of a QUOTA response."""

    resource: Resource
    usage: int
    limit: int


def quota_line(root: str, resources: Iterable[Limited]) -> bytes:
    """QUOTA (RFC 9208 §4.2.1)."""
    words = [b"%s %d %d" % (one.resource.value.encode(), one.usage, one.limit) for one in resources]
    return b"* QUOTA %s (%s)\r\n" % (astring(root.encode()), b" ".join(words))


def quotaroot_line(name: str, roots: Iterable[str], utf8: bool = False) -> bytes:
    """QUOTAROOT (RFC 9208 §4.2.2)."""
    words = [mailbox(name, utf8), *[astring(root.encode()) for root in roots]]
    return b"* QUOTAROOT %s\r\n" % b" ".join(words)


def parse_getquota(cursor: Cursor) -> GetQuota:
    """GETQUOTA."""
    return GetQuota(cursor.frame.tag, _root(cursor))


def parse_getquotaroot(cursor: Cursor) -> GetQuotaRoot:
    """GETQUOTAROOT."""
    cursor.space()
    return GetQuotaRoot(cursor.frame.tag, cursor.mailbox())


def parse_setquota(cursor: Cursor) -> SetQuota:
    """SETQUOTA with a list of resources and limits, perhaps empty; no resource twice."""
    root = _root(cursor)
    cursor.space()
    cursor.open("resources with their limits")
    limits: dict[str, int] = {}
    while cursor.more():
        name = cursor.word("a resource such as STORAGE")
        if name in limits:
            raise cursor.error(f"the resource {name} stands twice")
        cursor.space()
        limits[name] = cursor.number("a limit", MAX_NUMBER64)
    return SetQuota(cursor.frame.tag, root, tuple(limits.items()))


def _root(cursor: Cursor) -> str:
    cursor.space()
    octets = cursor.astring("a quota root")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise cursor.error("expected a quota root in UTF-8") from None


PARSERS: Final[Mapping[str, Callable[[Cursor], QuotaCommand]]] = {
    "GETQUOTA": parse_getquota,
    "GETQUOTAROOT": parse_getquotaroot,
    "SETQUOTA": parse_setquota,
}
