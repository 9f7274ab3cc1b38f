"""EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, RFC 4315 §2.1).

The EXPUNGE lines come from the view, as for every other session. With CONDSTORE the tagged answer
carries HIGHESTMODSEQ when messages went (RFC 7162 §3.2.7, §3.2.9).
"""

from collections.abc import Sequence

from imap import message_limit
from imap.grammar.message_commands import Expunge
from imap.replies import No, Reply
from imap.session import Session


async def expunge(session: Session, command: Expunge) -> Reply:
    selected = session.mailbox
    if selected.read_only:
        raise No("The mailbox is open read-only", b"READ-ONLY")
    selected.check("e")
    named: Sequence[int] = ()
    uids: Sequence[int] | None = None
    gone: Sequence[int] = ()
    if command.sequence is not None:
        named = selected.uids_of(command.sequence, by_uid=True)
        uids = message_limit.cut(session, named)
    if uids is None or len(uids):
        gone = await session.store.expunge(selected.account, selected.mailbox, uids)
    reply = Reply("EXPUNGE completed", highest=bool(gone) and session.condstore)
    return message_limit.told(session, reply, named, uids[0] if uids else None)
