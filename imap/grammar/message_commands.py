"""The commands about the selected mailbox and its messages (RFC 9051 §6.3.13 and §6.4), as
values; what holds for all stands at the head of imap/grammar/command.py.
"""

from dataclasses import dataclass
from enum import Enum

from imap.grammar.fetch_item import FetchItem
from imap.grammar.notify_group import NotifyGroup
from imap.grammar.search_key import SearchKey, SearchReturn
from imap.grammar.values import Flag, SequenceSet
from imap.grammar.window import Window


class StoreMode(Enum):
    """How STORE treats the flags; the value is the sign on the wire."""

    REPLACE = ""
    ADD = "+"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class Idle:
    """IDLE (RFC 9051 §6.3.13); its DONE comes as a Line of the framer."""

    tag: str


@dataclass(frozen=True, slots=True)
class Notify:
    """NOTIFY SET, or NOTIFY NONE when there is no group (RFC 5465 §3)."""

    tag: str
    groups: tuple[NotifyGroup, ...] = ()
    status: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """CHECK (RFC 3501 §6.4.1)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Close:
    """CLOSE (RFC 9051 §6.4.1)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Unselect:
    """UNSELECT (RFC 9051 §6.4.2)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Expunge:
    """EXPUNGE, or UID EXPUNGE of a set (RFC 9051 §6.4.3 and §6.4.9)."""

    tag: str
    uid: bool = False
    sequence: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH (RFC 9051 §6.4.4); `returns` is None without RETURN, `RETURN ()` is {ALL}; `partial`
    is the page of PARTIAL.
    """

    tag: str
    uid: bool
    key: SearchKey
    returns: frozenset[SearchReturn] | None = None
    partial: Window | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH (RFC 9051 §6.4.5) with CHANGEDSINCE and VANISHED (RFC 7162 §3.1.4.1, §3.2.6; iOS sends
    CHANGEDSINCE 0) and PARTIAL (RFC 9394 §3.3).
    """

    tag: str
    uid: bool
    sequence: SequenceSet
    items: tuple[FetchItem, ...]
    changed_since: int | None = None
    vanished: bool = False
    partial: Window | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """STORE (RFC 9051 §6.4.6) with UNCHANGEDSINCE (RFC 7162 §3.1.3)."""

    tag: str
    uid: bool
    sequence: SequenceSet
    mode: StoreMode
    flags: tuple[Flag, ...]
    silent: bool = False
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY (RFC 9051 §6.4.7)."""

    tag: str
    uid: bool
    sequence: SequenceSet
    mailbox: str


@dataclass(frozen=True, slots=True)
class Move:
    """MOVE (RFC 9051 §6.4.8)."""

    tag: str
    uid: bool
    sequence: SequenceSet
    mailbox: str
