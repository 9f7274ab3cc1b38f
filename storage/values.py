"""Values that cross the store's border: ids, flags, content, deliveries, results and events.

Nothing here does I/O. Names follow RFC 9051 and RFC 7162 (UID, UIDVALIDITY, MODSEQ).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from pathlib import Path
from typing import Any, NamedTuple, NewType, TypeAlias

AccountId = NewType("AccountId", int)
MailboxId = NewType("MailboxId", int)
Target: TypeAlias = MailboxId | str
"""Where messages go: a mailbox by its number, which it keeps when it is renamed, or by its name."""
BlobId = NewType("BlobId", int)
QueueId = NewType("QueueId", int)


class System(IntFlag):
    """System flags as stored in a message row and in the low bits of a view's flag field."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags of one message. Keywords compare without case (RFC 9051 §2.3.2), first spelling
    kept.
    """

    system: System = System(0)
    keywords: frozenset[str] = frozenset()


NO_FLAGS = Flags()


@dataclass(frozen=True, slots=True)
class Settable:
    """Which flags a change may touch: others stay as they are in STORE, are left out in COPY."""

    system: System = System(31)
    keywords: bool = True

    def among(self, flags: Flags) -> Flags:
        """Those of the flags that may be set."""
        return Flags(flags.system & self.system, flags.keywords if self.keywords else frozenset())


EVERY_FLAG = Settable()


class FlagChange(Enum):
    """The three forms of STORE."""

    SET = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one message, CRLF line ends: `prefix`, then `data` or the spooled file at
    `path`.

    `path` lies under the store's tmp folder (Store.spool_dir), on the same file system as the mail;
    the store takes the file over, without its first `start` octets. `size` counts what the message
    has in the end, `digest` is blake2b-128 of what arrived: it finds resends, and what this server
    puts before a message or changes differs each time.
    """

    size: int
    digest: bytes
    prefix: bytes = b""
    data: bytes | None = None
    path: Path | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class LocalRecipient:
    """One copy into a mailbox. A mailbox that does not exist means INBOX."""

    account: AccountId
    address: str
    mailbox: str = "INBOX"
    flags: Flags = NO_FLAGS


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a queued recipient is on hold: since `at` (Unix seconds), because of what `by` asked for
    or because of the rule of that number, which `by` had made; "" when nobody was named.
    """

    at: float
    by: str = ""
    rule: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """One recipient of the outside world; `notify`, `orcpt` as in RFC 3461. With `hold` it waits
    for its release.
    """

    address: str
    notify: str = ""
    orcpt: str = ""
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class DeliverBy:
    """Until when a message must be delivered (RFC 2852): `at` in Unix seconds.

    `mode` "R": returned to its sender when that time has passed; "N": the sender is told, and it
    is tried further. `trace`: each relay tells the sender that it passed the message on.
    """

    at: float
    mode: str
    trace: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """How a user has a message sent: under which identity, which content of theirs it is, 0 for the
    copy that the delivery makes, in which thread, 0 if unknown; `envelope` is JSON as they gave it,
    `here` the recipients whose mailboxes are here. `key`: a second one with it is refused.
    """

    identity: str
    email: BlobId
    thread: int
    envelope: str
    here: frozenset[str]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One accepted message with all of its recipients: one job, one transaction.

    `sender` is the reverse-path without brackets ("" for null). `received_at` is INTERNALDATE, in
    seconds since 1970. `trace` is the id that every log line about the message carries. `smtputf8`
    and `eightbit` say what the next hop must support (RFC 6531, RFC 6152), `require_tls` how it
    must be reached (RFC 8689); `held` keeps it in the queue until an operator
    releases it, `hold_until` until that time in Unix seconds (RFC 4865). `priority` is -9 to 9
    (RFC 6710). `local_prefix` stands before the content of local copies alone. `sending` makes it
    one that its sender follows (storage/submissions.py), in the same transaction.
    """

    content: Content
    sender: str
    received_at: float
    trace: str
    local: Sequence[LocalRecipient] = ()
    queued: Sequence[QueuedRecipient] = ()
    envid: str = ""
    ret: str = ""
    smtputf8: bool = False
    eightbit: bool = False
    held: bool = False
    account: AccountId | None = None
    local_prefix: bytes = b""
    require_tls: bool = False
    hold_until: float | None = None
    deliver_by: DeliverBy | None = None
    priority: int = 0
    sending: Sending | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one local recipient, in the order of Delivery.local. `blob` and `modseq` are 0
    where no copy was made: of a resend there is one already.
    """

    account: AccountId
    mailbox: MailboxId
    uid: int
    blob: BlobId = BlobId(0)
    modseq: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    local: Sequence[Delivered]
    queue_id: QueueId | None


@dataclass(frozen=True, slots=True)
class Append:
    """One message of an APPEND command."""

    content: Content
    flags: Flags = NO_FLAGS
    internaldate: float | None = None


@dataclass(frozen=True, slots=True)
class UidMap:
    """APPENDUID and COPYUID: source UIDs (empty for APPEND) and the UIDs given, in the same
    order.
    """

    uidvalidity: int
    source: Sequence[int]
    target: Sequence[int]


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """STORE: UIDs changed with their new flags and the MODSEQ given, and those that failed
    UNCHANGEDSINCE.
    """

    modseq: int
    changed: Sequence[int]
    modified: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox as LIST and STATUS see it. `special_use` is an attribute such as `\\Sent`, or
    "".
    """

    id: MailboxId
    account: AccountId
    name: str
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    messages: int
    unseen: int
    deleted: int
    size: int
    special_use: str = ""
    subscribed: bool = True
    selectable: bool = True


