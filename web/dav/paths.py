"""Which resource a path names. Pure.

    /dav/                                   the root
    /dav/principals/                        principals
    /dav/principals/USER/                   a principal
    /dav/books/                             homes
    /dav/books/USER/                        the home of an account
    /dav/books/USER/BOOK/                   an address book
    /dav/books/USER/BOOK/CARD               a card

USER is the number of the account, as JMAP has it. A path is percent-encoded, a segment is not.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from web.dav.errors import DavError, absent

PREFIX: Final = "/dav"
ROOT: Final = "/dav/"
PRINCIPALS: Final = "/dav/principals/"
HOMES: Final = "/dav/books/"
WELL_KNOWN: Final = "/.well-known/carddav"
MAX_PATH: Final = 4096
_SAFE: Final = "!$&'()*+,;=:@"


class Kind(Enum):
    """Of resources."""

    ROOT = "root"
    PRINCIPALS = "principals"
    PRINCIPAL = "principal"
    HOMES = "homes"
    HOME = "home"
    BOOK = "book"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Path:
    """`book` and `card` are segments."""

    kind: Kind
    user: str = ""
    book: str = ""
    card: str = ""

    @property
    def href(self) -> str:
        """As it is written, encoded."""
        return _written(self)


def principal(user: str) -> str:
    return f"{PRINCIPALS}{_encoded(user)}/"


def home(user: str) -> str:
    return f"{HOMES}{_encoded(user)}/"


def card_in(book: str, card: str) -> str:
    """The href of a card in the book with an href."""
    return book + _encoded(card)


def _written(path: Path) -> str:
    match path.kind:
        case Kind.ROOT:
            return ROOT
        case Kind.PRINCIPALS:
            return PRINCIPALS
        case Kind.PRINCIPAL:
            return principal(path.user)
        case Kind.HOMES:
            return HOMES
        case Kind.HOME:
            return home(path.user)
    book = f"{home(path.user)}{_encoded(path.book)}/"
    return book if path.kind is Kind.BOOK else card_in(book, path.card)


def _encoded(segment: str) -> str:
    return quote(segment, safe=_SAFE)


def parse_path(path: str) -> Path:
    """An encoded path, with or without "/" at its end. Raises DavError."""
    if len(path) > MAX_PATH:
        raise DavError(414)
    if path in ("/", PREFIX, ROOT):
        return Path(Kind.ROOT)
    if not path.startswith(ROOT):
        raise absent()
    try:
        segments = [unquote(one, errors="strict") for one in path[len(ROOT) :].split("/")]
    except UnicodeDecodeError:
        raise absent() from None
    if segments[-1] == "":
        segments.pop()
    if any(one in ("", ".", "..") or "/" in one or "\0" in one for one in segments):
        raise absent()
    return _named(segments)


def _named(segments: list[str]) -> Path:
    match segments:
        case ["principals"]:
            return Path(Kind.PRINCIPALS)
        case ["principals", user]:
            return Path(Kind.PRINCIPAL, user)
        case ["books"]:
            return Path(Kind.HOMES)
        case ["books", user]:
            return Path(Kind.HOME, user)
        case ["books", user, book]:
            return Path(Kind.BOOK, user, book)
        case ["books", user, book, card]:
            return Path(Kind.CARD, user, book, card)
    raise absent()


def path_of(href: str) -> Path:
    """Of an href in a body: a path, or a URL, whose host does not matter. Raises DavError."""
    try:
        return parse_path(urlsplit(href).path)
    except ValueError:
        raise absent() from None
