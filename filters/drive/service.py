"""DriveService: files and attachments of an account in one list, and links to them for others.

Who asks for the account is an Asker: a login sees attachments in the folders that it sees, and
files where it sees all folders. What comes by a link is nobody: the link says what it may have.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from auth.grant import Grant
from storage.drive_values import (
    Audience,
    Disposition,
    Item,
    ItemId,
    Link,
    LinkId,
    Read,
)
from storage.errors import StoreError
from storage.values import AccountId


@dataclass(frozen=True, slots=True)
class Asker:
    """A login: its account, with its address, and what it is good for."""

    account: AccountId
    address: str
    grant: Grant


class NotPermitted(StoreError):
    """The login may read only, or does not see all folders."""


class Infected(StoreError):
    """The octets have what the scanner found: they are not kept, or not given."""


class NotYet(StoreError):
    """The scanner has not said anything yet, or could not."""


class Why(Enum):
    """Why a link gives nothing. ABSENT is one answer for what never was, was revoked, has another
    signature, or leads to what is gone.
    """

    ABSENT = "absent"
    EXPIRED = "expired"
    LOGIN = "login"
    PASSWORD = "password"  # noqa: S105 - a reason
    TOO_MANY = "too many"
    PENDING = "pending"
    INFECTED = "infected"


class LinkRefused(Exception):
    """A link gives nothing: `why`."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class Octets(Protocol):
    """The content of a file or attachment."""

    @property
    def size(self) -> int:
        """Octets."""

    def pieces(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """From `start` up to `end`, which lie within. Raises StoreError."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What may be sent: `content` is its hash, `changed` when it came, in seconds since 1970."""

    name: str
    type: str
    content: str
    changed: float
    octets: Octets
    disposition: Disposition = Disposition.ATTACHMENT
    whole_only: bool = False
    """Each answer counts, so that it is all of it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a link is to be like; `seconds` from now, 0 for as long as is usual; `password` in
    plain text.
    """

    seconds: float = 0.0
    disposition: Disposition = Disposition.ATTACHMENT
    audience: Audience = Audience.ANYONE
    password: str = ""
    most: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """A link as it was followed: the parts of its URL."""

    id: LinkId
    expires: str
    key: str
    signature: str


async def nobody() -> bool:
    """No login came."""
    return False


@dataclass(frozen=True, slots=True)
class Follower:
    """Who follows a link: the address, the program's name, the password that came with it, None for
    none; `is_user` says whether it has a login here, asked only where that counts.
    """

    peer: str
    agent: str = ""
    is_user: Callable[[], Awaitable[bool]] = nobody
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: behind the file of that time and id, before that message, of which so
    many attachments were told.
    """

    file: tuple[float, str] | None = None
    message: int | None = None
    told: int = 0
    files_over: bool = False
    parts_over: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """`rest` is None when there is no more; a page may have fewer than were asked for."""

    items: tuple[Item, ...]
    rest: Place | None


@dataclass(frozen=True, slots=True)
class Used:
    """Octets of the account's files, and how many it may have, None for any number."""

    octets: int
    limit: int | None


class DriveService(Protocol):
    """Every call raises StoreError: NoSuchItem, NoSuchLink, BadDriveValue, NotPermitted and those
    named.
    """

    async def items(
        self, asker: Asker, *, kind: str = "", folder: str | None = None, after: Place, limit: int
    ) -> Page:
        """The newest first; `kind` "file" or "attachment", "" for both; of one folder, files."""

    async def item(self, asker: Asker, number: ItemId) -> Item:
        """One, with the state that its octets have."""

    async def folders(self, asker: Asker) -> list[str]:
        """Those that have files."""

    async def used(self, asker: Asker) -> Used:
        """What the files take."""

    async def upload(
        self, asker: Asker, name: str, folder: str, pieces: AsyncIterable[bytes]
    ) -> Item:
        """A file of what comes, durable on return. Raises BlobTooLarge, BlobQuota, Infected, and
        what `pieces` raises.
        """

    async def keep(self, asker: Asker, number: ItemId, folder: str = "") -> Item:
        """An attachment as a file, which stays when the mail is gone. Raises as `upload`."""

    async def change(
        self, asker: Asker, number: ItemId, name: str | None, folder: str | None
    ) -> Item:
        """Another name or folder of a file."""

    async def delete(self, asker: Asker, number: ItemId) -> None:
        """A file, with its links."""

    async def open(self, asker: Asker, number: ItemId) -> Opened:
        """For its owner. Raises Infected, NotYet."""

    async def link(self, asker: Asker, number: ItemId, wish: Wish, *, ahead: bool = False) -> Link:
        """A new one. `ahead`: also before the scanner has said anything, who follows it waits.
        Raises Infected, NotYet, auth.password.PasswordError.
        """

    async def links(
        self,
        asker: Asker,
        number: ItemId | None = None,
        *,
        after: tuple[float, str] | None = None,
        limit: int = 100,
    ) -> list[Link]:
        """Those of an item, or of all, revoked and expired ones too; the newest first."""

    async def path(self, link: Link) -> str:
        """The path and query of its URL; "" when the key that signed it is gone."""

    async def revoke(self, asker: Asker, number: LinkId) -> None:
        """At once."""

    async def reads(self, asker: Asker, number: LinkId) -> list[Read]:
        """Who read by it, the newest first."""

    async def follow(self, signed: Signed, follower: Follower) -> Opened:
        """What the link leads to. Raises LinkRefused."""

    async def take(self, number: LinkId) -> None:
        """Counts a download of a link that is good for so many, before the first octet. Raises
        LinkRefused.
        """

    def note(self, number: LinkId, follower: Follower, status: int) -> None:
        """Into the link's log, a little later: this was answered."""
