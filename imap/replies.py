"""Answers to commands: the tagged reply as a value, the errors that become one, and their bytes.

An error knows its reply; turning a store's error into a response code happens here and nowhere else
(RFC 9051 §7.1). Texts are safe to show; causes go to the log.
"""

from dataclasses import dataclass
from enum import Enum

from imap.grammar.frame import Rejected
from net.threads import Busy
from storage.errors import (
    MailboxExists,
    MailboxForbidden,
    MailboxHasChildren,
    MessageMissing,
    NoSuchAccount,
    NoSuchMailbox,
    OverQuota,
    StoreError,
    StoreFull,
    TooMany,
)


class Status(Enum):
    """The word of a status response."""

    OK = b"OK"
    NO = b"NO"
    BAD = b"BAD"


# Controls become question marks.
_SHOWN = bytes(octet if 32 <= octet < 127 else 63 for octet in range(256))


@dataclass(frozen=True, slots=True)
class Reply:
    """A tagged answer. `code` is what stands in the brackets, without them; `highest` says that it
    is to be HIGHESTMODSEQ, known when all that happened was told (RFC 7162 §3.2.7).
    """

    text: str
    code: bytes = b""
    status: Status = Status.OK
    highest: bool = False

    def tagged(self, tag: str) -> bytes:
        """The line with its CRLF."""
        head = b"%s %s " % (tag.encode(), self.status.value)
        return head + (b"[%s] " % self.code if self.code else b"") + _safe(self.text) + b"\r\n"


class CommandError(Exception):
    """A command that ends with NO or BAD; `code` as in Reply."""

    status = Status.NO

    def __init__(self, text: str, code: bytes = b"") -> None:
        super().__init__(text)
        self.code = code

    @property
    def reply(self) -> Reply:
        """The tagged answer it becomes."""
        return Reply(str(self), self.code, self.status)


class No(CommandError):
    """The command was understood and can't be done."""


class Bad(CommandError):
    """The command makes no sense here."""

    status = Status.BAD


class Closing(Exception):
    """The connection ends; BYE was sent and no tagged answer follows."""


_CODES: tuple[tuple[type[StoreError], bytes], ...] = (
    (OverQuota, b"OVERQUOTA"),
    (NoSuchMailbox, b"NONEXISTENT"),
    (MailboxExists, b"ALREADYEXISTS"),
    (MailboxForbidden, b"CANNOT"),
    (MailboxHasChildren, b"HASCHILDREN"),
    (TooMany, b"LIMIT"),
    (MessageMissing, b"EXPUNGEISSUED"),
    (NoSuchAccount, b"NONEXISTENT"),
    (StoreFull, b"UNAVAILABLE"),
)


def reply_of(error: StoreError | Busy, *, target: bool = False) -> Reply:
    """The NO for an error of the store; for a missing `target` of APPEND or COPY TRYCREATE."""
    if isinstance(error, Busy):
        return Reply("Server busy, try again later", b"UNAVAILABLE", Status.NO)
    if target and isinstance(error, NoSuchMailbox):
        return Reply(_text(error), b"TRYCREATE", Status.NO)
    code = next((code for kind, code in _CODES if isinstance(error, kind)), b"UNAVAILABLE")
    return Reply(_text(error), code, Status.NO)


def rejection(rejected: Rejected) -> bytes:
    """The line for a command that the grammar refused; untagged when no tag could be read."""
    code = f"[{rejected.code}] " if rejected.code else ""
    tag = rejected.tag or "*"
    return f"{tag} {rejected.status.value} {code}".encode() + _safe(rejected.text) + b"\r\n"


def untagged(text: bytes) -> bytes:
    """`* text` with its CRLF."""
    return b"* %s\r\n" % text


def _text(error: StoreError) -> str:
    return str(error) or "Not possible"


def _safe(text: str) -> bytes:
    """Text that stays on its line: US-ASCII without controls."""
    return text.encode("ascii", "replace").translate(_SHOWN) or b"Done"
