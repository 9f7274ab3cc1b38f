"""Large attachments taken out of messages."""

from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.detach import Linked, detachable, detached, shown_size

BIG = bytes(range(256)) * 400
LINK = Linked("a <b>.bin", len(BIG), "https://files.test/d/x/a?e=1&k=2&s=3")


def letter(*files: tuple[str, bytes]) -> bytes:
    mail = EmailMessage()
    mail["Subject"] = "files"
    mail.set_content("Hello\n")
    mail.add_alternative("<p>Hello</p>\n", subtype="html")
    for name, data in files:
        mail.add_attachment(data, maintype="application", subtype="x", filename=name)
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def parts(data: bytes) -> list[Message]:
    return list(message_from_bytes(data, policy=default).walk())


def test_large_ones_go_and_small_ones_stay() -> None:
    data = letter(("one.bin", BIG), ("small.bin", b"small"), ("two.bin", BIG + b"x"))
    found = detachable(data, 50_000)
    assert [one.name for one in found] == ["one.bin", "two.bin"]
    made = detached(data, found, [LINK, LINK], "24 December 2026")
    whole = parts(made)
    assert [one.get_filename() for one in whole if one.get_filename()] == ["small.bin"]
    texts = [one for one in whole if one.get_content_maintype() == "text"]
    kinds = [one.get_content_type() for one in texts]
    assert kinds == ["text/plain", "text/html", "text/plain", "text/html"]
    plain, page = (one.get_content() for one in texts[2:])  # type: ignore[attr-defined]
    assert LINK.url in plain
    assert "a <b>.bin (102.4 KB)" in plain
    assert "24 December 2026" in plain
    assert '<a href="https://files.test/d/x/a?e=1&amp;k=2&amp;s=3">a &lt;b&gt;.bin</a>' in page
    assert texts[0].get_content() == "Hello\r\n"  # type: ignore[attr-defined]
    assert not any(one.defects for one in whole)
    assert detachable(made, 50_000) == []


def test_the_only_attachment_goes() -> None:
    data = letter(("one.bin", BIG))
    made = detached(data, detachable(data, 1000), [LINK], "tomorrow")
    assert len(made) < 4000
    assert not any(one.defects for one in parts(made))


@pytest.mark.parametrize("kind", ["signed", "encrypted"])
def test_what_is_sealed_stays(kind: str) -> None:
    inner = letter(("one.bin", BIG))
    data = f'Content-Type: multipart/{kind}; boundary="s"\r\n\r\n--s\r\n'.encode() + inner
    data += b"\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nxxx\r\n--s--\r\n"
    assert detachable(data, 1000) == []


def test_attached_mail_and_inline_pictures_stay() -> None:
    inner = EmailMessage()
    inner.set_content("inner\n")
    inner.add_attachment(BIG, maintype="application", subtype="x", filename="deep.bin")
    mail = EmailMessage()
    mail.set_content("outer\n")
    mail.add_attachment(inner)
    mail.add_attachment(
        BIG, maintype="image", subtype="png", filename="logo.png", disposition="inline"
    )
    data = mail.as_bytes().replace(b"\n", b"\r\n")
    assert detachable(data, 1000) == []


def test_a_message_that_is_one_file_stays() -> None:
    mail = EmailMessage()
    mail.set_content(BIG, maintype="application", subtype="x", filename="all.bin")
    assert detachable(mail.as_bytes().replace(b"\n", b"\r\n"), 1000) == []


@given(st.lists(st.integers(0, 3000), max_size=6))
def test_what_is_left_is_what_was_there(sizes: list[int]) -> None:
    files = [(f"f{n}.bin", bytes([n]) * size) for n, size in enumerate(sizes)]
    data = letter(*files)
    gone = detachable(data, 1000)
    made = detached(data, gone, [LINK] * len(gone), "x") if gone else data
    lost = {one.name for one in gone}
    assert lost >= {name for name, data in files if len(data) > 1100}
    kept = [one.get_filename() for one in parts(made) if one.get_filename()]
    assert kept == [name for name, _ in files if name not in lost]


@pytest.mark.parametrize(
    ("octets", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 KB"), (2.5e7, "25.0 MB")]
)
def test_sizes_for_people(octets: float, text: str) -> None:
    assert shown_size(int(octets)) == text
