"""New mail of an account as events of webhooks, out of the journal of its mail.

Invariant: how far the journal was read stands with the events that came of it, in one transaction;
so what came while the server was down is told after it.
"""

from typing import Any, Final

from config.clock import rfc3339
from filters.webhooks.events import event_of
from message.headers import first
from message.words import decode_words
from storage.changes import Change
from storage.errors import MessageMissing
from storage.object_ids import email_number
from storage.schema import ChangeKind, Origin
from storage.store import Store
from storage.values import AccountId, BlobId, Mailbox, MailboxId
from storage.webhook_values import Fresh, WebhookEvent

HEAD: Final = 8 * 1024
"""Octets of a header in which From, To and Subject are looked for."""
ROWS: Final = 500
_MOST: Final = 998
_FIELDS: Final = {b"from": "from", b"to": "to", b"subject": "subject", b"message-id": "messageId"}


class Gathering:
    """Reads the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def since(self, account: AccountId, address: str, point: int) -> tuple[list[Fresh], int]:
        """Events of what was delivered behind a modseq, and up to which one; the same one again
        where there is nothing more.
        """
        changes = await self._store.journal(account, point, ROWS)
        boxes = {box.id: box for box in await self._store.mailboxes(account)}
        found: list[Fresh] = []
        for change in changes:
            if change.kind is ChangeKind.APPEND and change.name == Origin.DELIVERY:
                found += await self._of(account, address, change, boxes.get(change.mailbox))
        return found, changes[-1].modseq if changes else point

    async def _of(
        self, account: AccountId, address: str, change: Change, box: Mailbox | None
    ) -> list[Fresh]:
        if box is None:
            return []
        blobs = await self._store.contents(account, change.mailbox, change.uids)
        return [
            event_of(
                WebhookEvent.RECEIVED,
                f"m{account}-{box.uidvalidity}-{change.mailbox}-{uid}",
                address,
                change.at,
                await self._told(account, box, uid, blob, change.at),
            )
            for uid, blob in blobs.items()
        ]

    async def _told(
        self, account: AccountId, box: Mailbox, uid: int, blob: BlobId, at: float
    ) -> dict[str, Any]:
        data: dict[str, Any] = {
            "emailId": email_number(blob),
            "mailbox": box.name,
            "uid": uid,
            "receivedAt": rfc3339(at),
        }
        try:
            head = await self._store.read_body(account, blob, MailboxId(box.id), uid, 0, HEAD)
        except MessageMissing:
            return data
        return data | _fields(head)


def _fields(head: bytes) -> dict[str, str]:
    """What can be read of a header, decoded."""
    found: dict[str, str] = {}
    for name, shown in _FIELDS.items():
        if value := first(head, name):
            found[shown] = decode_words(value)[:_MOST]
    return found
