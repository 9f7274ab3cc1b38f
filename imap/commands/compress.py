"""COMPRESS (RFC 4978 §3): everything behind the tagged OK is deflated, both ways.

A client has to wait for the OK. What comes before it was sent is taken as compressed all the same,
since that is what the first octet behind the command has to be.
"""

from imap.grammar.session_commands import Compress
from imap.replies import Bad, Reply
from imap.session import Session


async def compress(session: Session, command: Compress) -> None:
    if command.mechanism != "DEFLATE":
        raise Bad("The only mechanism is DEFLATE")
    if session.connection.compressed:
        raise Bad("DEFLATE is active already", b"COMPRESSIONACTIVE")
    session.updates(expunge=True)
    session.send(Reply("DEFLATE active").tagged(command.tag))
    session.connection.compress()
