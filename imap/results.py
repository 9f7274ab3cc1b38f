"""What SEARCH and SORT found, as their RETURN options ask for it (RFC 4731 §3.1, RFC 5182 §2,
RFC 5267 §3, RFC 6203 §4, RFC 7162 §3.1.5, RFC 9394 §3.1).

Results are indices into the session's generation, ascending for SEARCH and in sort order for SORT.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from imap.gmail_keys import without_gmail
from imap.grammar.encode import ascending_ranges
from imap.grammar.message_commands import Search
from imap.grammar.number_lists import Numbers, as_set, spaced
from imap.grammar.responses import esearch_start
from imap.grammar.search_commands import Esearch, Sort
from imap.grammar.search_key import (
    AllKey,
    AndKey,
    FuzzyKey,
    ModseqKey,
    NotKey,
    OrKey,
    SearchKey,
    SearchReturn,
)
from imap.grammar.values import NO_MESSAGES, SequenceSet
from imap.grammar.window import Window
from imap.replies import Bad, No
from imap.search import Search as Program
from imap.selected import Selected
from imap.session import Session
from imap.thread_keys import resolved
from message.pieces import Pieces, order_by
from net.pacing import Slices

Searching: TypeAlias = Search | Sort
Score: TypeAlias = Callable[[int], int]
ALL = frozenset({SearchReturn.ALL})
_BLOCK = 2_000
_SILENT = frozenset({SearchReturn.SAVE})


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a command; `by_modseq`: its program asks for MODSEQ; `score` is how well a
    message matched its FUZZY keys.
    """

    indices: Sequence[int]
    ascending: bool = True
    by_modseq: bool = False
    score: Score = lambda _: 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """RETURN's options and the page of PARTIAL; `uid`: messages are named by UID."""

    returns: frozenset[SearchReturn]
    partial: Window | None
    uid: bool


async def find(
    session: Session,
    key: SearchKey,
    elsewhere: Selected | None = None,
    *,
    among: Sequence[int] | None = None,
) -> Sequence[int]:
    """Ascending indices of the messages that match, in the selected mailbox or `elsewhere`, of all
    or `among` these.
    """
    return (await find_scored(session, key, elsewhere, among=among))[0]


async def find_scored(
    session: Session,
    key: SearchKey,
    elsewhere: Selected | None = None,
    *,
    among: Sequence[int] | None = None,
) -> tuple[Sequence[int], Score]:
    """As `find`, with what tells a message's relevancy (RFC 6203 §4)."""
    selected = elsewhere or session.mailbox
    program = Program(session, selected)
    if isinstance(key, AllKey) and not selected.stale:
        return range(selected.count) if among is None else among, program.score
    key = await without_gmail(session, selected, key)
    return await program.run(await resolved(session, selected, key), among), program.score


def asks_modseq(key: SearchKey) -> bool:
    """Whether MODSEQ stands anywhere in the program; it enables CONDSTORE and is answered."""
    if isinstance(key, AndKey):
        return any(map(asks_modseq, key.keys))
    if isinstance(key, OrKey):
        return asks_modseq(key.left) or asks_modseq(key.right)
    if isinstance(key, NotKey | FuzzyKey):
        return asks_modseq(key.key)
    return isinstance(key, ModseqKey)


@contextmanager
def saving(session: Session, command: Searching | Esearch) -> Iterator[None]:
    """A SAVE that ends with NO leaves `$` empty, with BAD as it was (RFC 5182 §2.1)."""
    try:
        yield
    except Bad:
        raise
    except Exception:
        if command.returns is not None and SearchReturn.SAVE in command.returns:
            session.mailbox.saved = NO_MESSAGES
        raise


async def answer(session: Session, command: Searching, found: Found) -> None:
    """Sends the response and keeps what SAVE asks for."""
    returns = command.returns
    if returns is None and "IMAP4REV2" in session.enabled and isinstance(command, Search):
        returns = ALL
    if returns is None:
        session.send(await _plain(session, command, found))
        return
    if SearchReturn.SAVE in returns:
        await save(session, found.indices, returns, command.partial)
    if returns != _SILENT:
        start = esearch_start(command.tag, uid=command.uid)
        wanted = Wanted(returns, command.partial, command.uid)
        session.send(await extended(session.mailbox, wanted, found, start))


def concerned(
    found: Sequence[int], returns: frozenset[SearchReturn], partial: Window | None
) -> Sequence[int]:
    """The messages that SAVE keeps and whose MODSEQ counts: with nothing but MIN, MAX and PARTIAL
    those that they name (RFC 5182 §2.4, RFC 7162 §3.1.5, RFC 9394 §3.2).
    """
    some = {SearchReturn.MIN, SearchReturn.MAX, SearchReturn.PARTIAL} & returns
    if not some or not returns.isdisjoint((SearchReturn.ALL, SearchReturn.COUNT)):
        return found
    places = set(partial.of(len(found))) if partial is not None else set()
    if SearchReturn.MIN in returns:
        places.add(0)
    if SearchReturn.MAX in returns:
        places.add(len(found) - 1)
    return [found[place] for place in sorted(places)] if found else found