Summary: TypeAlias = tuple[Any, ...]
"""UID, internal date, size and `meta` of a message: what a list of them needs, as it is read. Where
it is asked for, the save date (or None), the blob and the thread (or None) follow.
"""


Narrow: TypeAlias = tuple[int, float, int]
"""UID, internal date and size."""


class MessageRow(NamedTuple):
    """A message: `meta` is the packed blob of message/meta.py, `parts` the offset table of
    message/section.py.
    """

    uid: int
    modseq: int
    flags: Flags
    internaldate: float
    savedate: float | None
    size: int
    blob: BlobId
    meta: bytes
    parts: bytes = b""


class PlacedRow(NamedTuple):
    """A message whose file is read next, as it comes from SQL: beside what MessageRow has, the
    file's own length and where it lies, None while the message has no file of its own.
    """

    uid: int
    internaldate: float
    size: int
    blob: BlobId
    meta: bytes
    parts: bytes
    stored: int
    folder: str | None
    name: str | None
    savedate: float | None
    thread: int | None

    @property
    def summary(self) -> Summary:
        """The part of it that lists are made of."""
        ids = (self.savedate, self.blob, self.thread)
        return self.uid, self.internaldate, self.size, self.meta, *ids


@dataclass(frozen=True, slots=True)
class Usage:
    """Use and limits of one account; a limit of 0 means none. Sizes in octets."""

    bytes: int
    messages: int
    limit_bytes: int = 0
    limit_messages: int = 0


@dataclass(frozen=True, slots=True)
class MailboxChanged:
    """One committed change of one mailbox; published after the view is up to date, in modseq
    order.
    """

    account: AccountId
    mailbox: MailboxId
    modseq: int
    appended: Sequence[int] = ()
    expunged: Sequence[int] = ()
    flagged: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class FoldersChanged:
    """A mailbox was created, renamed or deleted; `subscribed`: a name was subscribed to, or is no
    longer.
    """

    account: AccountId
    modseq: int
    created: Sequence[str] = ()
    deleted: Sequence[str] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    subscribed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """Rows were queued, retried or released: the outbound side looks. `again`: the operator wants
    another try, also where hosts could not be reached.
    """

    again: bool = False


Event = MailboxChanged | FoldersChanged | QueueChanged
