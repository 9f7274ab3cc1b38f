"""What users sent by HTTP, as they follow it: values."""

from dataclasses import dataclass
from enum import IntEnum

from storage.errors import StoreError
from storage.values import BlobId, QueueId


class AlreadySubmitted(StoreError):
    """There is one with this key: `id`. What was to be sent is not sent again."""

    def __init__(self, id_: QueueId) -> None:
        super().__init__("it has been sent already")
        self.id = id_


class Undo(IntEnum):
    """Whether it can be taken back: before its time, no more, or it has been."""

    PENDING = 0
    FINAL = 1
    CANCELED = 2


class Fate(IntEnum):
    """What became of one recipient; RELAYED: another server has it."""

    QUEUED = 0
    HERE = 1
    RELAYED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Followed:
    """One recipient; `reply` is the last of an SMTP server, "" before the first attempt."""

    address: str
    here: bool
    fate: Fate
    reply: str


@dataclass(frozen=True, slots=True)
class Submission:
    """`id` is that of the queue; `send_at` in Unix seconds; the rest as in values.Sending."""

    id: QueueId
    identity: str
    email: BlobId
    thread: int
    envelope: str
    recipients: tuple[Followed, ...]
    created: float
    send_at: float
    undo: Undo
    key: str | None = None

    def undo_at(self, now: float) -> Undo:
        """What is pending is so up to its time, though nobody may have looked at it yet."""
        late = self.undo is Undo.PENDING and self.send_at <= now
        return Undo.FINAL if late else self.undo


@dataclass(frozen=True, slots=True)
class SubmissionChanges:
    """Ids by what became of them up to the state `until`."""

    until: int
    has_more: bool
    created: tuple[QueueId, ...]
    updated: tuple[QueueId, ...]
    destroyed: tuple[QueueId, ...]
