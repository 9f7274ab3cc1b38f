"""EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, RFC 4315 §2.1).

The EXPUNGE lines come from the view, as for every other session. With CONDSTORE the tagged answer
carries HIGHESTMODSEQ (RFC 7162 §3.2.10 names it for QRESYNC; clients use it with CONDSTORE alike).
"""

from imap.grammar.command import Expunge
from imap.replies import No, Reply
from imap.session import Session


async def expunge(session: Session, command: Expunge) -> Reply:
    selected = session.mailbox
    if selected.read_only:
        raise No("The mailbox is open read-only", b"READ-ONLY")
    uids = None
    if command.sequence is not None:
        uids = selected.uids_of(command.sequence, by_uid=True)
    if uids is None or len(uids):
        await session.store.expunge(selected.account, selected.mailbox, uids)
    code = b"HIGHESTMODSEQ %d" % selected.view.highestmodseq if session.condstore else b""
    return Reply("EXPUNGE completed", code)
