"""SEARCH and UID SEARCH, answered by SEARCH or ESEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182,
RFC 5267, RFC 6203, RFC 7162 §3.1.5, RFC 9394, RFC 9738).
"""

from imap import message_limit
from imap.grammar.message_commands import Search
from imap.grammar.search_key import SearchReturn
from imap.live_update import keeping
from imap.replies import Reply
from imap.results import Found, answer, asks_modseq, find_scored, saving
from imap.session import Session


async def search(session: Session, command: Search) -> Reply:
    by_modseq = asks_modseq(command.key)
    if by_modseq:
        session.use_condstore()
    named = message_limit.searched(session, command.key)
    among = message_limit.cut(session, named)
    lowest = session.mailbox.uids[among[0]] if among else None
    with saving(session, command), keeping(session, command) as keep:
        these = among if among is not named else None
        indices, score = await find_scored(session, command.key, among=these)
        found = Found(indices, by_modseq=by_modseq, score=score)
        keep(found.indices)
        await answer(session, command, found)
    reply = Reply("SEARCH completed")
    if command.returns is not None and SearchReturn.SAVE in command.returns:
        reply = Reply("SEARCH completed, result saved")
    return message_limit.told(session, reply, named, lowest)
