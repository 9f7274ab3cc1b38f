"""The names in a 7z archive, and whether it needs a password; its files are not unpacked.

The header stands at the end, most times packed with LZMA. Of it the names are searched for rather
than the way to them followed: whatever looks like a list of names counts as one, so that no second
list hides the first (7zFormat.txt of the LZMA SDK).
"""

import lzma
from collections.abc import Iterator
from typing import Any, Final

_START: Final = 32
_HEADER, _ENCODED, _NAMES = 0x01, 0x17, 0x11
_AES: Final = b"\x06\xf1\x07\x01"
_LZMA, _LZMA2 = b"\x03\x01\x01", b"\x21"
MOST_HEADER: Final = 1024**2
_MOST_LISTS: Final = 8
_MOST_LOOKED_AT: Final = 20_000
_MOST_NAME: Final = 1024
_PATTERN: Final = bytes([_NAMES])


class _Unreadable(Exception):
    """The header is none, or of a form that is not looked into."""


def seven_names(data: bytes) -> tuple[bool, list[str]] | None:
    """(a password is needed, names); None when the header can't be read."""
    size = int.from_bytes(data[20:28], "little")
    begin = _START + int.from_bytes(data[12:20], "little")
    header = data[begin : begin + min(size, MOST_HEADER)]
    locked = _AES in header
    try:
        for _ in range(4):  # a header may be packed more than once
            if header[:1] != bytes([_ENCODED]):
                break
            header = _unpacked(data, header)
            locked = locked or _AES in header
    except (_Unreadable, IndexError, lzma.LZMAError, ValueError, MemoryError):
        return (True, []) if locked else None
    if header[:1] != bytes([_HEADER]):
        return (True, []) if locked else None
    return locked, list(_names(header))


def _unpacked(data: bytes, header: bytes) -> bytes:
    """What an encoded header describes: one packed stream of one coder."""
    at = _expect(header, 1, 0x06)
    place, at = _number(header, at)
    streams, at = _number(header, at)
    at = _expect(header, at, 0x09)
    packed, at = _number(header, at)
    at = _expect(header, header.index(0x07, at), 0x07)
    at = _expect(header, at, 0x0B)
    folders, at = _number(header, at)
    if streams != 1 or folders != 1 or header[at] != 0 or header[at + 1] != 1:
        raise _Unreadable
    at += 2
    flags = header[at]
    at += 1
    method = header[at : at + (flags & 0x0F)]
    at += flags & 0x0F
    length, at = _number(header, at) if flags & 0x20 else (0, at)
    properties = header[at : at + length]
    at = _expect(header, at + length, 0x0C)
    size, at = _number(header, at)
    if size > MOST_HEADER or flags & 0x10:
        raise _Unreadable
    chosen = _filter(method, properties, size)
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chosen])
    return unpacker.decompress(data[_START + place : _START + place + packed], size)


def _filter(method: bytes, properties: bytes, size: int) -> dict[str, Any]:
    """A dictionary never has to be larger than what it is for."""
    if method == _LZMA2:
        return {"id": lzma.FILTER_LZMA2, "dict_size": max(size, 4096)}
    if method != _LZMA or len(properties) < 5:
        raise _Unreadable
    rest, lc = divmod(properties[0], 9)
    pb, lp = divmod(rest, 5)
    return {"id": lzma.FILTER_LZMA1, "dict_size": max(size, 4096), "lc": lc, "lp": lp, "pb": pb}


def _names(header: bytes) -> Iterator[str]:
    at, lists = header.find(_PATTERN), 0
    for _ in range(_MOST_LOOKED_AT):
        if at < 0 or lists >= _MOST_LISTS:
            return
        size, begin = _number(header, at + 1) if at + 10 < len(header) else (0, at)
        end = begin + size
        if _is_list(header, begin, end):
            lists += 1
            whole = header[begin + 1 : end].decode("utf-16-le", "replace")
            yield from (name[:_MOST_NAME] for name in whole.split("\0") if name)
        at = header.find(_PATTERN, at + 1)


def _is_list(header: bytes, begin: int, end: int) -> bool:
    """An octet of zero, then names of two octets a character, each with a zero behind it."""
    whole = end - begin > 4 and end <= len(header) and (end - begin) % 2 == 1
    return whole and header[begin] == 0 and header[end - 2 : end] == b"\0\0"


def _expect(header: bytes, at: int, wanted: int) -> int:
    if header[at] != wanted:
        raise _Unreadable
    return at + 1


def _number(header: bytes, at: int) -> tuple[int, int]:
    """As many leading ones as octets follow, little-endian; and where it ends."""
    first, value, mask = header[at], 0, 0x80
    for index in range(8):
        if not first & mask:
            return value | (first & (mask - 1)) << (8 * index), at + 1 + index
        value |= header[at + 1 + index] << (8 * index)
        mask >>= 1
    return value, at + 9
