"""What repair finds, in files and in an old index, and what it makes of both. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from storage.folder_file import AccountFile, FolderFile
from storage.maildir_names import BaseName
from storage.mirror_values import Place
from storage.state import Box
from storage.values import AccountId, BlobId, MailboxId

_NEVER = 1 << 62
"""Above every modseq."""


class FoundFile(NamedTuple):
    """A message file: `path` below its folder, `base` None when the name is not ours."""

    path: str
    base: BaseName | None
    size: int
    mtime: float
    inode: int


@dataclass(frozen=True, slots=True)
class FoundFolder:
    """A folder on disk. `file` is None when it has no small file that can be read."""

    path: str
    file: FolderFile | None
    files: Sequence[FoundFile]


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account's Maildir."""

    folders: Sequence[FoundFolder] = ()
    file: AccountFile = AccountFile()


class OldMessage(NamedTuple):
    """A row of `message`; `words` are its keywords."""

    modseq: int
    flags: int
    words: frozenset[str]
    internaldate: float
    savedate: float | None
    blob: BlobId
    thread: int | None


@dataclass(slots=True)
class OldAccount:
    """What an old index says. `whole` is False where a part could not be read: then nothing may be
    concluded from what is absent.
    """

    whole: bool = True
    exists: bool = False
    modseq: int = 0
    floor: int = 0
    last_mailbox: int = 0
    uidvalidity: int = 0
    limit_bytes: int = 0
    limit_messages: int = 0
    watermark: int = 0
    boxes: dict[MailboxId, Box] = field(default_factory=dict)
    paths: dict[MailboxId, str] = field(default_factory=dict)
    messages: dict[MailboxId, dict[int, OldMessage]] = field(default_factory=dict)
    places: dict[tuple[MailboxId, int], Place] = field(default_factory=dict)
    subscriptions: frozenset[str] = frozenset()
    blobs: set[BlobId] = field(default_factory=set)


def as_older(old: OldAccount, standing: set[BlobId]) -> OldAccount:
    """What an index that is older than the files can still tell: ids, dates, and the rows of what
    stands on disk, whose flags and folders are those of the files.
    """
    messages = {
        box: {uid: row for uid, row in rows.items() if row.blob in standing}
        for box, rows in old.messages.items()
    }
    places = {key: replace(place, path="") for key, place in old.places.items()}
    return replace(
        old,
        whole=False,
        exists=False,
        watermark=_NEVER,
        boxes={},
        paths={},
        messages=messages,
        places=places,
        subscriptions=frozenset(),
    )


@dataclass(frozen=True, slots=True)
class Move:
    """A file gets another name in its folder; `foreign` says that its name was not ours."""

    folder: str
    old: str
    new: str


@dataclass(slots=True)
class NewAccount:
    """What the index shall say, and what must happen on disk before it says so.

    `sizes` are file sizes by blob as the rows take them once rendered; `doubles` are names of files
    that stand under another name too.
    """

    account: AccountId
    modseq: int
    floor: int
    last_mailbox: int
    uidvalidity: int
    boxes: dict[MailboxId, Box] = field(default_factory=dict)
    paths: dict[MailboxId, str] = field(default_factory=dict)
    messages: dict[MailboxId, dict[int, OldMessage]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    subscriptions: frozenset[str] = frozenset()
    moves: list[Move] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)
    changed: bool = False
    added: int = 0
    lost: int = 0

    def path_of(self, blob_places: Mapping[BlobId, Place], blob: BlobId) -> str:
        """A name of the blob, below the account's root."""
        place = blob_places[blob]
        folder = self.paths[place.mailbox]
        return f"{folder}/{place.path}" if folder else place.path
