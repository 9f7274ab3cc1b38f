"""Jobs of an import: a mailbox takes the source's UIDVALIDITY, messages come with their UIDs.

Bounded: one job holds at most MESSAGES messages and about BYTES octets. Quota is strict.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from storage.errors import StoreError
from storage.files import NewFile
from storage.job import Job, Stage, Turn, find_account, find_box
from storage.jobs_insert import Copy, add_blob, add_message, check_quota, count
from storage.maildir_names import flag_letters
from storage.rendering import Prepared
from storage.schema import ChangeKind, Origin
from storage.transaction import Tx
from storage.values import AccountId, BlobId, Flags, MailboxId

MESSAGES = 100
BYTES = 8 * 1024 * 1024


class UidsTaken(StoreError):
    """Another message took a UID that the source's messages were to keep."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One rendered message, `data` in CRLF form; `uid` 0 lets the mailbox give one."""

    uid: int
    flags: Flags
    internaldate: float
    data: bytes
    digest: bytes
    prepared: Prepared


class AdoptJob(Job[bool]):
    """An empty mailbox takes a UIDVALIDITY, and its UIDs begin anew; False when it has messages.

    One that had messages and has this UIDVALIDITY already is refused too: no UID is given twice.
    """

    turn = Turn.SOLO

    def __init__(self, account: AccountId, mailbox: MailboxId, uidvalidity: int) -> None:
        super().__init__((account,))
        self._mailbox, self._uidvalidity = mailbox, uidvalidity

    def apply(self, tx: Tx) -> bool:
        owner = find_account(tx, self.accounts[0])
        box = find_box(owner, self._mailbox)
        unused = box.uidnext == 1 or box.uidvalidity != self._uidvalidity
        self.result = box.messages == 0 and unused
        if self.result:
            tx.state.forget_uids(box)
            box.uidvalidity, box.uidnext, box.uid_ceiling = self._uidvalidity, 1, 0
            owner.uidvalidity = max(owner.uidvalidity, self._uidvalidity)
            modseq = box.highestmodseq = tx.touch(owner)
            tx.counters(owner, box)
            tx.reload.add(owner.id)
            tx.log(owner, modseq, ChangeKind.SUBSCRIBE, box.id, name=box.name)
        return True


class ImportJob(Job[int]):
    """Messages for one mailbox, UIDs ascending where given; the result is how many came in."""

    def __init__(self, account: AccountId, mailbox: MailboxId, items: Sequence[Incoming]) -> None:
        super().__init__((account,))
        self._account, self._mailbox, self._items = account, mailbox, items
        self._copies: list[tuple[Incoming, BlobId, Copy]] = []
        self.messages = len(items)
        self.size = sum(item.prepared.stored for item in items)
        self.rows = 4 * len(items)

    def prepare(self, stage: Stage) -> None:
        box = find_box(stage.account(self._account), self._mailbox)
        last = self._items[-1].uid
        first = stage.give_uids(box, last - box.uidnext + 1 if last else len(self._items))
        if last and first > self._items[0].uid:
            raise UidsTaken(f"UIDs of {box.name} were given to other messages meanwhile")
        folder = stage.folder(box)
        for number, item in enumerate(self._items):
            blob, uid = stage.state.next_blob(), item.uid or first + number
            name = stage.name(blob, len(item.data), uid, item.internaldate)
            letters = flag_letters(item.flags.system)
            path = f"cur/{name}:2,{letters}" if letters else f"new/{name}"
            copy = Copy(self._account, box.id, uid, path, item.flags)
            self._copies.append((item, blob, copy))
            stage.add(self, NewFile([f"{folder}/{path}"], (item.data,), mtime=item.internaldate))

    def apply(self, tx: Tx) -> bool:
        owner = find_account(tx, self._account)
        box = find_box(owner, self._mailbox)
        check_quota(owner, sum(item.prepared.size for item in self._items), len(self._items))
        modseq = tx.touch(owner)
        for item, blob, copy in self._copies:
            add_blob(tx, owner, blob, item.prepared, item.digest)
            field = add_message(tx, owner, blob, item.prepared, copy, modseq, item.internaldate)
            tx.appended(owner, box, copy.uid, field, modseq)
            count(owner, box, item.prepared.size)
        uids = array("I", [copy.uid for _, _, copy in self._copies])
        tx.log(owner, modseq, ChangeKind.APPEND, box.id, uids, name=Origin.IMPORT.value)
        self.result = len(self._items)
        return True
