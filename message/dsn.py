"""Delivery status notifications: multipart/report of RFC 3461 §6, RFC 6522, RFC 3464 and RFC 6533.

A report has the null sender and is marked auto-replied (RFC 3834), so that nothing answers it. CRLF
throughout, no line above 998 octets; ASCII headers and status unless `smtputf8`, 8-bit bytes
only in a returned message that has them. dsn_text.py words the part for people.
"""

import quopri
import re
from base64 import encodebytes
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b

from message.crlf import to_crlf
from message.date import format_date
from message.dsn_text import entry
from message.headers import build_field, first, header_block
from message.words import decode_words

MAX_HEADERS = 64 * 1024

_REPLY = re.compile(r"[2-5][0-9]{2}(?:[ -]|$)")
_LONG_LINE = re.compile(rb"[^\n]{1000}")
_MESSAGE_ID = re.compile(rb"<[!-;=?-~]{1,900}>")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")


class Action(StrEnum):
    """RFC 3464 §2.3.3; the order is that of importance."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"
    EXPANDED = "expanded"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """What became of one recipient; times are aware.

    `status` is like "5.1.1"; `original` is ORCPT with its xtext decoded ("rfc822;a@b") or "";
    `diagnostic` is the peer's reply ("550 5.1.1 no such user") or our own reason; `remote_mta` is
    the peer's host name, "" when no peer said it.
    """

    final: str
    action: Action
    status: str
    original: str = ""
    remote_mta: str = ""
    diagnostic: str = ""
    last_attempt: datetime | None = None
    will_retry_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One report about one message. `sender` gets it: the message's envelope sender.

    `original` is the message, or its header block; with `full` all of it is returned up to
    `max_full` octets (RET=FULL), else its header. `message_id` (without <>) is the report's own.
    `smtputf8`: the report may hold UTF-8 headers, since it will be sent with SMTPUTF8. `hold_until`
    (RFC 4865) and `deliver_by` (RFC 2852), both aware, are what the sender had asked for.
    """

    reporting_mta: str
    sender: str
    recipients: tuple[RecipientStatus, ...]
    original: bytes
    arrival: datetime
    now: datetime
    message_id: str
    envelope_id: str = ""
    full: bool = False
    max_full: int = 50 * 1024
    smtputf8: bool = False
    hold_until: datetime | None = None
    deliver_by: datetime | None = None


_SUBJECTS = {
    Action.FAILED: "Undelivered: ",
    Action.DELAYED: "Delayed: ",
    Action.RELAYED: "Relayed: ",
    Action.EXPANDED: "Delivered to list: ",
    Action.DELIVERED: "Delivered: ",
}
_LEADS = {
    Action.FAILED: "Your message could not be delivered to:",
    Action.DELAYED: "Your message has not been delivered yet to the recipients below. There is no\n"
    "need to send it again: attempts go on, and you will hear if they fail.",
    Action.RELAYED: "Your message was handed on to a mail system that does not report deliveries,\n"
    "for:",
    Action.EXPANDED: "Your message was delivered to these lists and sent on to their members:",
    Action.DELIVERED: "Your message was delivered to:",
}


def build_dsn(report: Report) -> bytes:
    """The complete message; of different actions the gravest names the subject."""
    parts = (_human_part(report), _status_part(report), _returned_part(report))
    digest = blake2b(b"\n".join(parts) + report.message_id.encode(), digest_size=12).hexdigest()
    boundary = f"=_{digest}"
    line = b"\r\n--" + boundary.encode()
    return b"".join(
        (
            _header(report, boundary),
            b"This is a delivery report in MIME format.\r\n",
            *(line + b"\r\n" + part for part in parts),
            line + b"--\r\n",
        )
    )


def _header(report: Report, boundary: str) -> bytes:
    lead = next(action for action in Action if any(r.action is action for r in report.recipients))
    block = report.original[:MAX_HEADERS]
    subject = decode_words(first(block, b"subject") or b"")[:200] or "(no subject)"
    answered = _MESSAGE_ID.search(first(block, b"message-id") or b"")
    kind = _status_type(report).removeprefix("message/")
    fields = [
        ("Date", format_date(report.now)),
        ("From", f"Mail Delivery System <MAILER-DAEMON@{report.reporting_mta}>"),
        ("To", f"<{report.sender}>"),
        ("Subject", _SUBJECTS[lead] + subject),
        ("Message-ID", f"<{report.message_id}>"),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/report; report-type={kind}; boundary="{boundary}"'),
    ]
    if answered is not None:
        fields[5:5] = [(name, answered[0].decode()) for name in ("In-Reply-To", "References")]
    return b"".join(build_field(*pair, utf8=report.smtputf8) for pair in fields) + b"\r\n"


