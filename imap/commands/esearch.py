"""ESEARCH: one search program over several mailboxes (RFC 7377).

Each mailbox with a match gets a response of its own, by UID, with its name and UIDVALIDITY. What
does not exist or may not be read has no match. Message numbers mean something in the selected
mailbox only; its saved result is `$`, elsewhere `$` is empty.
"""

from collections.abc import Iterable

from imap.grammar.encode import mailbox, quoted
from imap.grammar.search_commands import Esearch, Source, SourceKind
from imap.grammar.search_key import (
    AndKey,
    FuzzyKey,
    NotKey,
    OrKey,
    SearchKey,
    SearchReturn,
    SetKey,
)
from imap.mailboxes import resolve, spelled, visible
from imap.place import Place
from imap.replies import Bad, Reply
from imap.results import ALL, Found, Wanted, asks_modseq, extended, find_scored, save, saving
from imap.selected import Selected
from imap.session import Session
from storage.errors import NoSuchMailbox


async def esearch(session: Session, command: Esearch) -> Reply:
    returns = command.returns or ALL
    places = await _places(session, command.sources or (Source(SourceKind.SELECTED),))
    _check(session, command, returns, places)
    if asks_modseq(command.key):
        session.use_condstore()
    if SearchReturn.UPDATE in returns:
        tag = quoted(command.tag.encode())
        session.send(b"* NO [NOUPDATE %s] Only SEARCH and SORT are kept up to date\r\n" % tag)
    for place in places:
        selected = session.selected
        if selected is not None and _is_selected(session, place):
            await _search(session, command, returns, selected)
            continue
        try:
            view = await session.store.view(place.account, place.need("r").id)
        except NoSuchMailbox:  # deleted meanwhile
            continue
        other = Selected(view, place, True)
        try:
            await _search(session, command, returns, other)
        finally:
            other.close()
        await session.connection.breathe()
    return Reply("ESEARCH completed")


def _check(
    session: Session, command: Esearch, returns: frozenset[SearchReturn], places: list[Place]
) -> None:
    """What concerns the selected mailbox alone needs it alone (RFC 7377 §2.1, §2.2)."""
    alone = len(places) == 1 and _is_selected(session, places[0])
    if SearchReturn.SAVE in returns and not alone:
        raise Bad("SAVE is for the selected mailbox alone")
    if not alone and _has_numbers(command.key):
        raise Bad("Message numbers are for the selected mailbox alone")


async def _search(
    session: Session, command: Esearch, returns: frozenset[SearchReturn], selected: Selected
) -> None:
    with saving(session, command):
        indices, score = await find_scored(session, command.key, selected)
        if SearchReturn.SAVE in returns:
            await save(session, indices, returns, command.partial)
    if not indices or returns == {SearchReturn.SAVE}:
        return
    start = b"* ESEARCH (TAG %s MAILBOX %s UIDVALIDITY %d) UID" % (
        quoted(command.tag.encode()),
        mailbox(selected.name, session.utf8),
        selected.view.uidvalidity,
    )
    found = Found(indices, by_modseq=asks_modseq(command.key), score=score)
    wanted = Wanted(returns, command.partial, True)
    session.send(await extended(selected, wanted, found, start))


def _is_selected(session: Session, place: Place) -> bool:
    selected = session.selected
    return (
        selected is not None
        and place.box is not None
        and (selected.account, selected.mailbox) == (place.account, place.box.id)
    )


def _has_numbers(key: SearchKey) -> bool:
    if isinstance(key, AndKey):
        return any(map(_has_numbers, key.keys))
    if isinstance(key, OrKey):
        return _has_numbers(key.left) or _has_numbers(key.right)
    if isinstance(key, NotKey | FuzzyKey):
        return _has_numbers(key.key)
    return isinstance(key, SetKey) and not key.uid and not key.sequence.saved


# Sources.


async def _places(session: Session, sources: Iterable[Source]) -> list[Place]:
    """The mailboxes that may be read, each once, in the order in which they are named."""
    seen: dict[tuple[int, int], Place] = {}
    known = await visible(session)
    for source in sources:
        for place in await _of(session, source, known):
            box = place.box
            if box is not None and box.selectable and "r" in place.rights:
                seen.setdefault((place.account, box.id), place)
    return list(seen.values())


async def _of(session: Session, source: Source, known: list[Place]) -> list[Place]:
    kind = source.kind
    if kind is SourceKind.SELECTED:
        if session.selected is None:
            raise Bad("No mailbox is selected")
        return [await resolve(session, session.selected.name)]
    if kind is SourceKind.MAILBOXES:
        return [await resolve(session, name) for name in source.names]
    if kind is SourceKind.SUBSCRIBED:
        names = set(await session.store.subscriptions(session.account))
        return [place for place in known if place.shown in names]
    mine = [place for place in known if place.account == session.account]
    if kind in (SourceKind.PERSONAL, SourceKind.INBOXES):
        return mine  # Sieve may deliver to any of them (RFC 5465 §6.2)
    one, roots = kind is SourceKind.SUBTREE_ONE, [spelled(name) for name in source.names]
    return [place for place in known if _below(place.shown, roots, one)]


def _below(name: str, roots: Iterable[str], one: bool) -> bool:
    """Whether a name is one of the roots, or stands below one; `one`: a single level."""
    for root in roots:
        rest = name.removeprefix(root + "/")
        if name == root or (rest != name and not (one and "/" in rest)):
            return True
    return False
