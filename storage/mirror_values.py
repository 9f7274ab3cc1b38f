"""What the mirror reads, wants and does, as values. A path is relative to its folder.

`Place` is a name that the index says exists, `Wanted` a message and the flags that its name must
carry, `Step` one link on disk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storage.values import BlobId, MailboxId, System


@dataclass(frozen=True, slots=True)
class Place:
    """A row of `place`: `path` is `new/NAME` or `cur/NAME`."""

    blob: BlobId
    mailbox: MailboxId
    uid: int
    path: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A committed message. `words` are its keywords."""

    uid: int
    blob: BlobId
    system: System
    words: frozenset[str]
    internaldate: float


@dataclass(frozen=True, slots=True)
class Step:
    """Gives the file at `source` the name `target`. A rename (source and target are of one message)
    drops the old name, a copy keeps it. `others` serve when the source is missing: a kill may have
    left a row of `place` whose name was removed.
    """

    source: Place
    target: Place
    others: tuple[Place, ...] = ()

    @property
    def renames(self) -> bool:
        return (self.source.mailbox, self.source.uid) == (self.target.mailbox, self.target.uid)


@dataclass(frozen=True, slots=True)
class Batch:
    """Journal rows up to modseq `upto`, merged by mailbox: UIDs that only came in, and UIDs that
    were changed. An empty batch (`upto` 0) means that the mirror is up to date; `more`: there are
    further rows already.
    """

    upto: int = 0
    appended: Mapping[MailboxId, Sequence[int]] = field(default_factory=dict)
    touched: Mapping[MailboxId, Sequence[int]] = field(default_factory=dict)
    more: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox row as far as the mirror and its folder file need it."""

    id: MailboxId
    name: str
    uidvalidity: int
    uid_ceiling: int
    highestmodseq: int
    special_use: str
    subscribed: bool
    selectable: bool


@dataclass(frozen=True, slots=True)
class Folders:
    """One account's mailboxes and folders. `paths` are folder rows; some have no mailbox left."""

    boxes: Mapping[MailboxId, Box]
    paths: Mapping[MailboxId, str]
    subscriptions: tuple[str, ...]
    modseq: int
    uidvalidity: int
