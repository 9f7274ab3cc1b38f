"""The IMAP commands as values: one frozen class a command, each with the tag it came with.

Mailbox names are decoded strings with INBOX in upper case; flags are canonical (values.py). Whether
a command is legal in the session's state, and whether a mailbox or message exists, is not asked
here. `uid` says that the command came with the UID prefix, and so what its numbers mean.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from imap.grammar.acl import AclCommand
from imap.grammar.fetch_item import FetchItem
from imap.grammar.gmail import StoreLabels
from imap.grammar.metadata import MetadataCommand
from imap.grammar.notify_group import NotifyGroup
from imap.grammar.quota import QuotaCommand
from imap.grammar.resync import Resync
from imap.grammar.search_commands import CancelUpdate, Esearch, Sort, Thread
from imap.grammar.search_key import SearchKey, SearchReturn
from imap.grammar.values import Flag, Literal, SequenceSet
from imap.grammar.window import Window


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


class StoreMode(Enum):
    """How STORE treats the flags; the value is the sign on the wire."""

    REPLACE = ""
    ADD = "+"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class Capability:
    """CAPABILITY (RFC 9051 §6.1.1)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP (RFC 9051 §6.1.2)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Logout:
    """LOGOUT (RFC 9051 §6.1.3)."""

    tag: str


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS (RFC 9051 §6.2.1)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Compress:
    """COMPRESS (RFC 4978), the mechanism in upper case."""

    tag: str
    mechanism: str


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE (RFC 9051 §6.2.2); `initial` is decoded, None when none came (RFC 4959)."""

    tag: str
    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN (RFC 9051 §6.2.3); octets that are not UTF-8 are taken as ISO 8859-1."""

    tag: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """UNAUTHENTICATE (RFC 8437 §2)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE (RFC 9051 §6.3.1), the capabilities in upper case."""

    tag: str
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Id:
    """ID (RFC 2971); None is `ID NIL`."""

    tag: str
    parameters: tuple[tuple[str, str | None], ...] | None


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


@dataclass(frozen=True, slots=True)
class CatenateText:
    """Octets of a message that is put together; `utf8`: they came as `UTF8 (~{n})`."""

    literal: Literal
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class CatenateUrl:
    """What an IMAP URL names (RFC 5092), as it was written."""

    url: str


CatenatePart: TypeAlias = CatenateText | CatenateUrl


@dataclass(frozen=True, slots=True)
class Catenate:
    """A message put together from its parts (RFC 4469 §3)."""

    parts: tuple[CatenatePart, ...]


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """One message of APPEND; `date` is aware, None when the server is to take the present.

    `utf8`: it came as `UTF8 (~{n})` (RFC 6855 §4), which Thunderbird sends.
    """

    data: Literal | Catenate
    flags: tuple[Flag, ...] = ()
    date: datetime | None = None
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND of one or more messages (RFC 9051 §6.3.12, RFC 3502)."""

    tag: str
    mailbox: str
    messages: tuple[AppendMessage, ...]


@dataclass(frozen=True, slots=True)
class Replace:
    """REPLACE and UID REPLACE (RFC 8508 §3); `sequence` names one message."""

    tag: str
    uid: bool
    sequence: SequenceSet
    mailbox: str
    message: AppendMessage


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


Command: TypeAlias = (
    Capability
    | Noop
    | Logout
    | StartTls
    | Compress
    | Authenticate
    | Login
    | Unauthenticate
    | Enable
    | Id
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | Unsubscribe
    | List
    | Lsub
    | Xlist
    | Namespace
    | Status
    | Append
    | Replace
    | Idle
    | Notify
    | Check
    | Close
    | Unselect
    | Expunge
    | Search
    | Sort
    | Thread
    | Esearch
    | CancelUpdate
    | Fetch
    | Store
    | Copy
    | Move
    | QuotaCommand
    | StoreLabels
    | MetadataCommand
    | AclCommand
)
