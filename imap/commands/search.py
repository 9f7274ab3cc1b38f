"""SEARCH and UID SEARCH, answered by SEARCH or ESEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 7162)."""

from collections.abc import Sequence

from imap.grammar.command import Search
from imap.grammar.responses import esearch_line, search_line
from imap.grammar.search_key import AndKey, ModseqKey, NotKey, OrKey, SearchKey, SearchReturn
from imap.replies import Reply
from imap.search import Search as Program
from imap.selected import Selected
from imap.session import Session


async def search(session: Session, command: Search) -> Reply:
    selected = session.mailbox
    by_modseq = _asks_modseq(command.key)
    if by_modseq:
        session.use_condstore()
    found = await Program(session).run(command.key)
    numbers = [selected.uids[i] for i in found] if command.uid else [i + 1 for i in found]
    if command.returns is None:
        modseq = _highest(selected, found) if by_modseq and found else None
        session.send(search_line(numbers, modseq))
    else:
        session.send(_extended(selected, command, command.returns, found, numbers, by_modseq))
    return Reply("SEARCH completed")


def _extended(
    selected: Selected,
    command: Search,
    returns: frozenset[SearchReturn],
    found: Sequence[int],
    numbers: Sequence[int],
    by_modseq: bool,
) -> bytes:
    """With MIN and MAX alone, MODSEQ is that of the messages named (RFC 7162 §3.1.5)."""
    low = numbers[0] if numbers and SearchReturn.MIN in returns else None
    high = numbers[-1] if numbers and SearchReturn.MAX in returns else None
    every = SearchReturn.ALL in returns
    if not every and SearchReturn.COUNT not in returns:
        ends = {SearchReturn.MIN: 0, SearchReturn.MAX: -1}
        found = [found[end] for name, end in ends.items() if name in returns and found]
    return esearch_line(
        command.tag,
        uid=command.uid,
        low=low,
        high=high,
        numbers=numbers if every else (),
        count=len(numbers) if SearchReturn.COUNT in returns else None,
        modseq=_highest(selected, found) if by_modseq and found else None,
    )


def _highest(selected: Selected, found: Sequence[int]) -> int:
    view = selected.view
    positions = (view.index_of(selected.uids[index]) for index in found)
    return max((view.modseqs[at] for at in positions if at >= 0), default=1)


def _asks_modseq(key: SearchKey) -> bool:
    if isinstance(key, AndKey):
        return any(map(_asks_modseq, key.keys))
    if isinstance(key, OrKey):
        return _asks_modseq(key.left) or _asks_modseq(key.right)
    if isinstance(key, NotKey):
        return _asks_modseq(key.key)
    return isinstance(key, ModseqKey)
