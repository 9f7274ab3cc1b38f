"""The names that LIST and LSUB may give: mailboxes, names only subscribed to, levels above others.

All of an account's names are gathered at once, its 10,000 mailboxes in pieces with a breath between
them; a Name is made when it is asked for.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from imap.grammar.mailbox_commands import ListReturn, ListSelect
from imap.listing import Matcher, inbox_first, parents
from imap.mailboxes import visible
from imap.place import Place, is_others
from imap.session import Session
from storage.values import Mailbox

_PIECE: Final = 100


@dataclass(frozen=True, slots=True)
class Name:
    """A name that LIST may give: a mailbox, or one that is only subscribed to or has children."""

    name: str
    place: Place | None
    subscribed: bool
    children: bool

    @property
    def is_level(self) -> bool:
        """Whether it is nothing but a level above mailboxes, which `%` gives and `*` does not
        (RFC 3501 §6.3.8, RFC 4314 §4).
        """
        return self.place is None and not self.subscribed

    @property
    def special_use(self) -> str:
        """Only of the user's own mailboxes: another user's Sent is nobody else's."""
        box = self.box
        return box.special_use if box is not None and not is_others(self.name) else ""

    @property
    def box(self) -> Mailbox | None:
        return self.place.box if self.place is not None else None

    def is_chosen(self, selection: frozenset[ListSelect]) -> bool:
        """Whether it meets the selection options (RFC 5258 §3.1, RFC 6154 §2)."""
        if ListSelect.SPECIAL_USE in selection and not self.special_use:
            return False
        if ListSelect.SUBSCRIBED in selection:
            return self.subscribed
        return self.box is not None or self.children

    def attributes(
        self,
        selection: frozenset[ListSelect] = frozenset(),
        returns: frozenset[ListReturn] = frozenset(),
    ) -> list[str]:
        """What stands in the parentheses of its LIST response."""
        marks: list[str] = []
        if self.box is None:
            marks.append("\\NonExistent")
        elif not self.box.selectable:
            marks.append("\\Noselect")
        if self.subscribed and (
            ListReturn.SUBSCRIBED in returns or ListSelect.SUBSCRIBED in selection
        ):
            marks.append("\\Subscribed")
        marks.append("\\HasChildren" if self.children else "\\HasNoChildren")
        if self.special_use:
            marks.append(self.special_use)
        return marks


class Names:
    """Every name of a session, INBOX and what is below it first, the rest sorted.

    Among them are the levels above a subscription that leads nowhere: RECURSIVEMATCH may give them.
    """

    __slots__ = ("_above", "_order", "_session", "places", "subscribed")

    def __init__(
        self, session: Session, places: dict[str, Place], subscribed: frozenset[str]
    ) -> None:
        self._session = session
        self.places, self.subscribed = places, subscribed
        self._above: set[str] = set()
        self._order: list[str] = []

    @classmethod
    async def of(cls, session: Session) -> "Names":
        """Raises StoreError."""
        places = {place.shown: place for place in await visible(session)}
        subscribed = await session.store.subscribed(session.account)
        made = cls(session, places, frozenset(filter(session.grant.sees, subscribed)))
        async for name in made._breathing(places):
            for parent in parents(name):
                if parent in made._above:
                    break
                made._above.add(parent)
        wanted = made.subscribed.difference(places)
        levels = {parent for name in wanted for parent in parents(name)}
        extra = (wanted | levels | made._above).difference(places)
        made._order = inbox_first(sorted([*places, *extra]))
        return made

    async def all(self) -> AsyncIterator[Name]:
        """All of them, in order."""
        async for name in self._breathing(self._order):
            yield self._name(name)

    async def matching(self, match: Matcher) -> AsyncIterator[Name]:
        """Those that match, in order."""
        async for name in self._breathing(self._order):
            if match(name):
                yield self._name(name)

    async def not_matching(self, match: Matcher) -> AsyncIterator[Name]:
        """The others."""
        async for name in self._breathing(self._order):
            if not match(name):
                yield self._name(name)

    def _name(self, name: str) -> Name:
        return Name(name, self.places.get(name), name in self.subscribed, name in self._above)

    async def _breathing(self, names: Iterable[str]) -> AsyncIterator[str]:
        breathe = self._session.connection.breathe
        for count, name in enumerate(names, 1):
            yield name
            if not count % _PIECE:
                await breathe()
