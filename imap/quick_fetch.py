"""The short way of FETCH for one whole message: `UID FETCH 5 BODY.PEEK[]`, sent a thousand times.

It answers what needs no wait and has nothing special about it, in one step and to the same octets
as commands/fetch.py; everything else, errors included, is left to the usual way. tests/imap sends
both ways the same commands.
"""

import re
from functools import lru_cache
from typing import Final

from imap.fetch_plan import BinaryItem, Messages, Plan, plan_of, starts
from imap.grammar.fetch import MAX_KEPT, UNMODIFIED, wanted_of
from imap.grammar.fetch_item import FetchAtom, Section
from imap.grammar.frame import Frame, ParseError
from imap.mode import Mode
from imap.replies import Reply
from imap.sections import plain
from imap.session import Session
from message.headers import header_block

_WHOLE: Final = Section()
_PARTS: Final = re.compile(rb"(?:\A|\n)Content-Type[ \t]*:\s*(?:multipart|message)", re.IGNORECASE)
_DONE: Final = Reply("FETCH completed")


def quick_fetch(session: Session, frame: Frame) -> bool:
    """Whether the command was answered. `frame` is any command of the selected state."""
    selected = session.selected
    if (
        selected is None
        or frame.name != "FETCH"
        or frame.literals
        or selected.stale
        or selected.live
    ):
        return False
    _, number, rest = (*frame.text.split(b" ", 2), b"", b"")[:3]
    if not (number.isdigit() and len(number) < 10 and 0 < len(rest) <= MAX_KEPT):
        return False
    plan = _plan(rest, frame.uid, session.mode)
    if plan is None:
        return False
    place = (selected.number(int(number)) if frame.uid else int(number)) - 1
    if not 0 <= place < selected.count:
        return False
    view = selected.view
    part = slice(place, place + 1)
    one = Messages((place + 1,), view.uids[part], view.flags[part], view.modseqs[part])
    try:
        data = session.store.message_at_once(selected.account, selected.mailbox, one.uids[0])
    except Exception:
        return False  # the usual way meets it again, and answers
    if data is None or not (session.utf8 or data.isascii() or _shown_as_it_is(data)):
        return False
    (start,) = starts(plan, one, (), view.flags_text)
    label = plan.bodies[0].label
    session.send(b"%b%b {%d}\r\n%b)\r\n" % (start, label, len(data), plain(data)))
    session.updates(expunge=frame.uid)
    session.send(_DONE.tagged(frame.tag))
    return True


def _shown_as_it_is(data: bytes) -> bool:
    """Whether an 8-bit message certainly has no surrogate: one part, and its header in ASCII."""
    header = header_block(data)
    return header.isascii() and _PARTS.search(header) is None


@lru_cache(256)
def _plan(rest: bytes, uid: bool, mode: Mode) -> Plan | None:
    """The plan, if it is one whole message beside what the view has, and changes nothing."""
    try:
        items, modifiers = wanted_of(rest)
    except ParseError:
        return None
    if modifiers != UNMODIFIED or (FetchAtom.MODSEQ in items and not mode.condstore):
        return None
    if mode.uidonly and not uid:
        return None
    plan = plan_of(items, uid, False, mode)
    if plan.seen or plan.values or len(plan.bodies) != 1:
        return None
    body = plan.bodies[0]
    if isinstance(body, BinaryItem) or body.section != _WHOLE or body.partial is not None:
        return None
    return plan
