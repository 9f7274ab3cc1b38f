"""What a user wants sent, and why it is not: values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from storage.values import DeliverBy, QueueId


class Why(Enum):
    """Why a message is not sent, in the words of RFC 8621 §7.5 and RFC 8620 §5.3."""

    FORBIDDEN_TO_SEND = "forbiddenToSend"
    FORBIDDEN_MAIL_FROM = "forbiddenMailFrom"
    FORBIDDEN_FROM = "forbiddenFrom"
    NO_RECIPIENTS = "noRecipients"
    INVALID_RECIPIENTS = "invalidRecipients"
    TOO_MANY_RECIPIENTS = "tooManyRecipients"
    TOO_LARGE = "tooLarge"
    INVALID_EMAIL = "invalidEmail"
    RATE_LIMIT = "rateLimit"
    LATER = "later"


class NotSent(Exception):
    """Nothing of it was sent; the text may be shown to who sends. `recipients` are those at fault,
    `limit` the bound that was passed. LATER is a fault of the server's.
    """

    def __init__(
        self, why: Why, text: str, *, recipients: tuple[str, ...] = (), limit: int = 0
    ) -> None:
        super().__init__(text)
        self.why, self.recipients, self.limit = why, recipients, limit


class BadWish(ValueError):
    """A sender or recipient, or how it is to travel, cannot be understood or had."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request to send came from: the address of the peer, and whether by TLS."""

    address: str
    tls: bool = False


@dataclass(frozen=True, slots=True)
class To:
    """One recipient; `notify` and `orcpt` as in RFC 3461."""

    address: str
    notify: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """An envelope and how it is to travel, as in storage.values.Delivery; `sender` is "" for the
    null one.
    """

    sender: str
    recipients: tuple[To, ...] = ()
    ret: str = ""
    envid: str = ""
    require_tls: bool = False
    hold_until: float | None = None
    deliver_by: DeliverBy | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """`trace` is the id of every line of the log about it; `send_at` in Unix seconds."""

    id: QueueId
    trace: str
    send_at: float


Parameters = Mapping[str, str | None]
"""Of ESMTP, by name, without xtext; None for those without a value."""


class Grammar(Protocol):
    """Reads envelopes as submission by SMTP does."""

    def sender(self, address: str, parameters: Parameters, *, admin: bool) -> Wish:
        """Without recipients. Raises BadWish."""

    def recipient(self, address: str, parameters: Parameters) -> To:
        """Raises BadWish."""
