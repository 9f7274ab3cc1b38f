"""A message as somebody reads it."""

from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from message.crlf import to_crlf
from message.readable import Writer, readable


def test_text_html_and_attachments_are_found() -> None:
    mail = EmailMessage()
    mail["From"] = "Bøb <bob@example.test>"
    mail["To"] = "ada@example.test, Eve <eve@x.test>"
    mail["Subject"] = "Grüße"
    mail["Message-ID"] = "<1@x.test>"
    mail["Date"] = "Sat, 28 Nov 2026 10:00:00 +0200"
    mail.set_content("Grüße\n")
    mail.add_alternative("<b>Grüße</b>\n", subtype="html")
    mail.add_attachment(b"\0\1\2", maintype="application", subtype="pdf", filename="é.pdf")
    found = readable(to_crlf(mail.as_bytes()))
    assert (found.subject, found.message_id) == ("Grüße", "1@x.test")
    assert found.author == (Writer("bob@example.test", "Bøb"),)
    assert [one.email for one in found.to] == ["ada@example.test", "eve@x.test"]
    assert found.date is not None and found.date.isoformat() == "2026-11-28T08:00:00+00:00"
    assert (found.text, found.html) == ("Grüße\n", "<b>Grüße</b>\n")
    (file,) = found.attachments
    assert (file.part, file.name, file.type, file.size) == ("2", "é.pdf", "application/pdf", 3)
    assert not found.cut


def test_what_has_no_text_says_so() -> None:
    found = readable(b"Subject: x\r\nContent-Type: image/png\r\n\r\nabc\r\n")
    assert (found.text, found.html) == (None, None)
    assert [one.type for one in found.attachments] == ["image/png"]


@given(st.binary(max_size=2000))
def test_nothing_raises(data: bytes) -> None:
    readable(to_crlf(data))
