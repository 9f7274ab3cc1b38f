"""Whether a message may be answered by a program (RFC 3834 §2), such as by a vacation notice, and
whether its sender may get reports of failure (RFC 3464 §2).

Pure. How often somebody is answered is storage/answered.py's.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from message.address_list import mailboxes
from message.headers import all_values, first, iter_fields

# RFC 3834 §2: addresses of programs, and what lists and daemons are called.
_PROGRAM = re.compile(
    r"(?:mailer-daemon|listserv|majordomo|postmaster|root|daemon|bounces?|no-?reply|do-?not-?reply)"
    r"(?:[+=-].*)?|owner-.*|.*-(?:request|owner|bounces?|relay|errors?)",
    re.IGNORECASE,
)
_BULK = frozenset((b"bulk", b"list", b"junk", b"auto_reply"))
_TRUE = frozenset((b"all", b"dr", b"rn", b"nrn", b"oof", b"autoreply"))
MAX_VALUE = 32 * 1024
_MAILTO = re.compile(rb"<mailto:([^<>?]+)", re.IGNORECASE)
# RFC 3464, RFC 8098; other reports, such as those of DMARC, are mail like any other.
_REPORT_TYPE = re.compile(
    rb"report-type\s*=\s*\"?(?:global-)?(?:delivery-status|disposition-notification)\b"
)
_TO = (b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc")


@dataclass(frozen=True, slots=True)
class Incoming:
    """What is known of a message. `sender` is the reverse-path without brackets; `forged` is True
    when authentication failed; `own` are the recipient's addresses, in lower case.
    """

    sender: str
    header: bytes
    own: frozenset[str]
    forged: bool = False
    suspicious: bool = False


def refusal(message: Incoming) -> str:
    """Why the message must not be answered, in a few words; "" when it may be."""
    if not message.sender:
        return "it has no sender"
    if message.forged:
        return "its sender is forged"
    if message.suspicious:
        return "it is suspected to be spam"
    local, _, _ = message.sender.rpartition("@")
    if _PROGRAM.fullmatch(local) or local.casefold().startswith(("srs0=", "srs1=")):
        return "its sender is a program or a list"
    if message.sender.casefold() in message.own:
        return "it comes from the one who would answer"
    said = _said_by(message.header)
    if said:
        return said
    if not _addressed(message.header, message.own):
        return "it does not name the recipient in To or Cc"
    return ""


def unreportable(sender: str, header: bytes) -> str:
    """Why the sender of a message must get no report about it, in a few words; "" when it may.

    Lists want to hear of failures at their own envelope sender (RFC 5321 §6.1), which is not where
    one posts; a report of a report goes round in circles, whatever sender it has.
    """
    if not sender:
        return "it has no sender"
    if sender.casefold() in _posting(header):
        return "its sender is where a list is posted to"
    if sender.casefold().startswith("mailer-daemon@") or _is_report(header):
        return "it is a report itself"
    return ""


def is_bulk(header: bytes) -> bool:
    """Whether a message comes from a list or went out in bulk."""
    precedence = (first(header, b"precedence") or b"").lower()
    return precedence in _BULK or first(header, b"list-id") is not None


def _posting(header: bytes) -> set[str]:
    """Addresses of List-Post (RFC 2369 §3.4)."""
    found = _MAILTO.findall((first(header, b"list-post") or b"")[:MAX_VALUE])
    return {unquote_to_bytes(one).decode("utf-8", "replace").casefold() for one in found}


def _is_report(header: bytes) -> bool:
    kind = (first(header, b"content-type") or b"").lower()
    return kind.startswith(b"multipart/report") and _REPORT_TYPE.search(kind) is not None


def _said_by(header: bytes) -> str:
    """What the header says of itself."""
    automatic = first(header, b"auto-submitted")
    if automatic is not None and automatic.partition(b";")[0].strip().lower() != b"no":
        return "it is an automatic message"
    if (first(header, b"precedence") or b"").lower() in _BULK:
        return "it is bulk mail"
    if any(field.name.lower().startswith(b"list-") for field in iter_fields(header)):
        return "it comes from a list"
    suppressed = (first(header, b"x-auto-response-suppress") or b"").lower()
    if _TRUE.intersection(re.split(rb"[\s,;]+", suppressed)):
        return "it asks for no answer"
    kind = (first(header, b"content-type") or b"").lower()
    if kind.startswith(b"multipart/report"):
        return "it is a report"
    return ""


def _addressed(header: bytes, own: Iterable[str]) -> bool:
    named = {
        entry.text.casefold()
        for name in _TO
        for value in all_values(header, name)
        for entry in mailboxes(value[:MAX_VALUE])
    }
    return not named.isdisjoint(own)
