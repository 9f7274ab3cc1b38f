"""The id of a mailbox for clients and scripts: MAILBOXID (RFC 8474 §4, RFC 9042).

It comes from numbers that the store never gives twice: a mailbox keeps it when it is renamed.
"""

from storage.values import AccountId, MailboxId


def mailbox_number(account: AccountId, mailbox: MailboxId) -> str:
    """Without parentheses."""
    return f"F{account:d}-{mailbox:d}"
