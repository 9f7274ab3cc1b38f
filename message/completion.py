"""What a submitted message lacks and what it must not carry on: RFC 6409 §8, RFC 5322 §3.6.

Pure: the caller knows the time, an id and who sends.
"""

from dataclasses import dataclass
from datetime import datetime

from message.authors import Authors, address_field, with_from
from message.date import format_date
from message.headers import first
from message.rewrite import named, without

# Bcc is the sender's own business (RFC 5322 §3.6.3), Return-Path the last server's (RFC 5321 §4.4).
_PRIVATE = named((b"bcc", b"resent-bcc", b"return-path"))
_SENDER = named((b"sender",))


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who sends: the address that stands for the account, and the account's display name."""

    address: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What completes a message. `message_id` is without <>; `charset` is that of a body without
    Content-Type, "us-ascii" for one of seven bits.

    `sender` goes into Sender when From alone does not say who sent it; "" removes a Sender that
    names somebody else; None leaves it.
    """

    submitter: Submitter
    now: datetime
    message_id: str
    charset: str
    sender: str | None = None


def completed(
    header: bytes, authors: Authors | None, facts: Facts, *, private: bool = False
) -> bytes:
    """The header as it is sent, or with `private` as the sender keeps it, Bcc included. `authors`
    is what message.authors found in it.
    """
    added = [*_author_fields(authors, facts), *_missing(header, facts), *_mime(header, facts)]
    header = header if private else without(header, _PRIVATE)
    if facts.sender is not None:
        header = without(header, _SENDER)
    if authors is not None and authors.field:
        header = with_from(header, authors.field)
    return b"".join((*added, header))


def _author_fields(authors: Authors | None, facts: Facts) -> list[bytes]:
    fields = []
    if authors is None:
        who = facts.submitter
        fields.append(address_field("From", who.address, who.display))
    if facts.sender:
        fields.append(address_field("Sender", facts.sender))
    return fields


def _missing(header: bytes, facts: Facts) -> list[bytes]:
    """Date and Message-ID (RFC 6409 §8.2, §8.3)."""
    fields = []
    if first(header, b"date") is None:
        fields.append(f"Date: {format_date(facts.now)}\r\n".encode())
    if first(header, b"message-id") is None:
        fields.append(f"Message-ID: <{facts.message_id}>\r\n".encode())
    return fields


def _mime(header: bytes, facts: Facts) -> list[bytes]:
    """MIME-Version, Content-Type and, for eight bits, Content-Transfer-Encoding (RFC 2045 §4-6)."""
    fields = []
    if first(header, b"mime-version") is None:
        fields.append(b"MIME-Version: 1.0\r\n")
    if first(header, b"content-type") is None:
        fields.append(f"Content-Type: text/plain; charset={facts.charset}\r\n".encode())
        if facts.charset != "us-ascii" and first(header, b"content-transfer-encoding") is None:
            fields.append(b"Content-Transfer-Encoding: 8bit\r\n")
    return fields
