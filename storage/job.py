"""A unit of work for the committer, and the stage on which a group's files are prepared.

A job prepares (UIDs, file names), then applies its rows, in one or more pieces. Invariants: it
refuses by StoreError before it changes anything; `apply` looks accounts and mailboxes up anew,
since a rollback replaces them; a piece is at most PIECE rows.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from storage.disk import make_folder, store_error, sync_folder
from storage.errors import NoSuchAccount, NoSuchMailbox, StoreError
from storage.files import NewFile
from storage.folder_file import FolderFile, raise_ceiling
from storage.maildir_names import BaseName
from storage.names import normal
from storage.state import Account, Box, State
from storage.transaction import Tx
from storage.values import AccountId, BlobId, MailboxId, Target

T = TypeVar("T")

PIECE = 5_000
"""Rows that one job may give the writer in one group."""

UID_LEASE = 1_000
MAX_UID = 0xFFFF_FFF0


class Turn(Enum):
    """How a job shares the writer with others."""

    SHARED = "shared"
    RUN = "run"  # several pieces during which its accounts' other jobs wait
    SOLO = "solo"  # a group of its own


class Job(Generic[T]):
    """Base of all jobs; `result` is what the caller gets after the commit."""

    turn = Turn.SHARED

    def __init__(self, accounts: Sequence[AccountId]) -> None:
        self.accounts = tuple(accounts)
        self.messages = 0
        self.size = 0
        self.rows = 1
        self.future: asyncio.Future[T] | None = None
        self.error: BaseException | None = None
        self.result: Any = None

    def prepare(self, stage: "Stage") -> None:
        """Gives UIDs and adds files. Raises StoreError or OSError to leave the group."""

    def apply(self, tx: Tx) -> bool:
        """Adds rows and changes. True when done, False when another piece is left."""
        raise AssertionError("a job applies something")

    def after(self) -> None:
        """Behind the commit of the last piece, in the writer's thread."""

    def abandon(self) -> "Job[None] | None":
        """After a failure: a job that removes what earlier pieces left, or None."""
        return None


@dataclass(slots=True)
class Stage:
    """The group being prepared: its files and the folders whose names they change."""

    state: State
    host: str
    now: float
    maildir: Path
    queue: Path
    apart: str
    """Where the queue's files are written first, where that is not the mail's spool; or empty."""
    exists: Callable[[AccountId, MailboxId, int], bool]
    files: list[tuple["Job[Any]", NewFile]] = field(default_factory=list)
    folders: dict[str, None] = field(default_factory=dict)

    def account(self, number: AccountId) -> Account:
        """Raises NoSuchAccount."""
        found = self.state.accounts.get(number)
        if found is None:
            raise NoSuchAccount("no such account")
        return found

    def root(self, number: AccountId) -> Path:
        """The account's Maildir."""
        return account_root(self.maildir, number)

    def folder(self, box: Box) -> str:
        """The mailbox's folder on disk."""
        root = f"{self.maildir}/{box.account & 0xFF:02x}/{box.account}"
        return f"{root}/{box.folder}" if box.folder else root

    def give_uids(self, box: Box, count: int = 1) -> int:
        """The first of `count` UIDs; the ceiling is durable before they are used."""
        first = self.state.give_uids(box, count)
        last = first + count - 1
        if last > MAX_UID:
            raise StoreError("the mailbox has used up its UIDs")
        if last > box.uid_ceiling:
            self.raise_ceiling(box, last + UID_LEASE)
        return first

    def raise_ceiling(self, box: Box, ceiling: int) -> None:
        """Writes the lease into the folder's own file."""
        kept = raise_ceiling(
            Path(self.folder(box)),
            FolderFile(
                box.id,
                box.uidvalidity,
                ceiling,
                special_use=box.special_use,
                subscribed=box.subscribed,
            ),
        )
        box.uid_ceiling = max(ceiling, kept.uid_ceiling)

    def name(self, blob: BlobId, size: int, uid: int, internaldate: float) -> str:
        """The base name of a message file."""
        return str(BaseName(max(0, int(internaldate)), blob, self.host, size, uid))

    def add(self, job: "Job[Any]", file: NewFile) -> None:
        """A file of the group; the folders of its names are flushed with it."""
        self.files.append((job, file))
        for name in file.names:
            self.folders[name.rpartition("/")[0]] = None

    def make_mailbox(self, box: Box) -> None:
        """Makes the folder of a mailbox with its file, durably."""
        folder = Path(self.folder(box))
        make_folder(folder)
        for part in ("tmp", "new", "cur"):
            (folder / part).mkdir(mode=0o700, exist_ok=True)
        if box.folder:
            (folder / "maildirfolder").touch(mode=0o600)
        sync_folder(folder)
        self.raise_ceiling(box, box.uidnext - 1 + UID_LEASE)


def account_root(maildir: Path, number: AccountId) -> Path:
    """`<maildir>/<shard>/<account>`."""
    return maildir / f"{number & 0xFF:02x}" / str(number)


def find_account(tx: Tx, number: AccountId) -> Account:
    """Raises NoSuchAccount."""
    found = tx.state.accounts.get(number)
    if found is None or found.gone:
        raise NoSuchAccount("no such account")
    return found


def find_box(owner: Account, number: MailboxId) -> Box:
    """Raises NoSuchMailbox."""
    box = owner.boxes.get(number)
    if box is None:
        raise NoSuchMailbox("the mailbox does not exist")
    return box


def find_target(owner: Account, target: Target) -> Box:
    """A mailbox that takes messages. Raises NoSuchMailbox."""
    if isinstance(target, str):
        box = owner.names.get(normal(target))
    else:
        box = owner.boxes.get(target)
    if box is None or not box.selectable:
        raise NoSuchMailbox("the mailbox does not exist")
    return box


def as_store_error(error: BaseException | None) -> BaseException | None:
    """OSErrors as what a client may see, everything else as it is."""
    return store_error(error) if isinstance(error, OSError) else error
