"""COPY and MOVE between mailboxes of one account: rows at once, names on disk by the mirror.

COPY is atomic (a run when it is large); MOVE goes in pieces, each of them whole (RFC 6851 §3.3).
"""

from array import array
from collections.abc import Sequence

from storage import rows
from storage.job import PIECE, Stage, Turn, find_account, find_box, find_target
from storage.jobs_insert import check_quota
from storage.jobs_run import PiecesJob, RunJob
from storage.rows import Found
from storage.schema import KEYWORD_SHIFT, ChangeKind, Origin
from storage.state import Account, Box
from storage.transaction import DeltaKind, Tx
from storage.values import EVERY_FLAG, AccountId, MailboxId, Settable, System, Target, UidMap


class CopyJob(RunJob[UidMap]):
    """`uids` ascend, without doubles; those that vanished are left out. `keep`: flags that the
    copies may have.
    """

    def __init__(
        self,
        account: AccountId,
        source: MailboxId,
        uids: "array[int]",
        target: Target,
        keep: Settable = EVERY_FLAG,
    ) -> None:
        super().__init__(account)
        self._source, self._uids, self._target, self._keep = source, uids, target, keep
        self._found: list[list[Found]] = []
        self.turn = Turn.RUN if len(uids) > PIECE else Turn.SHARED
        self.rows = len(uids)

    def prepare_piece(self, stage: Stage) -> None:
        owner = stage.account(self.account)
        find_box(owner, self._source)
        if self.piece == 0:
            box = find_target(owner, self._target)
            self.mailbox, self.first = box.id, stage.give_uids(box, max(1, len(self._uids)))

    def apply_piece(self, tx: Tx) -> bool:
        owner = find_account(tx, self.account)
        source, box = find_box(owner, self._source), find_box(owner, self.mailbox)
        tx.flush()
        start = self.piece * PIECE
        found = rows.find(tx.conn, owner.id, source.id, self._uids[start : start + PIECE])
        earlier = self._found[: self.piece]
        copied = sum(map(len, earlier))
        size = sum(row[4] for rows_ in (*earlier, found) for row in rows_)
        check_quota(owner, size, copied + len(found))
        self.take_modseq(tx, owner)
        first = self.first + copied
        insert_copies(tx, owner, source, box, found, first, self.modseq, self._keep)
        self._found = [*earlier, found]
        if start + PIECE < len(self._uids):
            return False
        every = [row for rows_ in self._found for row in rows_]
        owner.used_bytes += size
        owner.used_messages += len(every)
        box.size += size
        uids = array("I", range(self.first, self.first + len(every)))
        if every:
            self.publish(tx, owner, box, uids, fields_of(every, self._keep), source.id)
        self.result = UidMap(box.uidvalidity, array("I", [row[0] for row in every]), uids)
        return True


class MoveJob(PiecesJob[UidMap]):
    """`uids` ascend, without doubles; those that vanished are left out. `keep`: flags that the
    copies may have; `origin`: who moves them.
    """

    def __init__(
        self,
        account: AccountId,
        source: MailboxId,
        uids: "array[int]",
        target: Target,
        keep: Settable = EVERY_FLAG,
        origin: Origin = Origin.CLIENT,
    ) -> None:
        super().__init__(account)
        self._source, self._uids, self._target, self._keep = source, uids, target, keep
        self._origin = origin
        self._moved: list[tuple[list[Found], int]] = []
        self._mailbox = MailboxId(0)
        self._first = 0
        self.rows = 2 * len(uids)

    def prepare_piece(self, stage: Stage) -> None:
        owner = stage.account(self.account)
        find_box(owner, self._source)
        box = find_target(owner, self._target)
        self._mailbox = box.id
        self._first = stage.give_uids(box, max(1, len(self._piece_uids())))

    def apply_piece(self, tx: Tx) -> bool:
        owner = find_account(tx, self.account)
        source, box = find_box(owner, self._source), find_box(owner, self._mailbox)
        tx.flush()
        found = rows.find(tx.conn, owner.id, source.id, self._piece_uids())
        if found:
            self._move(tx, owner, source, box, found)
        self._moved = [*self._moved[: self.piece], (found, self._first)]
        self.result = UidMap(
            box.uidvalidity,
            array("I", [row[0] for rows_, _ in self._moved for row in rows_]),
            array(
                "I", [u for rows_, first in self._moved for u in range(first, first + len(rows_))]
            ),
        )
        return (self.piece + 1) * (PIECE // 2) >= len(self._uids)

    def _move(self, tx: Tx, owner: Account, source: Box, box: Box, found: list[Found]) -> None:
        modseq = tx.touch(owner)
        insert_copies(tx, owner, source, box, found, self._first, modseq, self._keep)
        expunge_rows(tx, owner, source, found, modseq)
        box.size += sum(row[4] for row in found)
        uids = array("I", range(self._first, self._first + len(found)))
        for uid, field in zip(uids, fields_of(found, self._keep), strict=True):
            tx.appended(owner, box, uid, field, modseq)
        tx.log(owner, modseq, ChangeKind.APPEND, box.id, uids, name=self._origin.value)

    def _piece_uids(self) -> "array[int]":
        start = self.piece * (PIECE // 2)
        return self._uids[start : start + PIECE // 2]


def fields_of(found: Sequence[Found], keep: Settable) -> "array[int]":
    """Flag fields of rows, with the flags to keep."""
    mask = int(keep.system) | (-1 << KEYWORD_SHIFT if keep.keywords else 0)
    return array("I", [(row[1] | row[2] << KEYWORD_SHIFT) & mask for row in found])


def insert_copies(
    tx: Tx,
    owner: Account,
    source: Box,
    box: Box,
    found: Sequence[Found],
    first: int,
    modseq: int,
    keep: Settable,
) -> None:
    """Rows like `found` in `box`, with UIDs from `first` on."""
    if found:
        uids = array("I", [row[0] for row in found])
        rows.copy_rows(
            tx.conn,
            owner.id,
            source.id,
            uids,
            target=box.id,
            first=first,
            modseq=modseq,
            now=tx.now,
            keep=keep,
        )


def expunge_rows(
    tx: Tx, owner: Account, box: Box, found: Sequence[Found], modseq: int
) -> "array[int]":
    """Deletes existing rows of a mailbox, with its counters, delta and journal. The account's use
    is the caller's.
    """
    uids = array("I", [row[0] for row in found])
    rows.remove(tx.conn, owner.id, box.id, uids)
    box.messages -= len(uids)
    box.unseen -= sum(1 for row in found if not row[1] & System.SEEN)
    box.deleted -= sum(1 for row in found if row[1] & System.DELETED)
    box.size -= sum(row[4] for row in found)
    box.highestmodseq = modseq
    tx.delta(DeltaKind.EXPUNGED, owner, box, modseq).uids.extend(uids)
    ids = array("q", [number for row in found for number in (row[5], row[6] or 0)])
    tx.log(owner, modseq, ChangeKind.EXPUNGE, box.id, uids, ids=ids)
    return uids
