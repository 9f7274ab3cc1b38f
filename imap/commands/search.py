"""SEARCH and UID SEARCH, answered by SEARCH or ESEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182,
RFC 5267, RFC 7162 §3.1.5, RFC 9394).
"""

from imap.grammar.command import Search
from imap.grammar.search_key import SearchReturn
from imap.live_update import keeping
from imap.replies import Reply
from imap.results import Found, answer, asks_modseq, find, saving
from imap.session import Session


async def search(session: Session, command: Search) -> Reply:
    by_modseq = asks_modseq(command.key)
    if by_modseq:
        session.use_condstore()
    with saving(session, command), keeping(session, command) as keep:
        found = Found(await find(session, command.key), by_modseq=by_modseq)
        keep(found.indices)
        await answer(session, command, found)
    if command.returns is not None and SearchReturn.SAVE in command.returns:
        return Reply("SEARCH completed, result saved")
    return Reply("SEARCH completed")
