"""The EmailService: mail of a login written and sent, looked at, tagged, moved and deleted.

Ids are those of JMAP and IMAP (storage/object_ids.py). What a login does not see is not there for
it; what it may not do is NotPermitted. What finds mail is storage's (mail_query), not here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from auth.login_values import Login
from filters.mailing.values import Origin
from message.compose_fields import Person
from message.readable import Readable
from storage.blob_values import BlobHash
from storage.errors import StoreError
from storage.values import QueueId


class NoSuchEmail(StoreError):
    """There is none, or the login does not see it."""


class NotPermitted(StoreError):
    """The login, or the list of rights of a mailbox, does not allow it."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An attachment of octets that the account has put here; with `cid` it belongs to the HTML."""

    blob: BlobHash
    name: str = ""
    type: str = "application/octet-stream"
    cid: str = ""


@dataclass(frozen=True, slots=True)
class OfDrive:
    """An attachment that is a file of the drive; "" for the drive's own name and type."""

    id: str
    name: str = ""
    type: str = ""
    cid: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be sent. `sender` is an address that the account may use, with its name; None
    for its own. `send_at` in Unix seconds, None for as soon as the account's `undo_seconds` allow.
    A second one with the same `key` is not sent: the first one's answer is given.
    """

    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: tuple[Uploaded | OfDrive, ...] = ()
    sender: Person | None = None
    reply_to: tuple[Person, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    send_at: float | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """`id` names the submission, `email` the copy in Sent; `message_id` is without <>."""

    id: QueueId
    email: str
    message_id: str
    send_at: float


@dataclass(frozen=True, slots=True)
class Viewed:
    """One Email: ids of mailboxes, keywords as JMAP has them; `received` in Unix seconds."""

    id: str
    thread: str
    mailboxes: tuple[str, ...]
    keywords: tuple[str, ...]
    size: int
    received: float
    content: Readable


class EmailService(Protocol):
    """Raises StoreError."""

    async def send(self, login: Login, origin: Origin, letter: Letter) -> Posted:
        """Queued, and saved in Sent, in one transaction. Raises NotSent."""

    async def cancel(self, login: Login, id_: QueueId) -> None:
        """Takes back what waits for its time. Raises NotCancelled, NotPermitted."""

    async def view(self, login: Login, id_: str) -> Viewed:
        """Raises NoSuchEmail."""

    async def thread(self, login: Login, id_: str) -> list[str]:
        """Ids of a thread's Emails, the oldest first. Raises NoSuchEmail."""

    async def tag(
        self, login: Login, ids: Sequence[str], add: Collection[str], take: Collection[str]
    ) -> None:
        """Sets and takes keywords (`$seen`, `$flagged`, tags) of all copies that the login sees.
        Raises NoSuchEmail, NotPermitted, ValueError for no keyword.
        """

    async def move(self, login: Login, ids: Sequence[str], mailbox: str) -> None:
        """Into one mailbox, out of all others that the login sees. Raises NoSuchEmail,
        NoSuchMailbox, NotPermitted, OverQuota.
        """

    async def delete(self, login: Login, ids: Sequence[str], *, for_good: bool = False) -> None:
        """Into Trash; those that are in there, and with `for_good` all, end. Raises NoSuchEmail,
        NotPermitted.
        """
