"""8-bit messages as 7-bit ones: every reader finds the same text, files and fields in them."""

from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.scan import MAX_DEPTH
from message.seven_bit import seven_bit

TEXT = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=%b\r\n%b\r\n%b"
EIGHT = b"Content-Transfer-Encoding: 8bit\r\n"
NESTED = (
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\npr\xe9amble\r\n"
    b"--b\r\n\r\nplain\r\n"
    b"--b\r\nContent-Type: application/pdf\r\n\r\n%b\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Subject: inner\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n%b\r\n"
    b"--b--\r\n\xe9pilogue\r\n"
)
octets = st.binary(max_size=300).filter(lambda data: b"--b" not in data)
lines = octets.map(lambda data: data.replace(b"\r", b"").replace(b"\n", b"\r\n"))


def parsed(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.SMTP)


def payload(part: Message) -> bytes:
    return cast(bytes, part.get_payload(decode=True))


def short(data: bytes) -> bool:
    return all(len(line) <= 78 for line in data.split(b"\r\n"))


@pytest.mark.parametrize(
    ("charset", "text", "encoding"),
    [
        ("utf-8", "Grüße aus Köln\r\n.\r\nFrom here, with blanks at the end  \r\n" * 3, "quoted"),
        ("utf-8", "дорогие друзья, всё хорошо\r\n", "base64"),
        ("iso-8859-1", "Une très longue ligne sans fin, " * 40, "quoted"),
    ],
)
def test_text_stays_what_it_is(charset: str, text: str, encoding: str) -> None:
    whole = TEXT % (charset.encode(), EIGHT, text.encode(charset))
    made = seven_bit(whole)
    assert made is not None and made.isascii() and short(made)
    assert payload(parsed(made)).decode(charset).rstrip() == text.rstrip()
    assert parsed(made)["Content-Transfer-Encoding"].startswith(encoding)
    assert made.count(b"Content-Transfer-Encoding") == 1
    assert seven_bit(made) == made


@given(octets, lines)
def test_parts_keep_their_octets(file: bytes, text: bytes) -> None:
    file = file.replace(b"\r", b"").replace(b"\n", b"")
    made = seven_bit(NESTED % (file, text))
    assert made is not None and made.isascii()
    assert made.count(b"\n") == made.count(b"\r\n") == made.count(b"\r")
    first, pdf, inner = cast(list[Message], message_from_bytes(made).get_payload())
    assert payload(first) == b"plain"
    assert payload(pdf) == file
    assert payload(cast(Message, inner.get_payload(0))) == text
    assert b"8bit" not in made and b"pr?amble" in made and b"?pilogue" in made
    assert inner["Content-Transfer-Encoding"] == "7bit"


def test_fields_become_words_and_addresses_stay() -> None:
    made = seven_bit(
        "From: Jörg <j@a.test>\r\nSubject: grüße\r\nMIME-Version: 1.0\r\n"
        'Content-Type: text/plain; charset=utf-8; name="ä.txt"\r\n\r\nhällo\r\n'.encode()
    )
    assert made is not None
    message = parsed(made)
    assert message["Subject"] == "grüße"
    assert message["From"].addresses[0].display_name == "Jörg"
    assert message["From"].addresses[0].addr_spec == "j@a.test"
    assert message.get_filename() == "ä.txt" and payload(message).decode() == "hällo\r\n"


def test_text_of_which_nothing_is_known() -> None:
    made = seven_bit(b"Subject: x\r\n\r\nh\xe4llo\r\n")
    assert made == (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nh=E4llo\r\n"
    )


@pytest.mark.parametrize(
    ("encoding", "body", "read"),
    [
        ("quoted-printable", b"a=20b \xe4=\r\nc", b"a b \xe4c"),
        ("base64", b"aGFs\xff\r\nbG8=", b"hallo"),
    ],
)
def test_what_claims_to_be_encoded_is_read_as_before(
    encoding: str, body: bytes, read: bytes
) -> None:
    label = f"Content-Transfer-Encoding: {encoding}\r\n".encode()
    made = seven_bit(TEXT % (b"utf-8", label, body))
    assert made is not None and payload(message_from_bytes(made)).rstrip() == read


@pytest.mark.parametrize(
    "whole",
    [
        TEXT % (b"utf-8", b"Content-Transfer-Encoding: x-uuencode\r\n", b"\xe4"),
        b"Subject: \xe4\r\n\r\nx\r\n",
        b"Content-Type: message/partial; id=1; number=1; total=2\r\n\r\nX: y\r\n\r\n\xe4\r\n",
        'Content-Type: multipart/mixed; boundary="ä"\r\n\r\n--ä\r\n\r\nö\r\n--ä--\r\n'.encode(),
    ],
)
def test_what_nobody_could_undo_is_left(whole: bytes) -> None:
    assert seven_bit(whole) is None


def test_messages_nested_beyond_all_reason() -> None:
    data = b"Content-Type: message/rfc822\r\n\r\n" * (MAX_DEPTH + 5) + b"\r\n\xe4\r\n"
    made = seven_bit(data)
    assert made is None or made.isascii()


@given(st.binary(max_size=400))
def test_any_octets_end_well(data: bytes) -> None:
    made = seven_bit(data)
    assert made is None or made.isascii()
