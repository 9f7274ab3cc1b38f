"""STATUS, and the STATUS responses of LIST (RFC 9051 §6.3.11, RFC 5819, RFC 7162, RFC 7889,
RFC 8438, RFC 8474, RFC 9208).
"""

from collections.abc import Sequence

from imap.grammar.mailbox_commands import Status, StatusItem
from imap.grammar.responses import status_line
from imap.mailboxes import resolve
from imap.object_ids import mailbox_id
from imap.place import Place
from imap.replies import Reply
from imap.session import Session
from storage.values import Mailbox


async def status(session: Session, command: Status) -> Reply:
    place = await resolve(session, command.mailbox)
    session.send(await status_of(session, place, place.need("r"), command.items))
    return Reply("STATUS completed")


async def status_of(
    session: Session, place: Place, box: Mailbox, items: Sequence[StatusItem]
) -> bytes:
    """The response for a mailbox that may be read."""
    values: dict[StatusItem, int | bytes | None] = {
        StatusItem.MESSAGES: box.messages,
        StatusItem.RECENT: 0,
        StatusItem.UIDNEXT: box.uidnext,
        StatusItem.UIDVALIDITY: box.uidvalidity,
        StatusItem.UNSEEN: box.unseen,
        StatusItem.DELETED: box.deleted,
        StatusItem.SIZE: box.size,
        StatusItem.HIGHESTMODSEQ: max(1, box.highestmodseq),
        StatusItem.APPENDLIMIT: session.context.settings.limits.message_size,
        StatusItem.MAILBOXID: b"(%s)" % mailbox_id(box),
    }
    if StatusItem.DELETED_STORAGE in items:
        values[StatusItem.DELETED_STORAGE] = await session.store.deleted_size(box)
    if StatusItem.HIGHESTMODSEQ in items:
        session.use_condstore()
    return status_line(place.shown, {item: values[item] for item in items}, session.utf8)
