"""Tells of what a client did, for scripts that run on it (RFC 6785)."""

from collections.abc import Sequence

from filters.recipients.flag_words import words_of
from filters.recipients.imap_events import Cause, Happened
from imap.session import Session
from storage.values import NO_FLAGS, AccountId, Flags, MailboxId


def tell(
    session: Session,
    account: AccountId,
    mailbox: MailboxId,
    uids: Sequence[int],
    cause: Cause,
    flags: Flags = NO_FLAGS,
) -> None:
    """The command is done; nothing here waits."""
    events = session.context.events
    if events is not None and uids:
        words = words_of(flags)
        events.happened(Happened(session.account, account, mailbox, uids, cause, words))
