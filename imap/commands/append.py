"""APPEND of one or more messages, all or none (RFC 9051 §6.3.12, RFC 3502, RFC 4315, RFC 7889)."""

from imap.commands.store import flags_of
from imap.grammar.command import Append, AppendMessage
from imap.grammar.responses import appenduid_code
from imap.grammar.values import RECENT
from imap.mailboxes import resolve
from imap.replies import No, Reply, reply_of
from imap.session import Session
from storage import values
from storage.errors import NoSuchMailbox


async def append(session: Session, command: Append) -> Reply:
    """The messages are in the connection's Upload, which drops what the store does not take."""
    place = await resolve(session, command.mailbox)
    place.target("i")
    messages = [await _message(session, message) for message in command.messages]
    try:
        done = await session.store.append(place.account, place.name, messages)
    except NoSuchMailbox as error:
        return reply_of(error, target=True)
    return Reply("APPEND completed", appenduid_code(done.uidvalidity, done.target))


async def _message(session: Session, message: AppendMessage) -> values.Append:
    upload, number = session.connection.upload, message.data.stream
    if upload is None or number is None:
        raise No("The message did not arrive whole", b"UNAVAILABLE")
    content = await upload.content(number)
    if not content.size:
        raise No("An empty message can't be stored", b"CANNOT")
    flags = flags_of([flag for flag in message.flags if flag != RECENT])
    date = message.date.timestamp() if message.date is not None else None
    return values.Append(content, flags, date)
