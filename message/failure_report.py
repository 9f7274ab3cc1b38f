"""DMARC failure reports (RFC 9991 on RFC 6591 and RFC 5965): multipart/report about one message.

Only its header is returned: the body is nobody's business but the recipient's.
"""

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from message.crlf import to_crlf
from message.date import format_date
from message.headers import build_field

MAX_HEADER = 32 * 1024
_LONG_LINE = re.compile(rb"[^\n]{990}")


@dataclass(frozen=True, slots=True)
class FailureReport:
    """`failure` is Auth-Failure: dmarc, signature or spf. Times are aware.

    `unaligned` names the mechanisms that gave no aligned pass. `results` is the payload of an
    Authentication-Results field. `dkim` is (domain, identity, selector) of an aligned signature
    that failed, `spf` (domain, record) of an aligned sender that did; "" where there is none.
    `header` is the header block of the message.
    """

    sender: str
    recipient: str
    message_id: str
    now: datetime
    failure: str
    domain: str
    source: str
    arrival: datetime
    mail_from: str
    delivery: str
    unaligned: tuple[str, ...]
    results: bytes
    header: bytes
    dkim: tuple[str, str, str] = ("", "", "")
    spf: tuple[str, str] = ("", "")


def build_failure_report(report: FailureReport) -> bytes:
    """The complete message in ASCII."""
    boundary = "=_" + blake2b(report.message_id.encode(), digest_size=12).hexdigest()
    kind = f'multipart/report; report-type=feedback-report; boundary="{boundary}"'
    header = b"".join(
        build_field(name, value)
        for name, value in (
            ("From", f"<{report.sender}>"),
            ("To", f"<{report.recipient}>"),
            ("Subject", f"DMARC failure of mail from {report.domain}"),
            ("Date", format_date(report.now)),
            ("Message-ID", f"<{report.message_id}>"),
            ("Auto-Submitted", "auto-generated"),
            ("MIME-Version", "1.0"),
            ("Content-Type", kind),
        )
    )
    line = b"\r\n--" + boundary.encode()
    parts = (_text(report), _feedback(report), _returned(report.header))
    return b"".join((header, *(line + b"\r\n" + part for part in parts), line, b"--\r\n"))


def _text(report: FailureReport) -> bytes:
    text = (
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        f"A message from {report.domain} that came from {report.source} on\r\n"
        f"{format_date(report.arrival)} was not authentic.\r\n"
    )
    return text.encode("ascii", "replace")


def _feedback(report: FailureReport) -> bytes:
    fields = b"".join(build_field(name, value) for name, value in _fields(report))
    results = b"Authentication-Results: " + report.results
    return b"Content-Type: message/feedback-report\r\n\r\n" + fields + results


def _fields(report: FailureReport) -> Iterator[tuple[str, str]]:
    yield "Feedback-Type", "auth-failure"
    yield "User-Agent", "mailserver"
    yield "Version", "1"
    yield "Auth-Failure", report.failure
    yield "Identity-Alignment", ", ".join(report.unaligned) or "none"
    yield "Delivery-Result", report.delivery
    yield "Original-Mail-From", f"<{report.mail_from}>"
    yield "Arrival-Date", format_date(report.arrival)
    yield "Source-IP", report.source
    yield "Reported-Domain", report.domain
    domain, identity, selector = report.dkim
    if domain:
        yield "DKIM-Domain", domain
        yield "DKIM-Identity", identity or f"@{domain}"
        yield "DKIM-Selector", selector
    domain, record = report.spf
    if domain:
        quoted = record.replace("\\", "\\\\").replace('"', '\\"')
        yield "SPF-DNS", f'txt : {domain} : "{quoted}"'


def _returned(header: bytes) -> bytes:
    cut = header[:MAX_HEADER]
    cut = cut[: cut.rfind(b"\n") + 1]
    if cut.isascii() and b"\0" not in cut and not _LONG_LINE.search(cut):
        return b"Content-Type: text/rfc822-headers\r\n\r\n" + cut
    encoded = to_crlf(quopri.encodestring(cut.replace(b"\r\n", b"\n")))
    head = (
        b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    return head + encoded
