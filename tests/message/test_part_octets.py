"""Ranges of decoded parts against the part decoded whole."""

import base64
import quopri
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.decoding import decode, decoder
from message.part_octets import Encoded, Examiner, raw_range


def examined(body: bytes, encoding: str, step: int = 1000) -> tuple[Encoded, bytes]:
    one = Examiner(encoding)
    found = b"".join(one.feed(body[at : at + step]) for at in range(0, len(body), step))
    found += one.finish()
    return Encoded(0, len(body), one.encoding, one.size, one.width), found


def ranged(body: bytes, part: Encoded, start: int, end: int) -> bytes:
    raw = raw_range(part, start, end)
    one = decoder(part.encoding)
    assert one is not None
    found = one.feed(body[raw.start : raw.start + raw.length]) + one.finish()
    return found[raw.skip : raw.skip + end - start]


def lines(data: bytes, width: int) -> bytes:
    text = base64.b64encode(data)
    return b"\r\n".join(text[at : at + width] for at in range(0, len(text), width))


@given(
    data=st.binary(min_size=1, max_size=2000),
    width=st.integers(1, 30).map(lambda one: 4 * one),
    tail=st.sampled_from([b"", b"\r\n", b"\r\n\r\n"]),
    step=st.integers(1, 300),
    points=st.tuples(st.integers(0, 2000), st.integers(0, 2000)),
)
def test_regular_base64_is_counted(
    data: bytes, width: int, tail: bytes, step: int, points: tuple[int, int]
) -> None:
    body = lines(data, width) + tail
    part, found = examined(body, "base64", step)
    assert found == data
    assert part.width > 0
    start, end = sorted(min(point, len(data)) for point in points)
    assert ranged(body, part, start, end) == data[start:end]
    raw = raw_range(part, start, end)
    assert raw.length <= 2 * (end - start) + 24


@given(
    body=st.binary(max_size=300) | st.text("AZaz09+/= \r\n", max_size=300).map(str.encode),
    encoding=st.sampled_from(["base64", "quoted-printable", "7bit", "8bit", "binary", "x-y"]),
    step=st.integers(1, 50),
    points=st.tuples(st.integers(0, 300), st.integers(0, 300)),
)
def test_any_octets_give_what_the_whole_gives(
    body: bytes, encoding: str, step: int, points: tuple[int, int]
) -> None:
    part, found = examined(body, encoding, step)
    assert found == decode(body, encoding)
    assert part.size == len(found)
    start, end = sorted(min(point, part.size) for point in points)
    assert ranged(body, part, start, end) == found[start:end]


def test_a_piece_of_a_large_part_costs_a_piece() -> None:
    data = random.Random(5).randbytes(1_000_000)
    body = lines(data, 76)
    part, _ = examined(body, "base64")
    assert raw_range(part, 700_000, 700_100).length < 200
    assert ranged(body, part, 700_000, 700_100) == data[700_000:700_100]


@pytest.mark.parametrize(
    "body",
    [
        b"QUJD\r\nQUJDREVG\r\n",
        b"QUJDRA==\r\nQUJDREVG\r\n",
        b"QUJD REVG\r\nQUJDREVG",
        b"QUJDREVG\r\n\r\nQUJDREVG\r\n",
        b"QUJ\r\nDRE\r\n",
    ],
    ids=["longer-later", "padding-inside", "space", "empty-line", "no-quadruples"],
)
def test_irregular_base64_is_decoded_from_its_start(body: bytes) -> None:
    part, found = examined(body, "base64")
    assert part.width == 0
    assert found == decode(body, "base64")


def test_quoted_printable_is_decoded_from_its_start() -> None:
    data = "Grüße aus dem Text, ".encode() * 50
    body = quopri.encodestring(data).replace(b"\n", b"\r\n")
    part, found = examined(body, "quoted-printable")
    assert found == data
    assert ranged(body, part, 500, 520) == data[500:520]
