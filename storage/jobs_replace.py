"""Messages appended and others expunged in the same transaction, in one account or two: REPLACE
(RFC 8508 §3.4), and MOVE between accounts (RFC 6851 §3.3).
"""

from array import array
from collections.abc import Sequence

from storage import rows
from storage.errors import MessageMissing
from storage.job import Stage, find_account, find_box
from storage.jobs_append import AppendJob, Item
from storage.jobs_expunge import expunge_found
from storage.jobs_insert import check_quota
from storage.rows import Found
from storage.state import Account
from storage.transaction import Tx
from storage.values import AccountId, MailboxId, Target


class ReplaceJob(AppendJob):
    """`uids` of `source` give way, whatever their flags, all or none; in the same account their
    octets count as free already. For items that make one piece.
    """

    def __init__(
        self,
        source: tuple[AccountId, MailboxId],
        uids: "array[int]",
        target: tuple[AccountId, Target],
        items: Sequence[Item],
    ) -> None:
        super().__init__(*target, items)
        self._owner, self._source = source
        self._uids = uids
        self._found: list[Found] = []
        self.accounts = tuple(dict.fromkeys((self.account, self._owner)))
        self.rows += len(uids)

    def prepare_piece(self, stage: Stage) -> None:
        find_box(stage.account(self._owner), self._source)
        super().prepare_piece(stage)

    def admit(self, tx: Tx, owner: Account, size: int, messages: int) -> None:
        find_box(find_account(tx, self._owner), self._source)
        tx.flush()
        self._found = rows.find(tx.conn, self._owner, self._source, self._uids)
        if len(self._found) < len(self._uids):
            raise MessageMissing("the message is gone")
        if owner.id == self._owner:
            size -= sum(row[4] for row in self._found)
            messages -= len(self._found)
        check_quota(owner, size, messages)

    def apply_piece(self, tx: Tx) -> bool:
        done = super().apply_piece(tx)
        owner = find_account(tx, self._owner)
        expunge_found(tx, owner, find_box(owner, self._source), self._found)
        return done
