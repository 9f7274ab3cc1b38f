"""Begins live results (imap/live.py) and brings them up to date with what a session was told of.

What changes while a result is worked out is looked at once more. Invariant: between the last await
and the line that is sent nothing runs, so that places and numbers hold.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from imap.grammar.encode import quoted
from imap.grammar.search_commands import Sort, SortField
from imap.grammar.search_key import (
    AndKey,
    FuzzyKey,
    NotKey,
    OrKey,
    SearchKey,
    SearchReturn,
    SetKey,
)
from imap.grammar.values import STAR, SequenceSet
from imap.live import LiveResult
from imap.replies import Bad, CommandError
from imap.results import Searching, find
from imap.selected import Selected
from imap.session import Session
from imap.sorting import columns_of, insertions
from message.pieces import Pieces
from net.pacing import Slices
from net.threads import Busy
from storage.errors import StoreError


@contextmanager
def keeping(session: Session, command: Searching) -> Iterator[Callable[[Sequence[int]], None]]:
    """Around a command: gives what takes its result, if UPDATE asks for it to be kept up to date.
    A command that fails leaves nothing.
    """
    live = _begun(session, command)

    def keep(indices: Sequence[int]) -> None:
        if live is not None:
            _fill(session, live, indices)

    try:
        yield keep
    except BaseException:
        if live is not None and session.selected is not None:
            session.selected.live.pop(live.tag, None)
        raise


def _begun(session: Session, command: Searching) -> LiveResult | None:
    """None without UPDATE, or when it is refused (RFC 5267 §4.3.1)."""
    if command.returns is None or SearchReturn.UPDATE not in command.returns:
        return None
    selected = session.mailbox
    if command.tag in selected.live:
        raise Bad("Tag reuse")
    if len(selected.live) >= session.context.bounds.contexts:
        _refuse(session, command.tag, "Too many contexts")
        return None
    criteria = command.criteria if isinstance(command, Sort) else ()
    if any(criterion.field is SortField.RELEVANCY for criterion in criteria):
        _refuse(session, command.tag, "Relevancy is not kept up to date")
        return None
    selected.refresh = partial(refresh, session)
    key = _fixed(command.key, selected)
    live = selected.live[command.tag] = LiveResult(command.tag, command.uid, key, criteria)
    return live


def _fill(session: Session, live: LiveResult, indices: Sequence[int]) -> None:
    selected = session.mailbox
    if len(indices) > session.context.bounds.context_members:
        del selected.live[live.tag]
        _refuse(session, live.tag, "Too many messages to be kept up to date")
        return
    live.members = array("I", [selected.uids[index] for index in indices])
    live.ready = True


def _refuse(session: Session, tag: str, text: str) -> None:
    session.send(b"* NO [NOUPDATE %s] %s\r\n" % (quoted(tag.encode()), text.encode()))


def _fixed(key: SearchKey, selected: Selected) -> SearchKey:
    """The program with numbers, and what `$` means at present, as UIDs: they stay the same."""
    if isinstance(key, AndKey):
        return AndKey(tuple(_fixed(part, selected) for part in key.keys))
    if isinstance(key, OrKey):
        return OrKey(_fixed(key.left, selected), _fixed(key.right, selected))
    if isinstance(key, NotKey):
        return NotKey(_fixed(key.key, selected))
    if isinstance(key, FuzzyKey):
        return FuzzyKey(_fixed(key.key, selected))
    if isinstance(key, SetKey) and (not key.uid or key.sequence.saved):
        return SetKey(_as_uids(key.sequence, selected), True)
    return key


def _as_uids(sequence: SequenceSet, selected: Selected) -> SequenceSet:
    """A range up to `*` takes in what arrives later."""
    fixed = SequenceSet.of(selected.uids_of(sequence, by_uid=False))
    lows = [low for low, high in sequence.ranges if high == STAR and low != STAR]
    open_ended = [(selected.uids[min(low, selected.count) - 1], STAR) for low in lows]
    return SequenceSet((*fixed.ranges, *open_ended)) if fixed.ranges or lows else _NOTHING


_NOTHING = SequenceSet(((0, 0),))
_BLOCK = 5_000


async def refresh(session: Session) -> None:
    """Tells what touched messages mean for the live results."""
    selected = session.selected
    if selected is None or not selected.touched:
        return
    touched, selected.touched = selected.touched, set()
    try:
        uids = await Slices().run(_known(selected, touched))
        for live in [live for live in selected.live.values() if live.ready]:
            if uids and session.selected is selected:
                await _refresh(session, selected, live, uids)
    except BaseException as error:
        selected.touched |= touched
        if not isinstance(error, StoreError | Busy | CommandError):
            raise
        session.log.warning("live results are not up to date", error=repr(error))


def _known(selected: Selected, touched: set[int]) -> Pieces[list[int]]:
    """Those that the client knows, ascending."""
    found, some = list[int](), list(touched)
    for start in range(0, len(some), _BLOCK):
        found += [uid for uid in some[start : start + _BLOCK] if selected.number(uid)]
        yield
    return sorted(found)


async def _refresh(session: Session, selected: Selected, live: LiveResult, uids: list[int]) -> None:
    matching = await find(session, AndKey((SetKey(SequenceSet.of(uids), True), live.key)))
    found = {selected.uids[index] for index in matching}
    columns = await columns_of(session, live.criteria) if live.positioned else None
    if selected.live.get(live.tag) is not live:
        return
    members = {live.members[place] for place in live.places(uids)}
    # What is expunged leaves with its EXPUNGE, and not before.
    view = selected.view
    leaving = [uid for uid in members - found if view.index_of(uid) >= 0]
    removed = live.remove(live.places(leaving))
    fresh = sorted(uid for uid in found - members if view.index_of(uid) >= 0)
    if columns is not None:
        places, fresh = insertions(columns, live.criteria, live.members, fresh)
    else:
        places = live.fresh_places(fresh)
    line = live.line(selected, removed, live.add(places, fresh))
    if line:
        session.send(line)
