"""A delivery: all local copies and queue rows of one message, one job in one transaction.

A mailbox that vanished means INBOX; an account that vanished gives Delivered with mailbox 0, which
the caller bounces. Quota never fails an accepted recipient here.
"""

from array import array

from sqlalchemy import delete

from storage import queue_file, queue_jobs, submission_rows
from storage.files import NewFile
from storage.job import Job, Stage, find_account, find_box
from storage.jobs_insert import Copy, add_blob, add_message, count
from storage.names import INBOX, normal
from storage.queue_file import Envelope
from storage.queue_scan import DueLane
from storage.queue_values import Claim
from storage.rendering import Prepared
from storage.schema import ChangeKind, Origin, suspect
from storage.state import Account
from storage.transaction import Tx
from storage.values import (
    AccountId,
    BlobId,
    Delivered,
    Delivery,
    DeliveryResult,
    Flags,
    LocalRecipient,
    MailboxId,
)

_NOWHERE = MailboxId(0)


class DeliverJob(Job[DeliveryResult]):
    """`item` is None when there is no local recipient. `local_file` and `queue_file` are complete
    files in tmp for what was spooled, `envelope` is that of the queue. `handed` is set before the
    job is run: by what claim the queue's rows are leased from the beginning, and whose turn it is.
    """

    handed: tuple[DueLane, Claim] | None = None

    def __init__(
        self,
        delivery: Delivery,
        item: Prepared | None,
        *,
        envelope: Envelope | None = None,
        local_path: str | None = None,
        queue_path: str | None = None,
    ) -> None:
        super().__init__([recipient.account for recipient in delivery.local])
        self._delivery, self._item, self.envelope = delivery, item, envelope
        self._local_path, self._queue_path = local_path, queue_path
        self._copies: list[Copy | None] = []
        self._blob = BlobId(0)
        own = delivery.sending is not None  # what a user sends is no mail that came
        self._origin = (Origin.CLIENT if own else Origin.DELIVERY).value
        self.messages = 1
        self.size = delivery.content.size
        self.rows = 4 * len(delivery.local) + len(delivery.queued)

    @property
    def spooled(self) -> tuple[str | None, str | None]:
        """The files in tmp that the job takes over."""
        return self._local_path, self._queue_path

    def prepare(self, stage: Stage) -> None:
        delivery = self._delivery
        if self._item is not None:
            self._blob = stage.state.next_blob()
            self._copies = [self._place(stage, recipient) for recipient in delivery.local]
            names = [
                f"{stage.folder(stage.state.accounts[copy.account].boxes[copy.mailbox])}/{copy.path}"
                for copy in self._copies
                if copy is not None and not copy.is_resend
            ]
            if names:
                content = delivery.content
                pieces = (delivery.local_prefix + content.prefix, content.data or b"")
                stage.add(self, NewFile(names, pieces, self._local_path))
        if self.envelope is not None:
            self._add_queue_file(stage, self.envelope)

    def apply(self, tx: Tx) -> bool:
        modseqs: dict[AccountId, int] = {}
        envelope, sending = self.envelope, self._delivery.sending
        if sending is not None and sending.key is not None and self._delivery.account is not None:
            submission_rows.refuse_known(tx.conn, self._delivery.account, sending.key)
        self.result = DeliveryResult(
            tuple([self._insert(tx, copy, modseqs) for copy in self._copies]),
            None if envelope is None else envelope.id,
        )
        if envelope is not None:
            self._enqueue(tx, envelope)
            if sending is not None:
                submission_rows.add(tx.conn, self._delivery, envelope.id, self._blob, tx.now)
        return True

    def _enqueue(self, tx: Tx, envelope: Envelope) -> None:
        claim = None if self.handed is None else self.handed[1]
        size = self._delivery.content.size
        head, rows = queue_jobs.queued_rows(envelope, size, tx.now, claim)
        tx.queue_messages.append(head)
        tx.queue_recipients += rows
        if self.handed is None:
            tx.queued = True
        else:
            tx.handed.append(self.handed)

    def _place(self, stage: Stage, recipient: LocalRecipient) -> Copy | None:
        owner = stage.state.accounts.get(recipient.account)
        if owner is None or self._item is None:
            return None
        box = owner.names.get(normal(recipient.mailbox))
        if box is None or not box.selectable:
            box = owner.names[INBOX]
        if owner.suspects and (resend := self._resend(stage, owner)):
            return resend
        uid = stage.give_uids(box)
        name = stage.name(self._blob, self._item.stored, uid, self._delivery.received_at)
        return Copy(owner.id, box.id, uid, f"new/{name}", recipient.flags)

    def _resend(self, stage: Stage, owner: Account) -> Copy | None:
        """The committed copy whose 250 the sender may not have seen."""
        assert self._item is not None
        found = owner.suspects.get(self._delivery.content.digest)
        if found is None or not self._item.has_id:
            return None
        mailbox, uid, expires = found
        if expires < stage.now or not stage.exists(owner.id, mailbox, uid):
            return None
        return Copy(owner.id, mailbox, uid, "", Flags(), is_resend=True)

    def _insert(self, tx: Tx, copy: Copy | None, modseqs: dict[AccountId, int]) -> Delivered:
        if copy is None:
            return Delivered(AccountId(0), _NOWHERE, 0)
        owner = find_account(tx, copy.account)
        if copy.is_resend:
            _use_up(tx, owner, self._delivery.content.digest)
            return Delivered(copy.account, copy.mailbox, copy.uid)
        box = find_box(owner, copy.mailbox)
        assert self._item is not None
        modseq = modseqs.get(owner.id)
        if modseq is None:
            modseq = modseqs[owner.id] = tx.touch(owner)
            add_blob(tx, owner, self._blob, self._item, self._delivery.content.digest)
        date = self._delivery.received_at
        field = add_message(tx, owner, self._blob, self._item, copy, modseq, date)
        count(owner, box, self._item.size)
        tx.appended(owner, box, copy.uid, field, modseq)
        uids = array("I", (copy.uid,))
        name, old = self._origin, " ".join(copy.flags.keywords)
        tx.log(owner, modseq, ChangeKind.APPEND, box.id, uids, name=name, old=old)
        return Delivered(copy.account, copy.mailbox, copy.uid, self._blob, modseq)

    def _add_queue_file(self, stage: Stage, envelope: Envelope) -> None:
        content = self._delivery.content
        name = f"{stage.queue}/{queue_file.file_name(envelope.id)}"
        if self._queue_path is not None:
            stage.add(self, NewFile([name], path=self._queue_path, spool=stage.apart))
            return
        head = queue_file.head(envelope, content.size)
        pieces = (head, content.prefix, content.data or b"")
        stage.add(self, NewFile([name], pieces, spool=stage.apart))


def _use_up(tx: Tx, owner: Account, digest: bytes) -> None:
    owner.suspects.pop(digest, None)
    tx.conn.execute(
        delete(suspect).where(suspect.c.account == owner.id, suspect.c.digest == digest)
    )
