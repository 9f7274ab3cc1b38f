"""SORT, THREAD and their UID forms, CANCELUPDATE (RFC 5256, RFC 5267, RFC 5957, RFC 6203)."""

from imap.grammar.search_commands import CancelUpdate, Sort, Thread
from imap.live_update import keeping
from imap.replies import Bad, Reply
from imap.results import Found, answer, asks_modseq, find, find_scored, saving
from imap.session import Session
from imap.sorting import ordered, threaded


async def sort(session: Session, command: Sort) -> Reply:
    by_modseq = asks_modseq(command.key)
    if by_modseq:
        session.use_condstore()
    with saving(session, command), keeping(session, command) as keep:
        indices, score = await find_scored(session, command.key)
        in_order = await ordered(session, command.criteria, indices, score)
        keep(in_order)
        found = Found(in_order, ascending=False, by_modseq=by_modseq, score=score)
        await answer(session, command, found)
    return Reply("SORT completed")


async def thread(session: Session, command: Thread) -> Reply:
    if asks_modseq(command.key):
        session.use_condstore()
    indices = await find(session, command.key)
    threads = await threaded(session, command.algorithm, indices, command.uid)
    session.send(b"* THREAD%s%s\r\n" % (b" " if threads else b"", threads))
    return Reply("THREAD completed")


async def cancel_update(session: Session, command: CancelUpdate) -> Reply:
    live = session.mailbox.live
    if any(tag not in live for tag in command.tags):
        raise Bad("No such context")
    for tag in command.tags:
        live.pop(tag, None)
    return Reply("CANCELUPDATE completed")
