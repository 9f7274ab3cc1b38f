"""THREADID in a SEARCH program, answered by the index before the program runs (RFC 8474 §5.5)."""

from imap.grammar.search_key import (
    AndKey,
    FuzzyKey,
    IdField,
    IdKey,
    NotKey,
    OrKey,
    SearchKey,
    SetKey,
)
from imap.grammar.values import SequenceSet
from imap.selected import Selected
from imap.session import Session
from storage.object_ids import thread_of


async def resolved(session: Session, selected: Selected, key: SearchKey) -> SearchKey:
    """The program with conversations as UIDs; without any it stays the same."""
    if not _has_threads(key):
        return key
    await session.store.threads.ensure(selected.account, selected.mailbox, selected.view.uids)
    return await _resolved(session, selected, key)


def _has_threads(key: SearchKey) -> bool:
    if isinstance(key, AndKey):
        return any(map(_has_threads, key.keys))
    if isinstance(key, OrKey):
        return _has_threads(key.left) or _has_threads(key.right)
    if isinstance(key, NotKey | FuzzyKey):
        return _has_threads(key.key)
    return isinstance(key, IdKey) and key.field is IdField.THREADID


async def _resolved(session: Session, selected: Selected, key: SearchKey) -> SearchKey:
    if isinstance(key, AndKey):
        return AndKey(tuple([await _resolved(session, selected, part) for part in key.keys]))
    if isinstance(key, OrKey):
        left = await _resolved(session, selected, key.left)
        return OrKey(left, await _resolved(session, selected, key.right))
    if isinstance(key, NotKey):
        return NotKey(await _resolved(session, selected, key.key))
    if isinstance(key, FuzzyKey):
        return FuzzyKey(await _resolved(session, selected, key.key))
    if isinstance(key, IdKey) and key.field is IdField.THREADID:
        thread = thread_of(key.value)
        account, mailbox = selected.account, selected.mailbox
        uids = await session.store.threads.messages(account, mailbox, thread)
        return SetKey(SequenceSet.of(uids or [0]), True)
    return key
