"""Binary parts become base64, wherever they stand; nothing else changes."""

from email import message_from_bytes
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.binary import without_binary
from message.scan import scan_crlf, walk

NESTED = (
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    b"Content-Transfer-Encoding: BINARY\r\n\r\npreamble\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\ntext is kept\xff\r\n"
    b"--b\r\nContent-Type: image/png\r\ncontent-transfer-encoding:\r\n binary\r\n\r\n%b\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b"Content-Type: audio/x\r\nContent-Transfer-Encoding: binary (raw)\r\n\r\n%b\r\n"
    b"--b--\r\nepilogue\r\n"
)
octets = st.binary(max_size=300).filter(lambda data: b"--b" not in data)


@given(octets, octets)
def test_parts_keep_their_octets(first: bytes, second: bytes) -> None:
    made = without_binary(NESTED % (first, second))
    assert b"\0" not in made and made.count(b"\n") == made.count(b"\r\n") == made.count(b"\r")
    parts: Any = message_from_bytes(made).get_payload()
    text, image, inner = parts
    assert text.get_payload(decode=True) == b"text is kept\xff"
    assert image.get_payload(decode=True) == first
    assert inner.get_payload(0).get_payload(decode=True) == second
    assert b"binary" not in made.lower()
    assert made.startswith(b"Subject: x\r\n") and made.endswith(b"\r\n--b--\r\nepilogue\r\n")
    assert b"\r\npreamble\r\n" in made
    assert all(len(line) <= 100 for line in made.split(b"\r\n"))
    assert without_binary(made) == made


@given(octets)
def test_a_message_of_one_part(data: bytes) -> None:
    made = without_binary(b"Content-Transfer-Encoding: binary\r\n\r\n" + data)
    assert message_from_bytes(made).get_payload(decode=True) == data
    assert made.endswith(b"\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\0",
        b"no header\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n\r\n\xff\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\nYmluYXJ5\r\n",
        b"Subject: Content-Transfer-Encoding: binary\r\n\r\nx\r\n",
    ],
)
def test_what_is_not_binary_stays(data: bytes) -> None:
    assert without_binary(data) == data


@given(st.binary(max_size=400))
def test_anything_goes_through(data: bytes) -> None:
    made = without_binary(b"Content-Transfer-Encoding: binary\r\nContent-Type: " + data)
    assert all(part.encoding != b"binary" or not part.body_length for part in walk(scan_crlf(made)))
