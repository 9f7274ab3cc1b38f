"""APPEND and REPLACE: messages that come in, all or none.

RFC 9051 §6.3.12, RFC 3502, RFC 4315, RFC 4469, RFC 7889, RFC 8508. The messages are in the
connection's Upload, which drops what the store does not take.
"""

from imap.catenate import catenate
from imap.commands.store import flags_of
from imap.grammar.command import Append, AppendMessage, Catenate, Replace
from imap.grammar.responses import appenduid_code
from imap.grammar.values import RECENT
from imap.mailboxes import resolve
from imap.place import Place
from imap.replies import Bad, No, Reply, reply_of
from imap.session import Session
from imap.upload import Upload
from storage import values
from storage.errors import MessageMissing, NoSuchMailbox
from storage.values import FlagChange, Flags, System, UidMap


async def append(session: Session, command: Append) -> Reply:
    place = await resolve(session, command.mailbox)
    place.target("i")
    messages = [await _message(session, message) for message in command.messages]
    try:
        done = await session.store.append(place.account, place.name, messages)
    except NoSuchMailbox as error:
        return reply_of(error, target=True)
    session.made(done)
    return Reply("APPEND completed", appenduid_code(done.uidvalidity, done.target))


async def replace(session: Session, command: Replace) -> Reply:
    """One transaction; EXISTS and EXPUNGE come from the views, as for every other session."""
    selected = session.mailbox
    if selected.read_only:
        raise No("The mailbox is open read-only", b"READ-ONLY")
    uids = selected.uids_of(command.sequence, command.uid)
    if not uids:
        raise No("No such message") if command.uid else Bad("No such message")
    place = await resolve(session, command.mailbox)
    place.target("i")
    message = await _message(session, command.message)
    try:
        done = await _replaced(session, uids[0], place, message)
    except NoSuchMailbox as error:
        return reply_of(error, target=True)
    code = appenduid_code(done.uidvalidity, done.target)
    session.send(b"* OK [%s] Replacement message ready\r\n" % code)
    return Reply("REPLACE completed")


async def _replaced(session: Session, uid: int, place: Place, message: values.Append) -> UidMap:
    """Between two accounts the copy is durable before the other goes."""
    selected, store = session.mailbox, session.store
    if place.account == selected.account:
        return await store.replace(place.account, selected.mailbox, uid, place.name, message)
    if selected.view.index_of(uid) < 0:
        raise MessageMissing("The message to be replaced is gone")
    done = await store.append(place.account, place.name, [message])
    deleted = Flags(System.DELETED)
    await store.store(selected.account, selected.mailbox, [uid], FlagChange.ADD, deleted)
    await store.expunge(selected.account, selected.mailbox, [uid])
    return done


async def _message(session: Session, message: AppendMessage) -> values.Append:
    content = await _content(session, message)
    if not content.size:
        raise No("An empty message can't be stored", b"CANNOT")
    flags = flags_of([flag for flag in message.flags if flag != RECENT])
    date = message.date.timestamp() if message.date is not None else None
    return values.Append(content, flags, date)


async def _content(session: Session, message: AppendMessage) -> values.Content:
    connection = session.connection
    if isinstance(message.data, Catenate):
        if connection.upload is None:
            connection.upload = Upload(session.context)
        return await catenate(session, connection.upload, message.data)
    if connection.upload is None or message.data.stream is None:
        raise No("The message did not arrive whole", b"UNAVAILABLE")
    return await connection.upload.content(message.data.stream)
