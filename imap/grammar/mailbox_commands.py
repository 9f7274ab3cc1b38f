"""The commands about mailboxes (RFC 9051 §6.3.2 to §6.3.11) as values; what holds for all stands
at the head of imap/grammar/command.py.
"""

from dataclasses import dataclass
from enum import Enum

from imap.grammar.resync import Resync


class StatusItem(Enum):
    """What STATUS may ask for (RFC 9051 §6.3.11, RFC 7162, RFC 8438, RFC 7889, RFC 8474,
    RFC 9208).
    """

    MESSAGES = "MESSAGES"
    RECENT = "RECENT"
    UIDNEXT = "UIDNEXT"
    UIDVALIDITY = "UIDVALIDITY"
    UNSEEN = "UNSEEN"
    DELETED = "DELETED"
    DELETED_STORAGE = "DELETED-STORAGE"
    SIZE = "SIZE"
    HIGHESTMODSEQ = "HIGHESTMODSEQ"
    APPENDLIMIT = "APPENDLIMIT"
    MAILBOXID = "MAILBOXID"


class ListSelect(Enum):
    """Selection options of LIST (RFC 5258 §3, RFC 6154 §2)."""

    SUBSCRIBED = "SUBSCRIBED"
    REMOTE = "REMOTE"
    RECURSIVEMATCH = "RECURSIVEMATCH"
    SPECIAL_USE = "SPECIAL-USE"


class ListReturn(Enum):
    """Return options of LIST without argument (RFC 5258 §3, RFC 6154 §2, RFC 8440 §3)."""

    SUBSCRIBED = "SUBSCRIBED"
    CHILDREN = "CHILDREN"
    SPECIAL_USE = "SPECIAL-USE"
    MYRIGHTS = "MYRIGHTS"


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT, or EXAMINE with `read_only` (RFC 9051 §6.3.2, RFC 7162 §3.1.8)."""

    tag: str
    mailbox: str
    read_only: bool = False
    condstore: bool = False
    resync: Resync | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE, with the attributes of `USE (...)` (RFC 9051 §6.3.4, RFC 6154 §3)."""

    tag: str
    mailbox: str
    use: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE (RFC 9051 §6.3.5)."""

    tag: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME (RFC 9051 §6.3.6)."""

    tag: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE (RFC 9051 §6.3.7)."""

    tag: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """UNSUBSCRIBE (RFC 9051 §6.3.8)."""

    tag: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class List:
    """LIST in its old and extended forms (RFC 9051 §6.3.9, RFC 5258, RFC 5819).

    `extended` says that options or a list of patterns were given; only the old form treats an empty
    pattern as a question for the separator. `status` holds the items of `RETURN (STATUS (...))`,
    `metadata` the entries of `RETURN (METADATA (...))` (RFC 9590).
    """

    tag: str
    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[ListSelect] = frozenset()
    returns: frozenset[ListReturn] = frozenset()
    status: tuple[StatusItem, ...] = ()
    extended: bool = False
    metadata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lsub:
    """LSUB (RFC 3501 §6.3.9)."""

    tag: str
    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Xlist:
    """XLIST, Gmail's elder form of LIST with special uses."""

    tag: str
    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """NAMESPACE (RFC 9051 §6.3.10)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS (RFC 9051 §6.3.11)."""

    tag: str
    mailbox: str
    items: tuple[StatusItem, ...]
