"""IDLE (RFC 2177): what changes is sent at once, until the client says DONE.

Apple Mail (iOS 18) sends its next command right behind DONE, some clients without DONE at all: a
line that is not DONE ends IDLE and is read as a command.
"""

from imap.grammar.message_commands import Idle
from imap.replies import Reply
from imap.session import Session


async def idle(session: Session, _command: Idle) -> Reply:
    connection = session.connection
    connection.send(b"+ idling\r\n")
    session.updates(expunge=True)
    session.idling = True
    try:
        line = None
        while line is None:
            if session.due:
                await session.tell()
            else:
                line = await connection.line_or_wake()
    finally:
        session.idling = False
    if line.strip().upper() != b"DONE":
        connection.unread(line)
    return Reply("IDLE terminated")
