"""Errors of the store. Their texts may be shown to a peer; causes stay in `__cause__`."""


class StoreError(Exception):
    """Base. `str(error)` is safe to send to a client."""


class StoreFull(StoreError):
    """No space left on the device: temporary, SMTP 452 4.3.1, IMAP NO."""


class StoreUnavailable(StoreError):
    """Read-only disk, I/O error, closing: temporary, SMTP 451 4.3.0, IMAP NO [UNAVAILABLE]."""


class OverQuota(StoreError):
    """The account's bytes or messages are used up: IMAP NO [OVERQUOTA], SMTP 452 4.2.2 at RCPT."""


class NoSuchAccount(StoreError):
    """The account is not in the store."""


class NoSuchMailbox(StoreError):
    """IMAP NO [NONEXISTENT], for APPEND and COPY targets NO [TRYCREATE]."""


class MailboxExists(StoreError):
    """IMAP NO [ALREADYEXISTS]."""


class MailboxForbidden(StoreError):
    """A name or an operation that the store refuses (deleting INBOX, bad names): NO [CANNOT]."""


class MailboxHasChildren(StoreError):
    """A name that only holds other mailboxes goes after them: IMAP NO [HASCHILDREN] (RFC 5530)."""


class MailboxHasMessages(StoreError):
    """It holds messages, and was to be deleted only without any."""


class TooMany(StoreError):
    """More messages than one atomic operation may touch (50,000): IMAP NO [LIMIT]."""


class MessageMissing(StoreError):
    """The message was expunged, or its file is gone after a scan under the folder's lock."""


class StoreLocked(StoreError):
    """Another process serves this store; the text says what to do."""


class StoreDamaged(StoreError):
    """The index is missing, corrupt or older than the message files: start refuses, the text names
    `mailserver repair`.
    """


class SchemaTooNew(StoreError):
    """The index was written by a newer program."""


class TooOld(StoreError):
    """The journal does not reach back so far, or too much has changed."""
