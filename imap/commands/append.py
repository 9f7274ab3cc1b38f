"""APPEND and REPLACE: messages that come in, all or none.

RFC 9051 §6.3.12, RFC 3502, RFC 4315, RFC 4469, RFC 7889, RFC 8508, RFC 9755. The messages
are in the connection's Upload, which drops what the store does not take.
"""

from collections.abc import Sequence

from filters.recipients.imap_events import Cause
from filters.sent import is_sent
from imap import message_limit
from imap.catenate import catenate
from imap.commands.store import flags_of
from imap.grammar.append_commands import Append, AppendMessage, Catenate, Replace
from imap.grammar.responses import appenduid_code
from imap.grammar.values import RECENT
from imap.mailboxes import resolve
from imap.place import Place, settable
from imap.replies import Bad, No, Reply, reply_of
from imap.scan import scan
from imap.script_events import tell
from imap.session import Session
from imap.upload import Upload
from net.threads import Busy
from storage import values
from storage.errors import NoSuchMailbox
from storage.spool import Spool
from storage.values import Flags


async def append(session: Session, command: Append) -> Reply:
    message_limit.refuse_more(session, len(command.messages))
    place = await resolve(session, command.mailbox)
    box = place.target("i")
    messages = await _messages(session, command.messages, settable(place.rights))
    headers = await _sent_headers(session, place, messages)
    try:
        done = await session.store.append(box.account, box.id, messages)
    except NoSuchMailbox as error:
        return reply_of(error, target=True)
    session.made(done)
    tell(session, box.account, box.id, done.target, Cause.APPEND)
    sent = session.context.sent
    for header in headers:
        if sent is not None:
            await sent.client_saved(place.account, box, header)
    return Reply("APPEND completed", appenduid_code(done.uidvalidity, done.target))


async def _sent_headers(
    session: Session, place: Place, messages: Sequence[values.Append]
) -> list[bytes]:
    """What goes into Sent, where the server may have saved it already; read before the store takes
    it over.
    """
    sent, box = session.context.sent, place.box
    if sent is None or box is None or not is_sent(box):
        return []
    try:
        return [await sent.header_of(message.content) for message in messages]
    except (OSError, Busy):
        return []


async def replace(session: Session, command: Replace) -> Reply:
    """One transaction; EXISTS and EXPUNGE come from the views, as for every other session."""
    selected = session.mailbox
    if selected.read_only:
        raise No("The mailbox is open read-only", b"READ-ONLY")
    selected.check("te")
    uids = selected.uids_of(command.sequence, command.uid)
    if not uids:
        raise No("No such message") if command.uid else Bad("No such message")
    place = await resolve(session, command.mailbox)
    box = place.target("i")
    (message,) = await _messages(session, [command.message], settable(place.rights))
    try:
        here = (selected.account, selected.mailbox, uids[0])
        done = await session.store.replace(*here, box.id, message, owner=box.account)
    except NoSuchMailbox as error:
        return reply_of(error, target=True)
    session.made(done)
    tell(session, box.account, box.id, done.target, Cause.APPEND)
    code = appenduid_code(done.uidvalidity, done.target)
    session.send(b"* OK [%s] Replacement message ready\r\n" % code)
    return Reply("REPLACE completed")


async def _messages(
    session: Session, messages: Sequence[AppendMessage], may: values.Settable
) -> list[values.Append]:
    """All of them are looked at before the first one leaves the Upload; with the flags that the
    user may set there (RFC 4314 §4).
    """
    ready = [
        (await _spool(session, message), may.among(_flags(message)), _date(message))
        for message in messages
    ]
    if session.context.scanner is not None:
        await scan(session.context.scanner, [spool for spool, *_ in ready])
    return [values.Append(await spool.content(), flags, date) for spool, flags, date in ready]


async def _spool(session: Session, message: AppendMessage) -> Spool:
    """Headers in UTF-8 need no ENABLE here: imapsync, mbsync and offlineimap copy mail that has
    them and know no UTF8=ACCEPT (RFC 9755 §4 puts a duty on clients, none on us).
    """
    connection = session.connection
    if isinstance(message.data, Catenate):
        upload = connection.upload or Upload(session.context, session.account)
        connection.keep_upload(upload)
        spool = await catenate(session, upload, message.data)
    elif connection.upload is None or message.data.stream is None:
        raise No("The message did not arrive whole", b"UNAVAILABLE")
    else:
        spool = connection.upload.spool(message.data.stream)
    if not spool.size:
        raise No("An empty message can't be stored", b"CANNOT")
    return spool


def _flags(message: AppendMessage) -> Flags:
    return flags_of([flag for flag in message.flags if flag != RECENT])


def _date(message: AppendMessage) -> float | None:
    return message.date.timestamp() if message.date is not None else None
