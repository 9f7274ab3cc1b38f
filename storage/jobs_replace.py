"""REPLACE: one message appended and one expunged in the same transaction (RFC 8508 §3.4), whether
both are the same account's or not.
"""

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
    """`uid` of `source` gives way, whatever its flags; in the same account its octets count as free
    already.
    """

    def __init__(
        self,
        source: tuple[AccountId, MailboxId],
        uid: int,
        target: tuple[AccountId, Target],
        item: Item,
    ) -> None:
        super().__init__(*target, [item])
        self._owner, self._source = source
        self._uid = uid
        self._found: list[Found] = []
        self.accounts = tuple(dict.fromkeys((self.account, self._owner)))
        self.rows += 1

    def prepare_piece(self, stage: Stage) -> None:
        find_box(stage.account(self._owner), self._source)
        super().prepare_piece(stage)

    def admit(self, tx: Tx, owner: Account, size: int, messages: int) -> None:
        find_box(find_account(tx, self._owner), self._source)
        tx.flush()
        self._found = rows.find(tx.conn, self._owner, self._source, [self._uid])
        if not self._found:
            raise MessageMissing("the message to be replaced is gone")
        if owner.id == self._owner:
            size -= sum(row[4] for row in self._found)
            messages -= 1
        check_quota(owner, size, messages)

    def apply_piece(self, tx: Tx) -> bool:
        done = super().apply_piece(tx)
        owner = find_account(tx, self._owner)
        expunge_found(tx, owner, find_box(owner, self._source), self._found)
        return done
