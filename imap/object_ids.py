"""Object ids as clients see them: MAILBOXID, EMAILID and THREADID (RFC 8474 §4, §5).

Both come from numbers that the store never gives twice: a mailbox keeps its own when it is renamed,
and the copies of a message share the blob that holds its content.
"""

from storage.mailbox_ids import mailbox_number
from storage.values import BlobId, Mailbox


def mailbox_id(box: Mailbox) -> bytes:
    """MAILBOXID, without parentheses."""
    return mailbox_number(box.account, box.id).encode()


def email_id(blob: BlobId) -> bytes:
    """EMAILID, without parentheses."""
    return b"M%x" % blob


def blob_of(value: str) -> BlobId:
    """The blob of an EMAILID; 0, which none has, for what this server never gave."""
    try:
        blob = BlobId(int(value[1:], 16))
    except ValueError:
        return BlobId(0)
    return blob if email_id(blob).decode() == value else BlobId(0)


def thread_id(thread: int) -> bytes:
    """THREADID, without parentheses."""
    return b"T%x" % thread


def thread_of(value: str) -> int:
    """The number of a THREADID; 0, which none has, for what this server never gave."""
    try:
        number = int(value[1:], 16)
    except ValueError:
        return 0
    return number if thread_id(number).decode() == value and number < 1 << 63 else 0
