"""The commands built on SEARCH, as values: SORT, THREAD, ESEARCH, CANCELUPDATE.

RFC 5256, RFC 5267, RFC 5957, RFC 7377 and draft-ietf-morg-inthread. `returns` and `partial` are
those of Search.
"""

from dataclasses import dataclass
from enum import Enum

from imap.grammar.search_key import SearchKey, SearchReturn
from imap.grammar.window import Window


class SortField(Enum):
    """What SORT compares; the value is the word on the wire (RFC 5256 §3, RFC 5957 §3,
    RFC 6203 §6).
    """

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    RELEVANCY = "RELEVANCY"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"


class ThreadAlgorithm(Enum):
    """How THREAD groups; the value is the word on the wire."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"
    REFS = "REFS"


class SourceKind(Enum):
    """Which mailboxes ESEARCH looks into (RFC 7377 §2.2)."""

    SELECTED = "SELECTED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    SUBTREE_ONE = "SUBTREE-ONE"
    MAILBOXES = "MAILBOXES"

    @property
    def takes_names(self) -> bool:
        """Whether mailboxes are named behind it."""
        return self in (SourceKind.SUBTREE, SourceKind.SUBTREE_ONE, SourceKind.MAILBOXES)


@dataclass(frozen=True, slots=True)
class SortCriterion:
    """One criterion; `reverse` concerns it alone."""

    field: SortField
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One member of `IN (...)`."""

    kind: SourceKind
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT (RFC 5256 §3)."""

    tag: str
    uid: bool
    criteria: tuple[SortCriterion, ...]
    key: SearchKey
    returns: frozenset[SearchReturn] | None = None
    partial: Window | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """THREAD (RFC 5256 §3)."""

    tag: str
    uid: bool
    algorithm: ThreadAlgorithm
    key: SearchKey


@dataclass(frozen=True, slots=True)
class Esearch:
    """ESEARCH (RFC 7377 §2.1); no `sources` mean the selected mailbox."""

    tag: str
    key: SearchKey
    returns: frozenset[SearchReturn] | None = None
    partial: Window | None = None
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelUpdate:
    """CANCELUPDATE of the contexts that these tags began (RFC 5267 §4.3.5)."""

    tag: str
    tags: tuple[str, ...]
