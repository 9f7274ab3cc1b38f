"""The special-use attribute of a mailbox (RFC 6154); the mirror writes it to the folder's file."""

from storage.job import Job, find_account, find_box
from storage.schema import ChangeKind
from storage.transaction import Tx
from storage.values import AccountId, FoldersChanged, MailboxId


class SpecialUseJob(Job[None]):
    """`use` is one attribute, "" for none. Raises NoSuchMailbox."""

    def __init__(self, account: AccountId, mailbox: MailboxId, use: str) -> None:
        super().__init__((account,))
        self._mailbox, self._use = mailbox, use

    def apply(self, tx: Tx) -> bool:
        owner = find_account(tx, self.accounts[0])
        box = find_box(owner, self._mailbox)
        if box.special_use == self._use:
            return True
        modseq = tx.touch(owner)
        box.special_use = self._use
        tx.counters(owner, box)
        tx.log(owner, modseq, ChangeKind.SPECIAL_USE, box.id, name=box.name)
        tx.folders.append(FoldersChanged(owner.id, modseq))
        return True
