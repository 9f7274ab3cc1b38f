"""Rows of a message that comes into a mailbox, and what it counts for; used by several jobs."""

from dataclasses import dataclass

from storage.errors import OverQuota
from storage.rendering import Prepared
from storage.schema import KEYWORD_SHIFT
from storage.state import Account, Box
from storage.transaction import Tx
from storage.values import AccountId, BlobId, Flags, MailboxId


@dataclass(slots=True)
class Copy:
    """One local copy: its row's key, and its name below the mailbox's folder."""

    account: AccountId
    mailbox: MailboxId
    uid: int
    path: str
    flags: Flags
    is_resend: bool = False


def add_blob(tx: Tx, owner: Account, blob: BlobId, item: Prepared, digest: bytes) -> None:
    """The wide row, written once."""
    tx.blobs.append(
        (
            owner.id,
            blob,
            item.size,
            item.stored,
            item.header_length,
            item.version,
            digest,
            item.meta,
            item.parts,
        )
    )


def add_message(
    tx: Tx,
    owner: Account,
    blob: BlobId,
    item: Prepared,
    copy: Copy,
    modseq: int,
    internaldate: float,
) -> int:
    """The narrow row and the place; returns the flag field."""
    field = tx.field_of(owner, copy.flags)
    tx.messages.append(
        (
            owner.id,
            copy.mailbox,
            copy.uid,
            modseq,
            int(copy.flags.system),
            field >> KEYWORD_SHIFT,
            internaldate,
            tx.now,
            item.size,
            blob,
            None,
        )
    )
    tx.places.append((owner.id, blob, copy.mailbox, copy.uid, copy.path))
    return field


def count(owner: Account, box: Box, size: int) -> None:
    """One visible message more in the account's use and the mailbox's size."""
    owner.used_bytes += size
    owner.used_messages += 1
    box.size += size


def check_quota(owner: Account, size: int, messages: int) -> None:
    """Strict, for APPEND and COPY; what adds nothing comes in though there is too much already.
    Raises OverQuota.
    """
    over_bytes = size > 0 and 0 < owner.limit_bytes < owner.used_bytes + size
    if over_bytes or (messages > 0 and 0 < owner.limit_messages < owner.used_messages + messages):
        raise OverQuota("the mailbox is full: delete messages first")
