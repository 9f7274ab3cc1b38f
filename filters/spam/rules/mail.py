"""A message as rules see it: what was read of it, how it came, and its addresses, each found once.

Bounded: of a header its first 64 KiB and 1,000 fields are looked at, of an address field 4 KiB.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from filters.spam.domains import registered
from filters.spam.reading import Reading
from filters.spam.rules.transit import Transit
from filters.spam.targets import Target, targets
from message.address import AddressError, normalise_domain
from message.address_list import mailboxes
from message.headers import iter_fields, unfold
from message.scan import Part, walk

MAX_HEADER: Final = 64 * 1024
MAX_FIELDS: Final = 1_000
MAX_VALUE: Final = 4 * 1024
MAX_ADDRESSES: Final = 100
MAX_PARTS: Final = 500
MAX_SOURCE: Final = 128 * 1024


class Found(NamedTuple):
    """What a rule says: a symbol, in what, and by how much of its weight."""

    name: str
    detail: str = ""
    factor: float = 1.0


Finds = Iterator[Found]


class Who(NamedTuple):
    """One address of a field, in lower case; `name` is its decoded display name, `domain` A-labels
    or "".
    """

    name: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else ""

    @property
    def owner(self) -> str:
        """The registered domain, or ""."""
        return registered(self.domain) if self.domain else ""


NOBODY: Final = Who("", "", "")


@dataclass(frozen=True)
class Mail:
    """`root` is the structure of `data`, the CRLF form of what was read."""

    reading: Reading
    root: Part
    data: bytes
    transit: Transit

    @cached_property
    def fields(self) -> dict[bytes, list[bytes]]:
        """The unfolded values by lower-case name."""
        found: dict[bytes, list[bytes]] = {}
        for number, one in enumerate(iter_fields(self.header)):
            if number >= MAX_FIELDS:
                break
            found.setdefault(one.name.lower(), []).append(unfold(one.value))
        return found

    @cached_property
    def header(self) -> bytes:
        """The header block, as much of it as is looked at."""
        return self.reading.header[:MAX_HEADER]

    def first(self, name: bytes) -> bytes | None:
        """The first value of a field, None without."""
        values = self.fields.get(name)
        return values[0] if values else None

    @cached_property
    def author(self) -> Who:
        """The first address of From."""
        return next(iter(self.people(b"from")), NOBODY)

    @cached_property
    def reply_to(self) -> Who:
        return next(iter(self.people(b"reply-to")), NOBODY)

    @cached_property
    def sender(self) -> Who:
        """The sender of the envelope, its domain in A-labels."""
        return who_of("", self.transit.sender)

    @cached_property
    def readers(self) -> tuple[Who, ...]:
        """The addresses of To and Cc."""
        return (*self.people(b"to"), *self.people(b"cc"))[:MAX_ADDRESSES]

    @cached_property
    def recipients(self) -> tuple[Who, ...]:
        """The first recipients of the envelope."""
        return tuple(who_of("", one) for one in self.transit.recipients[:MAX_ADDRESSES])

    def people(self, name: bytes) -> tuple[Who, ...]:
        """The addresses of the first field of that name."""
        value = self.first(name)
        if not value:
            return ()
        entries = mailboxes(value[:MAX_VALUE])[:MAX_ADDRESSES]
        return tuple(who_of(one.display, one.text) for one in entries)

    @cached_property
    def leaves(self) -> tuple[Part, ...]:
        """The parts that hold no parts, at most MAX_PARTS."""
        found = []
        for part in walk(self.root):
            if not part.children:
                found.append(part)
            if len(found) >= MAX_PARTS:
                break
        return tuple(found)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Where the links lead."""
        return targets(self.reading.links)

    @cached_property
    def source(self) -> str:
        """The source of the HTML in lower case, its beginning."""
        return self.reading.markup[:MAX_SOURCE].lower()

    @cached_property
    def text(self) -> str:
        """What is read: the plain text, or that of the HTML without it."""
        return self.reading.plain or self.reading.html


def who_of(name: str, address: str) -> Who:
    """An address as it is written taken apart."""
    local, _, raw = address.rpartition("@")
    try:
        domain = normalise_domain(raw.removesuffix(".")) if raw else ""
    except AddressError:
        domain = ""
    return Who(name, local.lower(), "" if domain.startswith("[") else domain)
