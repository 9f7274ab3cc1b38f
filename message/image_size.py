"""How large an image says it is, by its first octets: nobody has to decode it to know. Pure."""

from typing import Final

_STARTS: Final = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC))) | {
    0xCD,
    0xCE,
    0xCF,
}
"""Markers of JPEG that begin a frame."""
_ALONE: Final = frozenset((0x01, *range(0xD0, 0xD8)))


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG, GIF or WebP; None where the octets do not tell."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and len(data) >= 24:
        return _checked(int.from_bytes(data[16:20]), int.from_bytes(data[20:24]))
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        return _checked(_little(data[6:8]), _little(data[8:10]))
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker in _STARTS:
            if at + 9 > len(data):
                return None
            return _checked(
                int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
            )
        length = int.from_bytes(data[at + 2 : at + 4])
        if length < 2 or marker == 0xDA:
            return None
        at += 2 + length
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return _little(data[24:27]) + 1, _little(data[27:30]) + 1
    if kind == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:
        bits = _little(data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(data) >= 30 and data[23:26] == b"\x9d\x01\x2a":
        return _checked(_little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF)
    return None


def _checked(width: int, height: int) -> tuple[int, int] | None:
    return (width, height) if width and height else None


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
