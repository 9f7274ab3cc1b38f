"""Jobs in several pieces: progress that survives a repeated `apply`, and runs that stay invisible.

A run (COPY, MULTIAPPEND beyond one piece) inserts above the published UIDNEXT and becomes visible
with its last piece. The account's other jobs wait meanwhile, so the modseq taken
with its first piece stays in order.
"""

import time
from array import array
from typing import TypeVar

from storage import rows
from storage.files import NewFile, discard
from storage.job import Job, Stage, Turn
from storage.schema import ChangeKind
from storage.state import Account, Box
from storage.transaction import Tx
from storage.values import AccountId, MailboxId

T = TypeVar("T")
_RETRY = 0.1


class PiecesJob(Job[T]):
    """`self.piece` counts pieces that are committed; `apply` may be repeated after a rollback."""

    def __init__(self, account: AccountId) -> None:
        super().__init__((account,))
        self.account = account
        self.piece = 0
        self._applied = False

    def prepare(self, stage: Stage) -> None:
        if self._applied:
            self.piece += 1
            self._applied = False
        self.prepare_piece(stage)

    def apply(self, tx: Tx) -> bool:
        done = self.apply_piece(tx)
        self._applied = True
        return done

    def prepare_piece(self, stage: Stage) -> None:
        """Files and UIDs of piece number `self.piece`."""

    def apply_piece(self, tx: Tx) -> bool:
        """Rows of piece number `self.piece`; True for the last."""
        raise AssertionError("a piece applies something")


class RunJob(PiecesJob[T]):
    """A PiecesJob that fills `mailbox` from UID `first` on."""

    mailbox = MailboxId(0)
    first = 0
    modseq = 0

    def publish(
        self,
        tx: Tx,
        owner: Account,
        box: Box,
        uids: "array[int]",
        fields: "array[int]",
        source: MailboxId | None = None,
    ) -> None:
        """The last piece: the rows become visible, with their counts; copies of what is in
        `source`.
        """
        for uid, field in zip(uids, fields, strict=True):
            tx.appended(owner, box, uid, field, self.modseq)
        old = "" if source is None else str(source)
        tx.log(owner, self.modseq, ChangeKind.APPEND, box.id, uids, old=old)

    def take_modseq(self, tx: Tx, owner: Account) -> None:
        """With the first piece."""
        if self.piece == 0:
            self.modseq = tx.touch(owner)

    def made_files(self) -> list[NewFile]:
        """Files of committed pieces, to be removed when the run fails."""
        return []

    def abandon(self) -> "Job[None] | None":
        if self.piece == 0 and not self._applied:
            return None
        return RunCleaner(self.account, self.mailbox, self.first, self.made_files())


class RunCleaner(Job[None]):
    """Removes what a failed run left, before the account's other jobs go on."""

    turn = Turn.RUN

    def __init__(
        self, account: AccountId, mailbox: MailboxId, first: int, files: list[NewFile]
    ) -> None:
        super().__init__((account,))
        self._mailbox, self._first, self._files = mailbox, first, files

    def apply(self, tx: Tx) -> bool:
        rows.remove_run(tx.conn, self.accounts[0], self._mailbox, self._first)
        return True

    def abandon(self) -> "Job[None] | None":
        time.sleep(_RETRY)  # the disk is full, most likely; nothing of the account may overtake
        self.error = None
        return self

    def after(self) -> None:
        discard(self._files)  # nobody has seen them
