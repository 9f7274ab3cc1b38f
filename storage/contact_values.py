"""People and groups of an address book as values, their bounds, and why a change is refused. Pure.

The fields are those of vCard (RFC 6350 §6) under plain names; what has no field here stays in
`more`, as unfolded vCard lines, so that a card comes back as it went in.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final

from storage.directory_names import address_key
from storage.errors import StoreError

MAX_PEOPLE: Final = 20_000
MAX_GROUPS: Final = 1_000
MAX_ADDRESSES: Final = 50
MAX_TEXT: Final = 4_096
MAX_MORE: Final = 256 * 1024
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class BadContact(StoreError):
    """A person or group that can't be stored; the text says why."""


class NoSuchContact(StoreError):
    """No person or group of that id."""


class ContactExists(StoreError):
    """A group has that name, or a person or group that UID."""


class TooManyContacts(StoreError):
    """The account has as many as it may have."""


@dataclass(frozen=True, slots=True)
class Email:
    """EMAIL; `label` is its TYPE, such as "home"."""

    address: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """`id` is 0 until stored, `uid` (UID) is made then if it is missing. Times in seconds since
    1970.
    """

    name: str
    emails: tuple[Email, ...] = ()
    given_name: str = ""
    family_name: str = ""
    nickname: str = ""
    organization: str = ""
    title: str = ""
    note: str = ""
    more: tuple[str, ...] = ()
    uid: str = ""
    id: int = 0
    created: float = 0.0
    changed: float = 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """`members` are ids of people, in rising order."""

    name: str
    members: tuple[int, ...] = ()
    uid: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Somebody whom the account wrote to, so often; times in seconds since 1970."""

    address: str
    count: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Relation:
    """What an account has to do with an address. `groups`: names of those that its people are in;
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


TEXTS: Final = tuple(
    field.name for field in fields(Person) if field.type is str and field.name != "uid"
)


def check_person(person: Person) -> None:
    """Raises BadContact."""
    texts = [getattr(person, name) for name in (*TEXTS, "uid")]
    check_texts(
        texts + [one.address for one in person.emails] + [one.label for one in person.emails]
    )
    if not person.name.strip() and not person.emails:
        raise BadContact("A person has a name or an address")
    if len(person.emails) > MAX_ADDRESSES:
        raise BadContact(f"A person has at most {MAX_ADDRESSES} addresses")
    for one in person.emails:
        if not address_key(one.address):
            raise BadContact(f"{one.address!r} is not an address")
    if sum(map(len, person.more)) > MAX_MORE or any(map(_FORBIDDEN.search, person.more)):
        raise BadContact("The further lines of the card are too long, or no text")
    if any("\n" in line for line in person.more):
        raise BadContact("A further line of the card is one line")


def check_texts(texts: Iterable[str]) -> None:
    """Raises BadContact."""
    for text in texts:
        if len(text) > MAX_TEXT:
            raise BadContact(f"A text has at most {MAX_TEXT} characters")
        if _FORBIDDEN.search(text):
            raise BadContact("A text holds no control characters")


def check_group(group: Group) -> None:
    """Raises BadContact."""
    check_texts((group.name, group.uid))
    if not group.name.strip() or "\n" in group.name:
        raise BadContact("A group has a name of one line")
