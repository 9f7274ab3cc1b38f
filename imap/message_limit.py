"""MESSAGELIMIT: how many messages one command works through, where the operator says so (RFC 9738).

What is beyond it is left out from the lowest UID on, and the answer names the last UID done.
"""

from collections.abc import Sequence
from dataclasses import replace

from imap.grammar.responses import highest_code
from imap.grammar.search_key import AllKey, AndKey, NotKey, SearchKey, SetKey
from imap.replies import No, Reply, Status
from imap.session import Session


def limit_of(session: Session) -> int:
    """The bound; 0 is none."""
    return session.context.settings.imap.message_limit


def cut(session: Session, named: Sequence[int]) -> Sequence[int]:
    """The last of the messages, as many as may be worked through."""
    limit = limit_of(session)
    return named[-limit:] if 0 < limit < len(named) else named


def refuse_more(session: Session, count: int) -> None:
    """For what is done whole or not at all. Raises No."""
    limit = limit_of(session)
    if 0 < limit < count:
        raise No(f"More than {limit} messages at once", b"MESSAGELIMIT %d" % limit)


def told(session: Session, reply: Reply, named: Sequence[int], lowest: int | None) -> Reply:
    """The reply with the code, if some of `named` were left out; `lowest` is the last UID done.

    One of two codes goes ahead in an untagged response: MODIFIED belongs to the tagged one.
    """
    limit = limit_of(session)
    if not 0 < limit < len(named) or lowest is None:
        return reply
    code = b"MESSAGELIMIT %d %d" % (limit, lowest)
    if reply.code.startswith(b"MODIFIED") or reply.status is not Status.OK:
        session.send(b"* OK [%s] Not all messages\r\n" % code)
        return reply
    if reply.highest:
        session.updates(expunge=True)
        told_now = highest_code(session.mailbox.told())
        session.send(b"* OK [%s] Done so far\r\n" % told_now)
    elif reply.code:
        session.send(b"* OK [%s] Done so far\r\n" % reply.code)
    return replace(reply, highest=False, code=code, text=f"{reply.text} for {limit} messages only")


def searched(session: Session, key: SearchKey) -> Sequence[int]:
    """The messages that a program names by its sets: those it looks through."""
    selected = session.mailbox
    if not limit_of(session):
        return range(selected.count)
    keys = key.keys if isinstance(key, AndKey) else (key,)
    named: Sequence[int] = range(selected.count)
    for part in keys:
        if isinstance(part, NotKey) and isinstance(part.key, AllKey):
            return ()
        if isinstance(part, SetKey):
            these = selected.indices(part.sequence, part.uid)
            if isinstance(these, range) and isinstance(named, range):
                named = range(max(these.start, named.start), min(these.stop, named.stop))
            else:
                keep = these if isinstance(these, range) else set(these)
                named = [index for index in named if index in keep]
    return named
