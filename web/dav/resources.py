"""What a path leads to for a login: values that properties are made of. Pure."""

from dataclasses import dataclass, replace
from typing import Final

from storage.contact_values import Book, Listed
from storage.values import AccountId
from web.dav.names import AB
from web.dav.paths import Kind, card_in, home, principal

SYNC: Final = "data:,"
GROUPS: Final = AB + "show-groups"
"""Property of a book: whether cards of groups are listed among the others; without, it goes by what
clients ask for.
"""


@dataclass(frozen=True, slots=True)
class User:
    """Whom a login is for. `number` stands in paths; `writes`: whether the login may change
    anything.
    """

    account: AccountId
    number: str
    address: str
    name: str
    writes: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A book as a user sees it: under `slug` in their home, its owner's or one shared with them."""

    book: Book
    owner: AccountId
    slug: str
    owner_number: str
    mine: bool = True
    writes: bool = True

    @property
    def token(self) -> str:
        """The sync token of what stands in it (RFC 6578 §4)."""
        return token_of(self.book.id, self.book.changed)

    @property
    def shows_groups(self) -> str:
        """ "yes", "no", or "" for as clients ask."""
        _, _, rest = self.book.properties.get(GROUPS, "").partition(">")
        return rest.partition("<")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Resource:
    """One that is there. `user` asks; `seen` is the book or that of the card; `own_card` the href
    of the user's own card, "" where none is known.
    """

    kind: Kind
    href: str
    user: User
    seen: Seen | None = None
    card: Listed | None = None
    own_card: str = ""

    def inside(self, card: Listed) -> "Resource":
        """A card of this book."""
        return replace(self, kind=Kind.CARD, href=card_in(self.href, card.href), card=card)

    @property
    def principal(self) -> str:
        """The href of who asks."""
        return principal(self.user.number)

    @property
    def home(self) -> str:
        return home(self.user.number)

    @property
    def owner(self) -> str:
        """The href of whose it is."""
        number = self.user.number if self.seen is None else self.seen.owner_number
        return principal(number)

    @property
    def writes(self) -> bool:
        """Whether who asks may change it."""
        return self.user.writes and (self.seen is None or self.seen.writes)


def token_of(book: int, modseq: int) -> str:
    """The sync token of a book as it was at a modseq of its owner's: good for ever."""
    return f"{SYNC}{book}-{modseq}"


def token_state(token: str, book: int) -> int | None:
    """The modseq of a sync token of the book; None where it is none."""
    number, dash, modseq = token.removeprefix(SYNC).partition("-")
    known = token.startswith(SYNC) and dash and number == str(book)
    if not known or not (modseq.isascii() and modseq.isdigit() and len(modseq) < 19):
        return None
    return int(modseq)