def _human_part(report: Report) -> bytes:
    paragraphs = [f"This is the mail system of {report.reporting_mta}.\n"]
    for action in Action:
        found = [one for one in report.recipients if one.action is action]
        if found:
            paragraphs.append(_LEADS[action] + "\n")
        paragraphs += [_entry(one) for one in found]
    text = "\n".join(paragraphs).encode("utf-8", "replace")
    if text.isascii() and _LONG_LINE.search(text) is None:
        return _part("text/plain; charset=us-ascii", "7bit", to_crlf(text))
    return _part("text/plain; charset=utf-8", "base64", to_crlf(encodebytes(text)))


def _entry(one: RecipientStatus) -> str:
    address, host, reply = (
        _UNPRINTABLE.sub(" ", text) for text in (one.final, one.remote_mta, one.diagnostic)
    )
    return entry(address, one.status, host, reply, one.will_retry_until)


def _status_part(report: Report) -> bytes:
    blocks = [_fields(report, _message_fields(report))]
    blocks += [_fields(report, _recipient_fields(report, one)) for one in report.recipients]
    return _part(_status_type(report), "8bit" if report.smtputf8 else "7bit", b"\r\n".join(blocks))


def _message_fields(report: Report) -> list[tuple[str, str]]:
    until = report.hold_until and report.hold_until.astimezone(UTC)
    return [
        ("Original-Envelope-Id", report.envelope_id),
        ("Reporting-MTA", f"dns; {report.reporting_mta}"),
        ("Arrival-Date", format_date(report.arrival)),
        ("Deliver-By-Date", _date(report.deliver_by)),
        ("Future-Release-Request", f"until; {until:%Y-%m-%dT%H:%M:%SZ}" if until else ""),
    ]


def _recipient_fields(report: Report, one: RecipientStatus) -> list[tuple[str, str]]:
    original_type, found, original = one.original.partition(";")
    diagnostic_type = "smtp" if _REPLY.match(one.diagnostic) else "x-local"
    return [
        ("Original-Recipient", f"{original_type}; {_address(report, original)}" if found else ""),
        ("Final-Recipient", f"{_address_type(one.final)}; {_address(report, one.final)}"),
        ("Action", one.action.value),
        ("Status", one.status),
        ("Remote-MTA", f"dns; {one.remote_mta}" if one.remote_mta else ""),
        ("Diagnostic-Code", f"{diagnostic_type}; {one.diagnostic}" if one.diagnostic else ""),
        ("Last-Attempt-Date", _date(one.last_attempt)),
        ("Will-Retry-Until", _date(one.will_retry_until)),
    ]


def _fields(report: Report, pairs: list[tuple[str, str]]) -> bytes:
    """The fields that have a value. Encoded words have no place here: ASCII is `?` for the rest."""
    out = []
    for name, value in pairs:
        if value and not report.smtputf8:
            value = value.encode("ascii", "replace").decode().replace("=?", "= ?")
        if value:
            out.append(build_field(name, value, utf8=True))
    return b"".join(out)


def _returned_part(report: Report) -> bytes:
    original = to_crlf(report.original)
    block = header_block(original)
    global_headers = not block.isascii()
    clean = _LONG_LINE.search(original) is None and b"\0" not in original
    allowed = report.full and len(original) <= report.max_full
    if allowed and clean and (report.smtputf8 or not global_headers):
        kind = "message/global" if global_headers else "message/rfc822"
        return _part(kind, "7bit" if original.isascii() else "8bit", original)
    block = block[:MAX_HEADERS]
    block = block[: block.rfind(b"\n") + 1]
    if _LONG_LINE.search(block) is None and b"\0" not in block:
        if not global_headers:
            return _part("text/rfc822-headers", "7bit", block)
        if report.smtputf8:
            return _part("message/global-headers", "8bit", block)
    encoded = quopri.encodestring(block.replace(b"\r\n", b"\n"))
    return _part("text/rfc822-headers", "quoted-printable", to_crlf(encoded))


def _part(kind: str, encoding: str, body: bytes) -> bytes:
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode("ascii") + body


def _status_type(report: Report) -> str:
    return "message/global-delivery-status" if report.smtputf8 else "message/delivery-status"


def _address_type(address: str) -> str:
    return "rfc822" if address.isascii() else "utf-8"


def _address(report: Report, address: str) -> str:
    """As it is, or in the ASCII form of RFC 6533 §3 (utf-8-addr-xtext)."""
    if address.isascii() or report.smtputf8:
        return address
    return "".join(char if char.isascii() else f"\\x{{{ord(char):X}}}" for char in address)


def _date(when: datetime | None) -> str:
    return "" if when is None else format_date(when)
