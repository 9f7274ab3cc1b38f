"""What a client is told unasked, and when: EXISTS, EXPUNGE, FETCH, FLAGS (RFC 9051 §5.2, §7.4), and
VANISHED and UIDFETCH for clients that enabled them (RFC 7162 §3.2.10, RFC 9586 §3.3).

EXPUNGE may not be sent while FETCH, STORE or SEARCH by sequence number run, nor while no command
does; until it may, the session keeps its generation and hears of no arrivals. During IDLE all of it
is sent at once, from the bus callback, in the same step of the loop as the commit's result.
"""

from collections.abc import Sequence
from typing import Final

from imap.grammar.responses import vanished_line
from imap.live import without_expunged
from imap.mode import Mode
from imap.place import settable
from imap.selected import Selected
from storage.values import EVERY_FLAG, Settable, System

_LINE: Final = 5_000
_STANDARD = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
# From the start, so that Thunderbird uses its junk flags and the dollar forms (clients look for
# them in FLAGS before they store any).
_LISTED = ("$Junk", "$NotJunk", "Junk", "NonJunk", "$Forwarded", "$MDNSent", "$Phishing")


def flag_names(selected: Selected) -> bytes:
    """Every flag of the mailbox: the standard ones, those listed always and those in use."""
    listed = {name.casefold() for name in _LISTED}
    used = [name for name in selected.view.keywords() if name.casefold() not in listed]
    selected.keywords |= listed | {name.casefold() for name in used}
    return " ".join((*_STANDARD, *_LISTED, *used)).encode()


def flags_lines(selected: Selected) -> bytes:
    """`FLAGS` and `PERMANENTFLAGS`."""
    names = flag_names(selected)
    permanent = b"" if selected.read_only else _permanent(names, settable(selected.rights))
    return b"* FLAGS (%s)\r\n* OK [PERMANENTFLAGS (%s)] Flags kept\r\n" % (names, permanent)


def _permanent(names: bytes, may: Settable) -> bytes:
    """Those of the flags that the user may change."""
    if may == EVERY_FLAG:
        return names + b" \\*"
    own = {b"\\Seen": System.SEEN in may.system, b"\\Deleted": System.DELETED in may.system}
    kept = [name for name in names.split() if own.get(name, may.keywords)]
    return b" ".join([*kept, b"\\*"] if may.keywords else kept)


def pending(selected: Selected, mode: Mode, *, expunge: bool) -> bytes:
    """The lines that are due; what they tell is known to the client from here on."""
    if not selected.dirty:
        return b""
    lines: list[bytes] = []
    if selected.regranted:
        lines += _granted(selected)
    if expunge and selected.stale:
        lines.append(without_expunged(selected))
        lines += _expunged(selected, mode)
    if not selected.stale and len(selected.uids) != selected.count:
        known, selected.count = selected.count, len(selected.uids)
        lines.append(b"* %d EXISTS\r\n" % selected.count)
        if selected.live:
            selected.touched.update(selected.uids[known:])
        if selected.new_keywords(selected.view.flags[known:]):
            lines.append(flags_lines(selected))
    if selected.flagged:
        lines += _flag_lines(selected, mode)
    return b"".join(lines)


def _granted(selected: Selected) -> list[bytes]:
    """What follows from other rights (RFC 4314 §5.1.1)."""
    selected.regranted = False
    code = b"READ-ONLY" if selected.read_only else b"READ-WRITE"
    return [flags_lines(selected), b"* OK [%s] Your rights were changed\r\n" % code]


def _expunged(selected: Selected, mode: Mode) -> Sequence[bytes]:
    numbers, uids = selected.take_expunged()
    if not mode.vanished:
        return [b"* %d EXPUNGE\r\n" % number for number in numbers]
    return [vanished_line(uids[i : i + _LINE]) for i in range(0, len(uids), _LINE)]


def _flag_lines(selected: Selected, mode: Mode) -> list[bytes]:
    flagged, selected.flagged = selected.flagged, {}
    lines = []
    fields = set()
    for uid in sorted(flagged):
        index, number = selected.view.index_of(uid), selected.number(uid)
        if index >= 0 and number:
            fields.add(selected.view.flags[index])
            lines.append(flag_line(selected, mode, number, index, with_uid=True))
    if selected.new_keywords(fields):
        lines.insert(0, flags_lines(selected))
    return lines


def flag_line(selected: Selected, mode: Mode, number: int, index: int, *, with_uid: bool) -> bytes:
    """One FETCH response with the flags of the view's message at `index`."""
    view = selected.view
    modseq = b" MODSEQ (%d)" % view.modseqs[index] if mode.condstore else b""
    flags = b"FLAGS (%s)%s" % (view.flags_text(view.flags[index]), modseq)
    return fetch_line(selected, mode, number, index, flags, with_uid=with_uid)


def fetch_line(
    selected: Selected, mode: Mode, number: int, index: int, items: bytes, *, with_uid: bool
) -> bytes:
    """One FETCH response of the view's message at `index`, number `number` of the session."""
    uid = selected.view.uids[index]
    if mode.uidonly:
        return b"* %d UIDFETCH (%s)\r\n" % (uid, items)
    if with_uid or mode.qresync:
        return b"* %d FETCH (UID %d %s)\r\n" % (number, uid, items)
    return b"* %d FETCH (%s)\r\n" % (number, items)
