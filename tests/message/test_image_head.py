"""What images say of their size, by images that a library drew and by octets that are none."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.image_head import ImageHead, image_head


def png(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    whole = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + whole


GIF = b"GIF89a" + struct.pack("<HH", 640, 480) + b"\0\0\0"
SEGMENT = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF" + b"\0" * 10
FRAME = b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, 480, 640, 3)
JPEG = b"\xff\xd8" + SEGMENT + b"\xff" + FRAME
VP8 = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640, 480)
VP8L = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 639 | 479 << 14)
VP8X = b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x7f\x02\0" + b"\xdf\x01\0"
BMP = b"BM" + b"\0" * 16 + struct.pack("<ii", 640, -480)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        pytest.param(png(640, 480), "image/png", id="png"),
        pytest.param(GIF, "image/gif", id="gif"),
        pytest.param(JPEG, "image/jpeg", id="jpeg"),
        pytest.param(VP8, "image/webp", id="vp8"),
        pytest.param(VP8L, "image/webp", id="vp8l"),
        pytest.param(VP8X, "image/webp", id="vp8x"),
        pytest.param(BMP, "image/bmp", id="bmp"),
    ],
)
def test_the_size_is_read_without_decoding(data: bytes, media_type: str) -> None:
    assert image_head(data) == ImageHead(media_type, 640, 480)
    for cut in range(len(data)):
        found = image_head(data[:cut])
        assert found is None or found == ImageHead(media_type, 640, 480)
    assert image_head(data[: len(data) // 2]) is None


def test_a_bomb_says_so() -> None:
    found = image_head(png(60_000, 60_000))
    assert found is not None and found.pixels == 3_600_000_000


@given(st.sampled_from([png(1, 1)[:8], GIF[:6], b"\xff\xd8\xff", VP8X[:16], b"BM"]), st.binary())
def test_octets_that_are_no_image_are_none(sign: bytes, data: bytes) -> None:
    found = image_head(sign + data)
    assert found is None or found.pixels >= 0
    assert image_head(b"<svg xmlns='http://www.w3.org/2000/svg'>" + data) is None
