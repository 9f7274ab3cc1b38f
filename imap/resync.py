"""What changed in the selected mailbox since a modseq: CHANGEDSINCE, and the answers of QRESYNC.

RFC 7162 §3.1.4.1, §3.2.5, §3.2.6 and §3.2.10.1. Expunged messages come from the account's journal;
where that does not reach back so far, every UID that does not exist is told. Invariant: a UID that
the session still counts is not told here, VANISHED without EARLIER will.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from imap import updates
from imap.grammar.responses import vanished_line
from imap.grammar.resync import Resync, SequenceMatch
from imap.grammar.values import SequenceSet
from imap.selected import Selected
from imap.session import Session
from storage.values import AccountId, MailboxId

Ranges = Sequence[tuple[int, int]]

_BLOCK: Final = 4_000
_LINES: Final = 250
_LINE: Final = 5_000
# Up to so many changed messages are looked up one by one, else the whole view is looked through.
_FEW: Final = 5_000


@dataclass(slots=True)
class Past:
    """What the journal says: UIDs that are gone in ascending pieces, and those with other flags.
    None: it does not reach back so far, or there are too many.
    """

    expunged: "list[array[int]] | None" = field(default_factory=list)
    flagged: "set[int] | None" = field(default_factory=set)


async def resync(session: Session, known: Resync) -> None:
    """The answer to SELECT with QRESYNC, behind the mailbox's description: VANISHED (EARLIER), then
    FETCH of what changed. Another UIDVALIDITY makes void what the client knows.
    """
    selected = session.mailbox
    view = selected.view
    if known.uidvalidity != view.uidvalidity or known.modseq >= view.highestmodseq:
        return
    ranges = known.uids.resolve(0) if known.uids else ((1, view.uidnext - 1),)
    past = await _past(session, known.modseq)
    await _tell_vanished(session, past, ranges, known.match)
    indices = await _changed(session, past, range(selected.count), known.modseq)
    lines: list[bytes] = []
    uids = selected.uids
    for index in indices:
        if known.uids is None or _within(uids[index], ranges):
            lines.append(_line(session, index))
        if len(lines) == _LINES:
            session.send(b"".join(lines))
            lines.clear()
            await session.connection.breathe()
    session.send(b"".join(lines))


async def tell_vanished(session: Session, sequence: SequenceSet, since: int) -> None:
    """VANISHED (EARLIER) of UID FETCH, of the UIDs named.

    `*` stands for the last UID given: with the last one there is, as elsewhere, a client that says
    `1:*` would never hear that its last messages are gone.
    """
    if sequence.saved:  # `$` has lost what was expunged (RFC 5182 §2.1)
        return
    ranges = sequence.resolve(session.mailbox.view.uidnext - 1)
    await _tell_vanished(session, await _past(session, since), ranges, None)


async def changed(session: Session, indices: Sequence[int], since: int) -> Sequence[int]:
    """Those of the ascending indices whose messages have a modseq above `since`; expunged ones are
    left out.
    """
    past = await _past(session, since) if len(indices) > _LINES else Past(None, None)
    return await _changed(session, past, indices, since)


async def _past(session: Session, since: int) -> Past:
    """Reads the journal in pieces. Of the flags it takes no more than are worth a look-up."""
    selected, past = session.mailbox, Past()
    key: tuple[AccountId, MailboxId] = (selected.account, selected.mailbox)
    complete = since >= selected.view.highestmodseq
    while not complete:
        found = await session.store.mailbox_changes(*key, since)
        if found is None:
            return Past(None, None)
        if past.expunged is not None:
            past.expunged += found.expunged
        if past.flagged is not None:
            past.flagged.update(*found.flagged)
            if len(past.flagged) > _FEW:
                past.flagged = None
        since, complete = found.until, found.complete
        await session.connection.breathe()
    return past


# Changed messages.


async def _changed(
    session: Session, past: Past, indices: Sequence[int], since: int
) -> Sequence[int]:
    """What came since stands at the end, as UIDs and modseqs are given in one order; the journal
    names the rest, which got other flags.
    """
    selected = session.mailbox
    if past.flagged is None:
        return await _looked_through(session, indices, since)
    start = await _first_appended(session, since)
    flagged = sorted(number for number in map(selected.number, past.flagged) if number)
    candidates = [number - 1 for number in flagged if number <= start]
    candidates += range(start, selected.count)
    found = await _looked_through(session, candidates, since)
    if isinstance(indices, range):
        low, high = bisect_left(found, indices.start), bisect_left(found, indices.stop)
        return found[low:high]
    wanted = set(indices)
    return [index for index in found if index in wanted]


async def _first_appended(session: Session, since: int) -> int:
    """The index from which on all messages came after `since`."""
    selected = session.mailbox
    at = selected.count
    while at:
        for index in range(at - 1, max(-1, at - 1 - _BLOCK), -1):
            place = index if not selected.stale else selected.view.index_of(selected.uids[index])
            if place >= 0 and selected.view.modseqs[place] <= since:
                return index + 1
        at = max(0, at - _BLOCK)
        await session.connection.breathe()
    return 0


async def _looked_through(session: Session, indices: Sequence[int], since: int) -> list[int]:
    selected, found = session.mailbox, list[int]()
    for start in range(0, len(indices), _BLOCK):
        view, part = selected.view, indices[start : start + _BLOCK]
        modseqs = view.modseqs
        if selected.stale:
            pairs = ((i, view.index_of(selected.uids[i])) for i in part)
            found += [i for i, place in pairs if place >= 0 and modseqs[place] > since]
        else:
            found += [i for i in part if modseqs[i] > since]
        await session.connection.breathe()
    return found


def _line(session: Session, index: int) -> bytes:
    """FETCH with UID, FLAGS and MODSEQ; nothing for a message that was expunged meanwhile."""
    selected = session.mailbox
    place = selected.view.index_of(selected.uids[index])
    if place < 0:
        return b""
    return updates.flag_line(selected, session.mode, index + 1, place, with_uid=True)


# Expunged messages.


async def _tell_vanished(
    session: Session, past: Past, ranges: Ranges, match: SequenceMatch | None
) -> None:
    if past.expunged is None:
        await _tell_missing(session, ranges, _matched(session.mailbox, match))
        return
    waiting: list[int] = []
    for piece in past.expunged:
        for start in range(0, len(piece), _LINE):
            waiting += _untold(session.mailbox, piece[start : start + _LINE], ranges)
            if len(waiting) >= _LINE:
                _send_vanished(session, waiting)
                waiting = []
            await session.connection.breathe()
    _send_vanished(session, waiting)


def _untold(selected: Selected, uids: Sequence[int], ranges: Ranges) -> list[int]:
    return [uid for uid in uids if _within(uid, ranges) and not selected.number(uid)]


def _send_vanished(session: Session, uids: list[int]) -> None:
    if uids:
        session.send(vanished_line(sorted(set(uids)), earlier=True))


async def _tell_missing(session: Session, ranges: Ranges, above: int) -> None:
    """Every UID in the ranges above `above` that does not exist, up to the last one given."""
    selected = session.mailbox
    last = selected.view.uidnext - 1
    gaps: list[bytes] = []
    for low, high in ranges:
        at, high = max(low, above + 1), min(high, last)
        uids = selected.uids
        index = bisect_left(uids, at, 0, selected.count)
        end = bisect_right(uids, high, index, selected.count)
        while at <= high:
            stop = min(index + _LINE, end)
            for uid in uids[index:stop]:
                if uid > at:
                    gaps.append(_range(at, uid - 1))
                at = uid + 1
            index = stop
            if index == end:
                if at <= high:
                    gaps.append(_range(at, high))
                at = high + 1
            if len(gaps) >= _LINE:
                _send_gaps(session, gaps)
            await session.connection.breathe()
    _send_gaps(session, gaps)


def _send_gaps(session: Session, gaps: list[bytes]) -> None:
    if gaps:
        session.send(b"* VANISHED (EARLIER) %s\r\n" % b",".join(gaps))
        gaps.clear()


def _range(low: int, high: int) -> bytes:
    return b"%d" % low if low == high else b"%d:%d" % (low, high)


def _within(uid: int, ranges: Ranges) -> bool:
    place = bisect_right(ranges, uid, key=_low) - 1
    return place >= 0 and uid <= ranges[place][1]


def _low(pair: tuple[int, int]) -> int:
    return pair[0]


def _matched(selected: Selected, match: SequenceMatch | None) -> int:
    """The greatest UID that still has the sequence number the client gave it: up to there nothing
    is missing, as messages are only ever added at the end (RFC 7162 §3.2.5.2).
    """
    if match is None:
        return 0
    number_at, uid_at = _Members(match.numbers), _Members(match.uids)
    low, high = 0, uid_at.count
    while low < high:
        middle = (low + high) // 2
        if selected.number(uid_at[middle]) == number_at[middle]:
            low = middle + 1
        else:
            high = middle
    return uid_at[low - 1] if low else 0


class _Members:
    """The members of an ascending set by their place, however long its ranges are."""

    __slots__ = ("_ends", "_ranges", "count")

    def __init__(self, numbers: SequenceSet) -> None:
        self._ranges = numbers.ranges
        self._ends = list(accumulate(high - low + 1 for low, high in self._ranges))
        self.count = self._ends[-1]

    def __getitem__(self, place: int) -> int:
        at = bisect_right(self._ends, place)
        return self._ranges[at][1] - (self._ends[at] - 1 - place)
