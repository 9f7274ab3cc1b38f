"""Line endings: the CRLF form, its length, and ranges of it read from an LF file."""

import mmap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.crlf import crlf_slice, is_crlf, to_crlf

LINES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"xyz" * 400])).map(b"".join)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\n", b"a\r\nb\r\n"),
        (b"\n\n", b"\r\n\r\n"),
        (b"a\rb\r\r\nc\r", b"a\rb\r\r\nc\r"),
    ],
)
def test_a_bare_lf_becomes_crlf_and_a_bare_cr_stays(data: bytes, expected: bytes) -> None:
    assert to_crlf(data) == expected
    assert is_crlf(data) == (data == expected)


@given(LINES)
def test_the_crlf_form_is_its_own(data: bytes) -> None:
    once = to_crlf(data)
    assert is_crlf(once)
    assert to_crlf(once) == once
    assert once.replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n")


@given(LINES, st.integers(0, 20_000), st.integers(0, 3_000))
def test_a_slice_is_that_of_the_crlf_form(data: bytes, offset: int, length: int) -> None:
    assert crlf_slice(data, offset, length) == to_crlf(data)[offset : offset + length]


def test_a_slice_far_into_a_large_file() -> None:
    data = b"line of text\n" * 100_000 + b"\r\n" * 7 + b"end\n" * 50_000
    whole = to_crlf(data)
    for offset in (0, 1, 13, 65_536, 1_399_999, 1_400_003, len(whole) - 5, len(whole), 2**40):
        assert crlf_slice(data, offset, 100) == whole[offset : offset + 100]


def test_a_slice_whose_seek_ends_between_cr_and_lf() -> None:
    data = b"\n" + b"a" * 1022 + b"\r\n" + b"b" * 3000
    whole = to_crlf(data)
    for offset in range(1020, 1030):
        assert crlf_slice(data, offset, 50) == whole[offset : offset + 50]


def test_a_mapped_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(b"a\nb\n" * 5000)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        assert crlf_slice(data, 3 * 4000, 6) == b"a\r\nb\r\n"