def page(found: Sequence[int], window: Window) -> Sequence[int]:
    """The results that a window names."""
    places = window.of(len(found))
    return found[places.start : places.stop]


async def save(
    session: Session,
    found: Sequence[int],
    returns: frozenset[SearchReturn],
    partial: Window | None,
) -> None:
    """Keeps them for `$`; more than the bound are refused (RFC 5182 §2.5)."""
    selected, indices = session.mailbox, concerned(found, returns, partial)
    selected.saved = NO_MESSAGES
    if len(indices) > session.context.bounds.saved:
        raise No("The result is too large to be saved", b"NOTSAVED")
    selected.saved = await Slices().run(_uid_ranges(selected, indices))


def _uid_ranges(selected: Selected, indices: Sequence[int]) -> Pieces[SequenceSet]:
    """The UIDs of these messages; a range stands where one message follows the other, and takes in
    nothing else, as UIDs are not given twice.
    """
    ordered, uids = indices, selected.uids
    if not isinstance(indices, range):
        ordered = yield from order_by(indices, range(selected.count))
    ranges: list[tuple[int, int]] = []
    for start in range(0, len(ordered), _BLOCK):
        for low, high in ascending_ranges(ordered[start : start + _BLOCK]):
            ranges.append((uids[low], uids[high]))
        yield
    return SequenceSet(tuple(ranges))


async def _plain(session: Session, command: Searching, found: Found) -> bytes:
    """SEARCH or SORT; MODSEQ only if something was found."""
    selected, tail = session.mailbox, b""
    if found.by_modseq and found.indices:
        tail = b" (MODSEQ %d)" % await Slices().run(highest(selected, found.indices))
    words = await Slices().run(spaced(found.indices, numbers_of(selected, command.uid)))
    name = b"SORT" if isinstance(command, Sort) else b"SEARCH"
    return b"* %s%s%s\r\n" % (name, words, tail)


async def extended(selected: Selected, wanted: Wanted, found: Found, start: bytes) -> bytes:
    """ESEARCH; MIN and MAX are the first and the last in the order of the result."""
    returns, indices = wanted.returns, found.indices
    numbers = numbers_of(selected, wanted.uid)
    words = [start]
    if SearchReturn.MIN in returns and indices:
        words.append(b"MIN %d" % numbers(indices[:1])[0])
    if SearchReturn.MAX in returns and indices:
        words.append(b"MAX %d" % numbers(indices[-1:])[0])
    if SearchReturn.COUNT in returns:
        words.append(b"COUNT %d" % len(indices))
    if SearchReturn.ALL in returns and indices:
        every = as_set(indices, numbers, ascending=found.ascending)
        words.append(b"ALL " + await Slices().run(every))
    if wanted.partial is not None:
        some = as_set(page(indices, wanted.partial), numbers, ascending=found.ascending)
        listed = await Slices().run(some) or b"NIL"
        words.append(b"PARTIAL (%s %s)" % (wanted.partial.encode(), listed))
    if SearchReturn.RELEVANCY in returns:
        listed_ones = indices if wanted.partial is None else page(indices, wanted.partial)
        words.append(b"RELEVANCY (%s)" % await Slices().run(_scores(listed_ones, found.score)))
    if found.by_modseq and indices:
        named = concerned(indices, returns, wanted.partial)
        words.append(b"MODSEQ %d" % await Slices().run(highest(selected, named)))
    return b" ".join(words) + b"\r\n"


def _scores(indices: Sequence[int], score: Score) -> Pieces[bytes]:
    """In the order of the result (RFC 6203 §4)."""
    words: list[bytes] = []
    for start in range(0, len(indices), _BLOCK):
        words += [b"%d" % score(index) for index in indices[start : start + _BLOCK]]
        yield
    return b" ".join(words)


def numbers_of(selected: Selected, uid: bool) -> Numbers:
    """How indices are named in the answer."""
    uids = selected.uids
    if uid:
        return lambda indices: [uids[index] for index in indices]
    return lambda indices: [index + 1 for index in indices]


def highest(selected: Selected, indices: Sequence[int]) -> Pieces[int]:
    """The largest modseq among messages that are still there."""
    view, found = selected.view, 1
    for start in range(0, len(indices), _BLOCK):
        places = [view.index_of(selected.uids[i]) for i in indices[start : start + _BLOCK]]
        found = max(found, max((view.modseqs[p] for p in places if p >= 0), default=1))
        yield
    return found
