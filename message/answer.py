"""Mail that a program writes: vacation notices (RFC 5230 §5), notifications (RFC 5436 §2), and
notes of the server's own. Pure.

All are marked as automatic (RFC 3834 §5), so that nothing answers them. CRLF throughout.
"""

import quopri
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from message.address import AddressError, parse_mailbox
from message.crlf import to_crlf
from message.date import format_date
from message.headers import build_field, first, header_block, without_blank_line
from message.words import decode_words

_MESSAGE_IDS = re.compile(rb"<[!-;=?-~]{1,900}>")
_MAX_REFERENCES = 20
_LONG_LINE = re.compile(rb"[^\n]{998}")
_MAX_SUBJECT = 200
# What a notification may not be made to say (RFC 5436 §2.3): the server writes these itself.
_OURS = frozenset(
    ("from", "to", "subject", "date", "message-id", "auto-submitted", "importance", "mime-version")
)
_NAME = re.compile(r"[!-9;-~]{1,76}")
_KINDS = (
    b"content-type",
    b"content-transfer-encoding",
    b"content-language",
    b"content-disposition",
)


@dataclass(frozen=True, slots=True)
class Author:
    """Who it is from and when: `sender` is a mailbox as From has it, `message_id` without <>;
    `name` is shown before a bare address.
    """

    sender: str
    now: datetime
    message_id: str
    name: str = ""

    def fields(self, to: str) -> list[tuple[str, str]]:
        """From, To, Date and Message-ID."""
        return [
            ("From", _mailbox(self.sender, self.name)),
            ("To", to),
            ("Date", format_date(self.now)),
            ("Message-ID", f"<{self.message_id}>"),
        ]


def build_vacation(
    author: Author, to: str, reason: str, original: bytes, *, subject: str = "", mime: bool = False
) -> bytes:
    """The answer to the message with the header block `original`. With `mime`, `reason` is a MIME
    entity: its content fields and its body are taken.
    """
    fields = author.fields(f"<{to}>")
    fields[2:2] = [("Subject", subject or _subject(original))]
    fields += _thread(original)
    fields += [("Auto-Submitted", "auto-replied (vacation)"), ("MIME-Version", "1.0")]
    kinds, body = _entity(reason) if mime else _plain(reason)
    return _joined(fields, utf8=not to.isascii()) + kinds + b"\r\n" + body


def build_notification(
    author: Author,
    to: Iterable[str],
    subject: str,
    body: str,
    *,
    owner: str,
    importance: int = 2,
    fields: Iterable[tuple[str, str]] = (),
) -> bytes:
    """A note on behalf of `owner`, an address (RFC 5436 §2.7.1)."""
    named = ", ".join(f"<{one}>" for one in to)
    ours = author.fields(named)
    ours[2:2] = [("Subject", subject)]
    ours += [
        ("Auto-Submitted", f'auto-notified; owner-email="{owner}"'),
        ("Importance", {1: "high", 3: "low"}.get(importance, "normal")),
        ("MIME-Version", "1.0"),
    ]
    extra = [(name, value) for name, value in fields if _may_stand(name)]
    kinds, text = _plain(body)
    return _joined([*ours, *extra], utf8=not named.isascii()) + kinds + b"\r\n" + text


def build_note(author: Author, to: str, subject: str, body: str) -> bytes:
    """A few lines of the server's own, such as a code that somebody asked for."""
    fields = author.fields(f"<{to}>")
    fields[2:2] = [("Subject", subject)]
    fields += [("Auto-Submitted", "auto-generated"), ("MIME-Version", "1.0")]
    kinds, text = _plain(body)
    return _joined(fields, utf8=not to.isascii()) + kinds + b"\r\n" + text


def _may_stand(name: str) -> bool:
    lower = name.lower()
    return (
        _NAME.fullmatch(name) is not None
        and lower not in _OURS
        and not lower.startswith(("content-", "received", "resent-", "dkim-", "arc-", "bcc"))
    )


def _joined(fields: Iterable[tuple[str, str]], *, utf8: bool) -> bytes:
    """`utf8`: an address is internationalised, so that SMTPUTF8 is needed anyway."""
    return b"".join(build_field(name, value, utf8) for name, value in fields)


def _mailbox(sender: str, name: str) -> str:
    """As the script wrote it; a bare address gets the name of its owner."""
    try:
        parse_mailbox(sender)
    except AddressError:
        return sender
    if not name:
        return f"<{sender}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{sender}>' if name.isascii() else f"{name} <{sender}>"


def _subject(original: bytes) -> str:
    """RFC 5230 §4.5 and §5.6."""
    subject = decode_words(first(original, b"subject") or b"")[:_MAX_SUBJECT]
    return f"Auto: {subject}" if subject.strip() else "Automated reply"


def _thread(original: bytes) -> list[tuple[str, str]]:
    """In-Reply-To and References (RFC 5322 §3.6.4)."""
    found = _MESSAGE_IDS.findall(first(original, b"message-id") or b"")
    if not found:
        return []
    before = first(original, b"references") or first(original, b"in-reply-to") or b""
    ids = [*_MESSAGE_IDS.findall(before)[-_MAX_REFERENCES:], found[0]]
    references = b" ".join(ids).decode("ascii")
    return [("In-Reply-To", found[0].decode("ascii")), ("References", references)]


def _plain(text: str) -> tuple[bytes, bytes]:
    data = to_crlf(text.encode("utf-8", "replace"))
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    if data.isascii() and b"\0" not in data and _LONG_LINE.search(data) is None:
        return b"Content-Type: text/plain; charset=us-ascii\r\n", data
    encoded = to_crlf(quopri.encodestring(data.replace(b"\r\n", b"\n")))
    kinds = b"Content-Type: text/plain; charset=utf-8\r\n"
    return kinds + b"Content-Transfer-Encoding: quoted-printable\r\n", encoded


def _entity(text: str) -> tuple[bytes, bytes]:
    """The content fields and the body of a MIME entity; what else its header says is left out."""
    data = to_crlf(text.encode("utf-8", "replace"))
    block = header_block(data)
    body = data[len(block) :]
    header = without_blank_line(block)
    found = [(name, first(header, name)) for name in _KINDS]
    kinds = b"".join(
        b"%s: %s\r\n" % (name.title(), b" ".join(value.split()))
        for name, value in found
        if value is not None and value.isascii()
    )
    if not data.isascii() and b"content-transfer-encoding" not in kinds.lower():
        kinds += b"Content-Transfer-Encoding: 8bit\r\n"
    return kinds, body
