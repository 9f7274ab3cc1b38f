"""The parameter QRESYNC of SELECT and EXAMINE (RFC 7162 §3.2.5): its value, parser and encoder."""

from dataclasses import dataclass

from imap.grammar.encode import sequence_set
from imap.grammar.tokens import MAX_NUMBER64, Cursor
from imap.grammar.values import SequenceSet


@dataclass(frozen=True, slots=True)
class SequenceMatch:
    """Sequence numbers and the UIDs that the client holds them to have, one by one, ascending."""

    numbers: SequenceSet
    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class Resync:
    """What the client knows of the mailbox; `uids` None stands for all of them."""

    uidvalidity: int
    modseq: int
    uids: SequenceSet | None = None
    match: SequenceMatch | None = None


def parse_resync(cursor: Cursor) -> Resync:
    """The argument of QRESYNC."""
    cursor.space()
    cursor.open("UIDVALIDITY and a modseq")
    uidvalidity = cursor.number("UIDVALIDITY", smallest=1)
    cursor.space()
    modseq = cursor.number("a modseq", MAX_NUMBER64, 1)
    uids = match = None
    if cursor.more():
        if cursor.peek() != b"(":
            uids = _set(cursor)
        if cursor.peek() == b"(" or cursor.more():
            match = _match(cursor)
            cursor.skip_spaces()
            cursor.expect(b")")
    return Resync(uidvalidity, modseq, uids, match)


def encode_resync(value: Resync) -> bytes:
    """The parameter as a client writes it."""
    words = [b"%d %d" % (value.uidvalidity, value.modseq)]
    if value.uids is not None:
        words.append(sequence_set(value.uids))
    if value.match is not None:
        pair = sequence_set(value.match.numbers), sequence_set(value.match.uids)
        words.append(b"(%s %s)" % pair)
    return b"QRESYNC (%s)" % b" ".join(words)


def _set(cursor: Cursor) -> SequenceSet:
    """A set without `*`, whose meaning the client can't know yet."""
    found = cursor.sequence()
    if found.has_star:
        raise cursor.error("* is not allowed among known UIDs")
    return found


def _match(cursor: Cursor) -> SequenceMatch:
    cursor.open("known sequence numbers and their UIDs")
    numbers = _ascending(cursor)
    cursor.space()
    uids = _ascending(cursor)
    cursor.skip_spaces()
    cursor.expect(b")")
    if _size(numbers) != _size(uids):
        raise cursor.error("as many UIDs as sequence numbers must be given")
    return SequenceMatch(numbers, uids)


def _ascending(cursor: Cursor) -> SequenceSet:
    found = _set(cursor)
    pairs = zip(found.ranges, found.ranges[1:], strict=False)
    if any(before[1] >= after[0] for before, after in pairs):
        raise cursor.error("known sequence numbers and UIDs must ascend")
    return found


def _size(numbers: SequenceSet) -> int:
    return sum(high - low + 1 for low, high in numbers.ranges)
