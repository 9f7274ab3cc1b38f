"""Object ids as IMAP writes them (RFC 8474 §4, §5): storage/object_ids.py in octets."""

from storage.object_ids import email_number, mailbox_number, thread_number
from storage.values import BlobId, Mailbox


def mailbox_id(box: Mailbox) -> bytes:
    """MAILBOXID, without parentheses."""
    return mailbox_number(box.account, box.id).encode()


def email_id(blob: BlobId) -> bytes:
    """EMAILID, without parentheses."""
    return email_number(blob).encode()


def thread_id(thread: int) -> bytes:
    """THREADID, without parentheses."""
    return thread_number(thread).encode()
