"""COPY and MOVE with COPYUID (RFC 9051 §6.4.7 and §6.4.8, RFC 4315, RFC 6851).

COPY is atomic in the store, across accounts too. A large MOVE goes in pieces within an account,
each of them whole, and into another copies first. The copies get the flags that the user may set in
the target; MOVE needs `t` and `e` in the source (RFC 4314 §4, RFC 6851 §4.2). MOVE sends COPYUID
untagged before the EXPUNGE lines, which come from the view as everywhere; with CONDSTORE the tagged
answer carries HIGHESTMODSEQ.
"""

from dataclasses import replace

from filters.recipients.imap_events import Cause
from imap import message_limit
from imap.grammar.message_commands import Copy, Move
from imap.grammar.responses import copyuid_code
from imap.mailboxes import resolve
from imap.place import settable
from imap.replies import No, Reply, Status, reply_of
from imap.script_events import tell
from imap.session import Session
from storage.errors import NoSuchMailbox
from storage.values import UidMap


async def copy(session: Session, command: Copy) -> Reply:
    selected = session.mailbox
    uids = selected.uids_of(command.sequence, command.uid)
    message_limit.refuse_more(session, len(uids))
    place = await resolve(session, command.mailbox)
    box, keep = place.target("i"), settable(place.rights)
    here, store = (selected.account, selected.mailbox, uids), session.store
    try:
        if box.account == selected.account:
            done = await store.copy(*here, box.id, keep=keep)
        else:
            done = await store.copy_across(*here, (box.account, box.id), keep=keep)
    except NoSuchMailbox as error:
        return reply_of(error, target=True)
    session.made(done)
    tell(session, box.account, box.id, done.target, Cause.COPY)
    return _ended("COPY", len(uids) - len(done.source), command.uid, _code(done))


async def move(session: Session, command: Move) -> Reply:
    selected = session.mailbox
    if selected.read_only:
        raise No("The mailbox is open read-only", b"READ-ONLY")
    selected.check("te")
    named = selected.uids_of(command.sequence, command.uid)
    uids = message_limit.cut(session, named)
    place = await resolve(session, command.mailbox)
    box, keep = place.target("i"), settable(place.rights)
    here, store = (selected.account, selected.mailbox, uids), session.store
    try:
        if box.account == selected.account:
            done = await store.move(*here, box.id, keep=keep)
        else:
            done = await store.move_across(*here, (box.account, box.id), keep=keep)
    except NoSuchMailbox as error:
        return reply_of(error, target=True)
    session.made(done)
    tell(session, box.account, box.id, done.target, Cause.COPY)
    code = _code(done)
    if code:
        session.send(b"* OK [%s] Moved\r\n" % code)
    missing = len(uids) - len(done.source)
    reply = _ended("MOVE", missing, command.uid, b"")
    if code and session.condstore and reply.status is Status.OK:
        reply = replace(reply, highest=True)
    return message_limit.told(session, reply, named, uids[0] if uids else None)


def _code(done: UidMap) -> bytes:
    """COPYUID, nothing when no message was copied."""
    if not done.source:
        return b""
    return copyuid_code(done.uidvalidity, done.source, done.target)


def _ended(word: str, missing: int, by_uid: bool, code: bytes) -> Reply:
    """By sequence number, messages that others expunged are worth a NO (RFC 2180 §4.4)."""
    if missing and not by_uid:
        return Reply("Some messages were expunged", code or b"EXPUNGEISSUED", Status.NO)
    return Reply(f"{word} completed", code)
