"""Suspects: committed deliveries whose acceptance the sender may not have heard.

A resend with equal content to the same recipient is then answered with the copy that is there,
once, within five days, if the message has a Message-ID and its row still exists (DeliverJob).
"""

from sqlalchemy import delete, insert

from storage.job import Job
from storage.schema import suspect
from storage.transaction import Tx
from storage.values import Delivery, DeliveryResult

SUSPECT_SECONDS = 5 * 86_400


class SuspectJob(Job[None]):
    """Marks the local copies of one delivery."""

    def __init__(self, delivery: Delivery, result: DeliveryResult) -> None:
        made = [one for one in result.local if one.mailbox]
        super().__init__([one.account for one in made])
        self._digest, self._made = delivery.content.digest, made

    def apply(self, tx: Tx) -> bool:
        s = suspect.c
        for one in self._made:
            owner = tx.state.accounts.get(one.account)
            if owner is None:
                continue
            expires = tx.now + SUSPECT_SECONDS
            tx.conn.execute(delete(suspect).where(s.account == owner.id, s.digest == self._digest))
            tx.conn.execute(
                insert(suspect).values(
                    account=owner.id,
                    digest=self._digest,
                    mailbox=one.mailbox,
                    uid=one.uid,
                    expires=expires,
                )
            )
            owner.suspects[self._digest] = (one.mailbox, one.uid, expires)
            tx.counters(owner)
        return True
