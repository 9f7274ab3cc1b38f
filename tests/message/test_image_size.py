"""What images say of their size."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.image_size import image_size

JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc2\x00\x0b\x08\x00\x05\x00\x07\x01"
GIF = b"GIF89a" + struct.pack("<HH", 7, 5)
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + struct.pack(">II", 7, 5)
WEBP = b"RIFF\0\0\0\0WEBP"
LOSSY = WEBP + b"VP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 7, 5)
LOSSLESS = WEBP + b"VP8L\0\0\0\0\x2f" + struct.pack("<I", 6 | 4 << 14)
EXTENDED = WEBP + b"VP8X" + 8 * b"\0" + b"\x06\0\0\x04\0\0"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(JPEG, id="jpeg"),
        pytest.param(GIF, id="gif"),
        pytest.param(PNG, id="png"),
        pytest.param(LOSSY, id="webp-lossy"),
        pytest.param(LOSSLESS, id="webp-lossless"),
        pytest.param(EXTENDED, id="webp-extended"),
    ],
)
def test_width_and_height_are_found(data: bytes) -> None:
    assert image_size(data) == (7, 5)
    for cut in range(len(data) - 4):
        assert image_size(data[:cut]) is None


@given(st.sampled_from([b"", JPEG[:2], GIF[:6], PNG[:16], WEBP]), st.binary(max_size=64))
def test_nothing_raises(start: bytes, rest: bytes) -> None:
    image_size(start + rest)
