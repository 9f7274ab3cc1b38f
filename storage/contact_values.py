"""Address books and their cards as values, their bounds, and why a change is refused. Pure.

A card is a JSContact Card (RFC 9553) and the vCard that goes with it, byte for byte as a client
put it. Times are seconds since 1970, modseqs those of the account in config.db.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from message.jscontact import Card, canonical
from storage.errors import StoreError

MAX_BOOKS: Final = 200
MAX_CARDS: Final = 100_000
MAX_OCTETS: Final = 1024 * 1024
"""Of one card, as vCard and as JSON."""
MAX_ALL_OCTETS: Final = 1024 * 1024 * 1024
"""Of all cards of an account as vCard."""
MAX_ADDRESSES: Final = 100
"""Of one card: those by which it is found."""
MAX_MEMBERS: Final = 10_000
MAX_TEXT: Final = 4_096
MAX_NAME: Final = 255
MAX_PROPERTIES: Final = 64 * 1024
_NO_NAME: Final = re.compile("[\x00-\x1f\x7f/\ud800-\udfff]")
_NO_TEXT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class ContactError(StoreError):
    """A change of contacts was refused; the text says why."""


class BadContact(ContactError):
    """A card or book that can't be stored."""


class NoSuchContact(ContactError):
    """No card, book or group of that name or id."""


class ContactExists(ContactError):
    """Another card of the account has that UID, or one of the book that name, or a book its.
    `href` and `book` are the card's, if it is one.
    """

    def __init__(self, text: str, href: str = "", book: int = 0) -> None:
        super().__init__(text)
        self.href, self.book = href, book


class TooManyContacts(ContactError):
    """The account has as many as it may have."""


class Conflict(ContactError):
    """The card is another than the client knew (If-Match, If-None-Match)."""


class BookNotEmpty(ContactError):
    """The book has cards still."""


@dataclass(frozen=True, slots=True)
class Book:
    """`changed` is the modseq of what was changed last in it: a ctag. `standard`: the default
    book; `colour` as CSS, `properties` what clients keep about it.
    """

    name: str
    slug: str = ""
    description: str = ""
    colour: str = ""
    position: int = 0
    standard: bool = False
    subscribed: bool = True
    properties: Mapping[str, str] = field(default_factory=dict)
    id: int = 0
    born: int = 0
    modseq: int = 0
    changed: int = 0
    cards: int = 0


DEFAULT: Final = Book("Contacts", "default", standard=True)
"""What an account gets that has none."""


@dataclass(frozen=True, slots=True)
class Content:
    """A card's JSContact as canonical JSON, and the vCard of `version` that says the same."""

    text: str
    raw: bytes
    version: str

    @classmethod
    def of(cls, made: Mapping[str, Any], raw: bytes, version: str) -> "Content":
        return cls(canonical(made), raw, version)

    def card(self) -> Card:
        """The JSContact."""
        made: Card = json.loads(self.text)
        return made


@dataclass(frozen=True, slots=True)
class Listed:
    """A card without its content. `etag` is without quotes."""

    id: int
    book: int
    href: str
    uid: str
    kind: str
    name: str
    etag: str
    octets: int
    version: str
    born: int
    modseq: int
    created: float
    changed: float


@dataclass(frozen=True, slots=True)
class Stored:
    """A card."""

    listed: Listed
    content: Content


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client knows of the card that it writes: `etag` of If-Match ("*" for any), or that
    there is none (If-None-Match: *). Without either, the last writer wins.
    """

    etag: str | None = None
    absent: bool = False


ANY: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Went:
    """A card that left a book, last at `modseq`."""

    href: str
    modseq: int


@dataclass(frozen=True, slots=True)
class BookChanges:
    """Of one book up to `modseq`: cards that are new or changed, and hrefs that are gone."""

    modseq: int
    changed: tuple[Listed, ...]
    gone: tuple[Went, ...]


@dataclass(frozen=True, slots=True)
class Became:
    """What became of cards of an account up to a modseq: their ids."""

    until: int
    has_more: bool
    created: tuple[int, ...]
    updated: tuple[int, ...]
    destroyed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """What a card was until a change at `replaced`."""

    id: int
    card: int
    book: int
    href: str
    content: Content
    modseq: int
    replaced: float


@dataclass(frozen=True, slots=True)
class GroupOf:
    """A group of an address book by its name; `id` is its card's."""

    id: int
    name: str
    members: int


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Somebody whom the account wrote to, so often; times in seconds since 1970."""

    address: str
    count: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Relation:
    """What an account has to do with an address. `groups`: names of those that its cards are in;
    `written`: how often the account wrote there, `last` when it did so last.
    """

    contact: bool = False
    groups: frozenset[str] = frozenset()
    written: int = 0
    last: float | None = None

    @property
    def known(self) -> bool:
        """In the address book, or written to before."""
        return self.contact or self.written > 0


def etag_of(raw: bytes) -> str:
    """Equal for equal bytes alone."""
    return hashlib.sha256(raw).hexdigest()[:40]


def check_card(content: Content) -> Card:
    """The JSContact of what is to be stored. Raises BadContact."""
    if len(content.raw) > MAX_OCTETS or len(content.text) > 4 * MAX_OCTETS:
        raise BadContact(f"A card has at most {MAX_OCTETS} octets")
    card = content.card()
    uid = card.get("uid")
    if not isinstance(uid, str) or not uid.strip() or len(uid) > MAX_TEXT or _NO_TEXT.search(uid):
        raise BadContact("A card has a UID")
    members = card.get("members")
    if isinstance(members, dict) and len(members) > MAX_MEMBERS:
        raise BadContact(f"A group has at most {MAX_MEMBERS} members")
    return card


def check_href(href: str) -> None:
    """Raises BadContact."""
    if not href or len(href.encode("utf-8", "replace")) > MAX_NAME or _NO_NAME.search(href):
        raise BadContact("The name of a card or book is one segment of a path")
    if href in (".", ".."):
        raise BadContact("The name of a card or book is one segment of a path")


def check_book(book: Book) -> None:
    """Raises BadContact."""
    check_href(book.slug)
    if not book.name.strip() or len(book.name.encode("utf-8", "replace")) > MAX_NAME:
        raise BadContact(f"A book has a name of at most {MAX_NAME} octets")
    if "\n" in book.name or "\t" in book.name:
        raise BadContact("A book has a name of one line")
    for text in (book.name, book.description, book.colour):
        if len(text) > MAX_TEXT or _NO_TEXT.search(text):
            raise BadContact(f"A text has at most {MAX_TEXT} characters, none of them for control")
    if not 0 <= book.position < 2**31:
        raise BadContact("The place of a book in lists is from 0 to 2147483647")
    if len(json.dumps(dict(book.properties))) > MAX_PROPERTIES:
        raise BadContact(f"A book has at most {MAX_PROPERTIES} octets of properties")
