"""Parts without others in them, by the offset table."""

from email.message import EmailMessage

from message.scan import scan_crlf
from message.section import leaves, locate, pack_parts


def test_every_leaf_is_where_its_number_leads() -> None:
    inner = EmailMessage()
    inner["Subject"] = "inside"
    inner.set_content("inner\n")
    inner.add_attachment(b"x", maintype="application", subtype="pdf", filename="x.pdf")
    mail = EmailMessage()
    mail.set_content("outer\n")
    mail.add_alternative("<p>outer</p>\n", subtype="html")
    mail.add_attachment(b"abc" * 50, maintype="image", subtype="png", filename="a.png")
    mail.add_attachment(inner)
    data = mail.as_bytes().replace(b"\n", b"\r\n")
    table = pack_parts(scan_crlf(data))
    found = leaves(table)
    numbers = [one.numbers for one in found]
    assert numbers == [(1, 1), (1, 2), (2,), (3,)]
    for one in found:
        assert locate(table, one.numbers) == (one.body_offset, one.length)
    assert [one.encoding for one in found][2:] == ["base64", "binary"]


def test_a_message_without_parts_is_its_own_leaf() -> None:
    data = b"Subject: x\r\n\r\nhello\r\n"
    (one,) = leaves(pack_parts(scan_crlf(data)))
    assert one.numbers == (1,)
    assert data[one.body_offset : one.body_offset + one.length] == b"hello\r\n"
