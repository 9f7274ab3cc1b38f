"""The mail that carries a report: a text for people and the report attached, CRLF throughout.

RFC 9990 §3.5.2 and RFC 8460 §5.3 want the same but for names and some fields.
"""

from base64 import encodebytes
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from message.date import format_date
from message.headers import build_field


@dataclass(frozen=True, slots=True)
class ReportMail:
    """`sender` and `recipient` are addresses, `message_id` without <>, `now` is aware.

    `fields` are further header fields, (name, value). `report_type` makes it multipart/report.
    """

    sender: str
    recipient: str
    subject: str
    message_id: str
    now: datetime
    text: str
    attachment: bytes
    filename: str
    content_type: str
    fields: tuple[tuple[str, str], ...] = ()
    report_type: str = ""


def build_report_mail(mail: ReportMail) -> bytes:
    """The complete message in ASCII."""
    boundary = "=_" + blake2b(mail.message_id.encode(), digest_size=12).hexdigest()
    kind = (
        f"multipart/report; report-type={mail.report_type}"
        if mail.report_type
        else "multipart/mixed"
    )
    fields = (
        ("From", f"<{mail.sender}>"),
        ("To", f"<{mail.recipient}>"),
        ("Subject", mail.subject),
        ("Date", format_date(mail.now)),
        ("Message-ID", f"<{mail.message_id}>"),
        ("Auto-Submitted", "auto-generated"),
        *mail.fields,
        ("MIME-Version", "1.0"),
        ("Content-Type", f'{kind}; boundary="{boundary}"'),
    )
    header = b"".join(build_field(name, value) for name, value in fields)
    text = mail.text.replace("\n", "\r\n").encode("ascii", "replace")
    encoded = encodebytes(mail.attachment).replace(b"\n", b"\r\n")
    name = build_field("Content-Disposition", f'attachment; filename="{mail.filename}"')
    line = b"\r\n--" + boundary.encode()
    return b"".join(
        (
            header,
            line,
            b"\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
            text,
            line,
            f"\r\nContent-Type: {mail.content_type}\r\n".encode(),
            b"Content-Transfer-Encoding: base64\r\n",
            name,
            b"\r\n",
            encoded,
            line,
            b"--\r\n",
        )
    )
