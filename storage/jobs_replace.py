"""REPLACE: one message appended and one expunged in the same transaction (RFC 8508 §3.4)."""

from storage import rows
from storage.errors import MessageMissing
from storage.job import Stage, find_account, find_box
from storage.jobs_append import AppendJob, Item
from storage.jobs_expunge import expunge_found
from storage.jobs_insert import check_quota
from storage.rows import Found
from storage.state import Account
from storage.transaction import Tx
from storage.values import AccountId, MailboxId


class ReplaceJob(AppendJob):
    """`uid` of `source` gives way, whatever its flags; its octets count as free already."""

    def __init__(
        self, account: AccountId, source: MailboxId, uid: int, name: str, item: Item
    ) -> None:
        super().__init__(account, name, [item])
        self._source, self._uid = source, uid
        self._found: list[Found] = []
        self.rows += 1

    def prepare_piece(self, stage: Stage) -> None:
        find_box(stage.account(self.account), self._source)
        super().prepare_piece(stage)

    def admit(self, tx: Tx, owner: Account, size: int, messages: int) -> None:
        tx.flush()
        self._found = rows.find(tx.conn, owner.id, self._source, [self._uid])
        if not self._found:
            raise MessageMissing("the message to be replaced is gone")
        check_quota(owner, size - sum(row[4] for row in self._found), messages - 1)

    def apply_piece(self, tx: Tx) -> bool:
        done = super().apply_piece(tx)
        owner = find_account(tx, self.account)
        expunge_found(tx, owner, find_box(owner, self._source), self._found)
        return done
