"""Ids of mailboxes, messages and threads for clients and scripts: MAILBOXID, EMAILID and THREADID
(RFC 8474 §4, §5, RFC 9042), which are those of JMAP.

They come from numbers that the store never gives twice: a mailbox keeps its own when it is renamed,
and the copies of a message share the blob that holds its content.
"""

from storage.values import AccountId, BlobId, MailboxId


def account_number(account: AccountId) -> str:
    """ACCOUNTID, as JMAP names an account (RFC 9698 §3)."""
    return f"A{account:d}"


def mailbox_number(account: AccountId, mailbox: MailboxId) -> str:
    """MAILBOXID, without parentheses."""
    return f"F{account:d}-{mailbox:d}"


def mailbox_of(value: str, account: AccountId) -> MailboxId | None:
    """The mailbox of an account with this MAILBOXID; None for what this server never gave."""
    prefix = f"F{account:d}-"
    number = value.removeprefix(prefix)
    if not (value.startswith(prefix) and number.isascii() and number.isdigit()) or len(number) > 18:
        return None
    mailbox = MailboxId(int(number))
    return mailbox if mailbox_number(account, mailbox) == value else None


def email_number(blob: BlobId) -> str:
    """EMAILID, without parentheses."""
    return f"M{blob:x}"


def blob_of(value: str) -> BlobId:
    """The blob of an EMAILID; 0, which none has, for what this server never gave."""
    number = _number(value, "M")
    return BlobId(number)


def thread_number(thread: int) -> str:
    """THREADID, without parentheses."""
    return f"T{thread:x}"


def thread_of(value: str) -> int:
    """The number of a THREADID; 0, which none has, for what this server never gave."""
    return _number(value, "T")


def _number(value: str, letter: str) -> int:
    try:
        number = int(value[1:], 16)
    except ValueError:
        return 0
    return number if f"{letter}{number:x}" == value and number < 1 << 63 else 0
