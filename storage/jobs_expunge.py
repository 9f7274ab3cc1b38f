"""EXPUNGE and UID EXPUNGE: rows go, files stay until the mirror sees their last row gone."""

from array import array

from storage import rows
from storage.job import PIECE, Stage, find_account, find_box
from storage.jobs_copy import expunge_rows
from storage.jobs_run import PiecesJob
from storage.state import Account, Box
from storage.transaction import Tx
from storage.values import AccountId, MailboxId, System


class ExpungeJob(PiecesJob["array[int]"]):
    """Messages with \\Deleted among `uids` (ascending), or all of them for None.

    Without `marked`, `uids` go whether they are \\Deleted or not: they were moved elsewhere.
    """

    def __init__(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: "array[int] | None",
        marked: bool = True,
    ) -> None:
        super().__init__(account)
        self._flag = int(System.DELETED) if marked else 0
        self._mailbox, self._uids = mailbox, uids
        self._gone: list[array[int]] = []
        self.rows = PIECE if uids is None else len(uids)

    def prepare_piece(self, stage: Stage) -> None:
        find_box(stage.account(self.account), self._mailbox)

    def apply_piece(self, tx: Tx) -> bool:
        owner = find_account(tx, self.account)
        box = find_box(owner, self._mailbox)
        tx.flush()
        if self._uids is None:
            deleted = rows.with_flag(tx.conn, owner.id, box.id, self._flag, box.uidnext)
            self._uids = array("I", deleted)
        start = self.piece * PIECE
        found = rows.find(tx.conn, owner.id, box.id, self._uids[start : start + PIECE])
        found = [row for row in found if row[1] & self._flag == self._flag]
        gone = expunge_found(tx, owner, box, found)
        self._gone = [*self._gone[: self.piece], gone]
        self.result = array("I", [uid for part in self._gone for uid in part])
        return start + PIECE >= len(self._uids)


def expunge_found(tx: Tx, owner: Account, box: Box, found: list[rows.Found]) -> "array[int]":
    """Deletes existing rows and gives their octets back to the account."""
    if not found:
        return array("I")
    owner.used_bytes -= sum(row[4] for row in found)
    owner.used_messages -= len(found)
    return expunge_rows(tx, owner, box, found, tx.touch(owner))
