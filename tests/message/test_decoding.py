"""Transfer encodings undone in pieces: the same octets however they are cut, and broken input."""

import base64
import itertools
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.decoding import decode, decoder

_HOSTILE = st.lists(
    st.sampled_from(
        [b"=", b"=\r\n", b"=41", b"=4", b" ", b"\t", b"\r\n", b"\n", b"abc", b"A", b"\0"]
    )
).map(b"".join)


def in_pieces(data: bytes, cuts: list[int], encoding: str, text: bool = False) -> bytes:
    undo = decoder(encoding, text)
    assert undo is not None
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    return b"".join([*map(undo.feed, pieces), undo.finish()])


@given(st.binary(max_size=400))
def test_what_was_encoded_comes_back(data: bytes) -> None:
    assert decode(base64.encodebytes(data).replace(b"\n", b"\r\n"), "base64") == data
    encoded = quopri.encodestring(data.replace(b"\r", b"").replace(b"\n", b""))
    encoded = encoded.replace(b"\n", b"\r\n")
    assert decode(encoded, "quoted-printable") == data.replace(b"\r", b"").replace(b"\n", b"")
    assert decode(data, "8bit") == decode(data, "binary") == decode(data, "7bit") == data


@given(
    st.one_of(_HOSTILE, st.binary(max_size=200)),
    st.lists(st.integers(0, 200), max_size=5),
    st.sampled_from(["base64", "quoted-printable"]),
    st.booleans(),
)
def test_cuts_change_nothing(data: bytes, cuts: list[int], encoding: str, text: bool) -> None:
    assert in_pieces(data, cuts, encoding, text) == decode(data, encoding, text)


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        (b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aGVsbG8=aGVsbG8=", b"hello"),
        (b"a!G#V\0s b-G8=", b"hello"),
        (b"Zm9vY", b"foo"),
        (b"=", b""),
        (b"", b""),
    ],
)
def test_base64_that_is_broken(encoded: bytes, decoded: bytes) -> None:
    assert decode(encoded, "base64") == decoded


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        (b"a=3Db  \r\nc=\r\nd", b"a=b\r\ncd"),
        (b"soft =  \r\nbreak", b"soft break"),
        (b"=zz=4=c3=A9=", b"=zz=4\xc3\xa9"),
        (b"end \t", b"end"),
        (b"=\r\n=\r\n", b""),
    ],
)
def test_quoted_printable_that_is_broken(encoded: bytes, decoded: bytes) -> None:
    assert decode(encoded, "quoted-printable") == decoded


def test_one_endless_line_is_not_kept() -> None:
    undo = decoder("quoted-printable")
    assert undo is not None
    told = b"".join(undo.feed(b"=41 x" * 20_000) for _ in range(20))
    assert len(told) > 1_100_000
    assert (told + undo.finish()).replace(b" ", b"") == b"Ax" * 400_000


def test_lines_of_text_end_in_crlf() -> None:
    encoded = base64.b64encode(b"one\ntwo\r\nthree\n")
    assert decode(encoded, "base64", text=True) == b"one\r\ntwo\r\nthree\r\n"
    assert decode(encoded, "base64") == b"one\ntwo\r\nthree\n"


def test_an_unknown_encoding_has_no_decoder() -> None:
    assert decoder("x-uuencode") is None
    assert decode(b"x", "x-uuencode") == b"x"
