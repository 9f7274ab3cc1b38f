"""Delivery status notifications: RFC 3461, 3462, 3464, 6533 multipart/report."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Action(StrEnum):
    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    final: str
    action: Action
    status: str  # "5.1.1"
    original: str = ""  # ORCPT as received: "rfc822;a@b"
    remote_mta: str = ""
    diagnostic: str = ""  # the peer's reply, "550 5.1.1 no such user"
    last_attempt: datetime | None = None
    will_retry_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    reporting_mta: str
    sender: str  # who gets the report: the original envelope sender
    recipients: tuple[RecipientStatus, ...]
    original: bytes  # the message, or as much of it as is at hand
    arrival: datetime
    now: datetime
    message_id: str  # of the report, without <>
    envelope_id: str = ""  # ENVID, decoded
    full: bool = False  # RET=FULL: the whole message up to max_full
    max_full: int = 50 * 1024
    smtputf8: bool = False  # the report may be sent with SMTPUTF8


def build_dsn(report: Report) -> bytes:
    """The complete message, CRLF, lines of at most 998 octets; sent with a null sender."""
