"""Tells of what a client did, for scripts that run on it (RFC 6785)."""

from collections.abc import Iterable, Mapping, Sequence

from filters.recipients.flag_words import words_of
from filters.recipients.imap_events import WAITING, Cause, Happened
from imap.session import Session
from storage.values import NO_FLAGS, AccountId, FlagChange, Flags, MailboxId


def tell(
    session: Session,
    account: AccountId,
    mailbox: MailboxId,
    uids: Sequence[int],
    cause: Cause,
    flags: Flags = NO_FLAGS,
) -> None:
    """The command is done; nothing here waits. `flags` were changed."""
    events = session.context.events
    if events is not None and uids:
        words = words_of(flags)
        events.happened(Happened(session.account, account, mailbox, uids, cause, words))


def flags_now(session: Session, uids: Sequence[int]) -> Mapping[int, bytes]:
    """Flags of messages of the selected mailbox, before `tell_flags`; none where no script looks at
    them.
    """
    selected, events = session.mailbox, session.context.events
    if events is None or not events.concerned(selected.account, selected.mailbox):
        return {}
    view = selected.view
    places = ((uid, view.index_of(uid)) for uid in uids[:WAITING])
    return {uid: view.flags_text(view.flags[at]) for uid, at in places if at >= 0}


def tell_flags(
    session: Session,
    before: Mapping[int, bytes],
    uids: Iterable[int],
    how: FlagChange,
    flags: Flags,
) -> None:
    """Of a STORE, with the flags that it has changed of each message (RFC 6785 §4.5)."""
    events, selected = session.context.events, session.mailbox
    if events is None:
        return
    given = {word.lower(): word for word in words_of(flags)}
    found: dict[tuple[str, ...], list[int]] = {}
    for uid in uids:
        had = {word.lower(): word for word in before.get(uid, b"").decode().split()}
        if how is FlagChange.ADD:
            changed = given.keys() - had
        elif how is FlagChange.REMOVE:
            changed = given.keys() & had
        else:
            changed = given.keys() ^ had.keys()
        words = tuple(sorted((given | had)[word] for word in changed))
        found.setdefault(words, []).append(uid)
    here = (session.account, selected.account, selected.mailbox)
    for words, changed_uids in found.items():
        events.happened(Happened(*here, changed_uids, Cause.FLAG, words))
