"""SELECT, EXAMINE, CHECK, CLOSE and UNSELECT (RFC 9051 §6.3.2, §6.4.1, RFC 3691, RFC 7162 §3.1.8,
§3.2.5, §3.2.8, RFC 8474 §4.2).

\\Recent is not kept, as in RFC 9051: RECENT is always 0, and left out for IMAP4rev2, as is UNSEEN.
"""

from imap import updates
from imap.grammar.mailbox_commands import Select
from imap.grammar.message_commands import Check, Close, Unselect
from imap.grammar.responses import list_line, mailboxid_code
from imap.grammar.resync import Resync
from imap.mailboxes import resolve
from imap.mode import Mode
from imap.place import Place
from imap.replies import Bad, No, Reply
from imap.resync import resync
from imap.selected import Selected
from imap.session import Session
from storage.errors import StoreError
from storage.object_ids import mailbox_number


async def select(session: Session, command: Select) -> Reply:
    _check_resync(session, command)
    if session.unselect():
        session.send(b"* OK [CLOSED] The mailbox selected before is closed\r\n")
    place = await resolve(session, command.mailbox)
    box = place.need("r")
    if command.condstore:
        session.use_condstore()
    view = await session.store.view(place.account, box.id)
    selected = Selected(view, place, command.read_only)
    session.select(selected)
    await _look_again(session, command.mailbox)
    session.send(_description(selected, session.mode))
    if session.mode.rev2:
        session.send(_listed(place, command.mailbox))
    if command.resync is not None:
        await _resync(session, command.resync)
    word = "EXAMINE" if command.read_only else "SELECT"
    code = b"READ-ONLY" if selected.read_only else b"READ-WRITE"
    return Reply(f"{word} completed", code)


def _check_resync(session: Session, command: Select) -> None:
    """Raises Bad, before the mailbox selected so far is left."""
    if command.resync is None:
        return
    if not session.mode.qresync:
        raise Bad("ENABLE QRESYNC comes first")
    if command.resync.match is not None and session.mode.uidonly:
        raise Bad("UIDONLY leaves no sequence numbers to compare", b"UIDREQUIRED")


async def _resync(session: Session, known: Resync) -> None:
    """A mailbox whose changes can't be read is not selected."""
    try:
        await resync(session, known)
    except StoreError:
        session.unselect()
        raise


async def _look_again(session: Session, name: str) -> None:
    """What was taken away while the view was read is noticed; what follows, the session hears."""
    try:
        place = await resolve(session, name)
        place.need("r")
    except (No, StoreError):
        session.unselect()
        raise
    session.mailbox.place = place


def _description(selected: Selected, mode: Mode) -> bytes:
    view, count = selected.view, selected.count
    number = mailbox_number(view.account, view.mailbox).encode()
    lines = [
        updates.flags_lines(selected),
        b"* %d EXISTS\r\n" % count,
        b"" if mode.rev2 else b"* 0 RECENT\r\n",
        b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % view.uidvalidity,
        b"* OK [UIDNEXT %d] Next UID\r\n" % view.uidnext,
        b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % max(1, view.highestmodseq),
        b"* OK [%s] Its id\r\n" % mailboxid_code(number),
    ]
    first = view.first_unseen() + 1
    if first and not mode.uidonly and not mode.rev2:
        lines.insert(3, b"* OK [UNSEEN %d] First unseen\r\n" % first)
    return b"".join(lines)


def _listed(place: Place, asked: str) -> bytes:
    """The LIST response that IMAP4rev2 wants, with the name that was asked for if it is another."""
    old = asked if asked != place.shown else None
    return list_line(place.shown, (), "/", old_name=old, utf8=True)


async def check(_session: Session, _command: Check) -> Reply:
    """Everything is durable when it is answered: nothing is left to do."""
    return Reply("CHECK completed")


async def close(session: Session, _command: Close) -> Reply:
    """Expunges without a word, unless the mailbox was opened by EXAMINE or that is not allowed.

    HIGHESTMODSEQ counts what was expunged, if the client knows all that happened before
    (RFC 7162 §3.2.8): else it is what it knew, so that it hears of the rest when it comes back.
    """
    selected, code = session.mailbox, b""
    if not selected.read_only and "e" in selected.rights:
        told = selected.told()
        gone = await session.store.expunge(selected.account, selected.mailbox, None)
        if gone and session.condstore:
            told = selected.view.highestmodseq if selected.only_expunged(gone) else told
            code = b"HIGHESTMODSEQ %d" % told
    session.unselect()
    return Reply("CLOSE completed", code)


async def unselect(session: Session, _command: Unselect) -> Reply:
    session.unselect()
    return Reply("UNSELECT completed")
