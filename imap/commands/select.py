"""SELECT, EXAMINE, CHECK, CLOSE and UNSELECT (RFC 9051 §6.3.2, §6.4.1, RFC 3691, RFC 7162 §3.1.8).

\\Recent is not kept, as in RFC 9051: RECENT is always 0.
"""

from imap import updates
from imap.grammar.command import Check, Close, Select, Unselect
from imap.grammar.responses import mailboxid_code
from imap.mailboxes import resolve
from imap.object_ids import mailbox_number
from imap.replies import Bad, Reply
from imap.selected import Selected
from imap.session import Session


async def select(session: Session, command: Select) -> Reply:
    if session.unselect():
        session.send(b"* OK [CLOSED] The mailbox selected before is closed\r\n")
    place = await resolve(session, command.mailbox)
    box = place.need("r")
    if command.resync is not None and "QRESYNC" not in session.enabled:
        raise Bad("ENABLE QRESYNC comes first")
    if command.condstore:
        session.condstore = True
    view = await session.store.view(place.account, box.id)
    selected = Selected(view, place, command.read_only)
    session.send(_description(selected))
    session.select(selected)
    word = "EXAMINE" if command.read_only else "SELECT"
    code = b"READ-ONLY" if command.read_only else b"READ-WRITE"
    return Reply(f"{word} completed", code)


def _description(selected: Selected) -> bytes:
    view, count = selected.view, selected.count
    lines = [
        updates.flags_lines(selected),
        b"* %d EXISTS\r\n* 0 RECENT\r\n" % count,
        b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % view.uidvalidity,
        b"* OK [UIDNEXT %d] Next UID\r\n" % view.uidnext,
        b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % max(1, view.highestmodseq),
        b"* OK [%s] Its id\r\n" % mailboxid_code(mailbox_number(view.account, view.mailbox)),
    ]
    first = _first_unseen(selected)
    if first:
        lines.insert(2, b"* OK [UNSEEN %d] First unseen\r\n" % first)
    return b"".join(lines)


def _first_unseen(selected: Selected) -> int:
    """The number of the first message without \\Seen, 0 when there is none (RFC 3501 §6.3.1)."""
    return selected.view.first_unseen() + 1


async def check(_session: Session, _command: Check) -> Reply:
    """Everything is durable when it is answered: nothing is left to do."""
    return Reply("CHECK completed")


async def close(session: Session, _command: Close) -> Reply:
    """Expunges without a word, unless the mailbox was opened by EXAMINE."""
    selected = session.mailbox
    if not selected.read_only:
        await session.store.expunge(selected.account, selected.mailbox, None)
    session.unselect()
    return Reply("CLOSE completed")


async def unselect(session: Session, _command: Unselect) -> Reply:
    session.unselect()
    return Reply("UNSELECT completed")
