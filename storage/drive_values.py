"""Values of the drive: files and attachments, links to them, and who read by them.

Sizes in octets, times in seconds since 1970; `content` is the SHA-256 of the octets in hexadecimal.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from storage.errors import StoreError
from storage.values import AccountId, BlobId

ItemId = NewType("ItemId", str)
"""A file's own, or that of an attachment, which is its blobId of JMAP."""
LinkId = NewType("LinkId", str)

MAX_NAME: Final = 255
MAX_FOLDER: Final = 1000
MAX_NOTE: Final = 1000
MAX_ITEMS: Final = 100_000
MAX_LINKS: Final = 100_000
MAX_READS: Final = 1000
"""Rows of an account, and of the read log of a link."""


class NoSuchItem(StoreError):
    """The account has no such file or attachment."""


class NoSuchLink(StoreError):
    """The account has no such link."""


class BadDriveValue(StoreError):
    """A name, folder or condition that cannot be; the text says why."""


class DriveFull(StoreError):
    """The account has no room for it; the text says of what."""


class State(StrEnum):
    """What the scanner said: `error` is that it could not say anything, `unscanned` that there is
    none.
    """

    PENDING = "pending"
    CLEAN = "clean"
    INFECTED = "infected"
    ERROR = "error"
    UNSCANNED = "unscanned"


class Disposition(StrEnum):
    """What a browser does with what it gets (RFC 6266 §4.2)."""

    ATTACHMENT = "attachment"
    INLINE = "inline"


class Audience(StrEnum):
    """Who may use a link: everybody who has it, or those who also log in here."""

    ANYONE = "anyone"
    USERS = "users"


@dataclass(frozen=True, slots=True)
class Item:
    """A file; of an attachment `message` and `part` say which, its `folder` is "" and its `content`
    "" until it was read once.
    """

    id: ItemId
    name: str
    folder: str
    content: str
    size: int
    type: str
    created: float
    changed: float
    state: State = State.PENDING
    message: BlobId | None = None
    part: str = ""

    @property
    def is_part(self) -> bool:
        """Whether it is an attachment of stored mail."""
        return self.message is not None


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which a link is good. `expires` in whole seconds; `most` downloads, 0 for any number;
    `password` hashed, None for none; `note` says its owner what it is for.
    """

    expires: int
    disposition: Disposition = Disposition.ATTACHMENT
    audience: Audience = Audience.ANYONE
    password: str | None = None
    most: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """`key` is the number of the key that signs it; `downloads` how often it was used up to now."""

    id: LinkId
    account: AccountId
    item: ItemId
    name: str
    content: str
    key: int
    terms: Terms
    created: float
    downloads: int = 0
    revoked: float | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A request by a link, and the status that answered it."""

    at: float
    address: str
    agent: str
    status: int
