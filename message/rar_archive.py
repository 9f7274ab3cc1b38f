"""The names in a RAR archive of version 4 or 5, whose headers are plain; nothing is unpacked.

With encrypted headers there are none to be read: one nameless member says that much.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_RAR4: Final = b"Rar!\x1a\x07\0"
_RAR5: Final = b"Rar!\x1a\x07\x01\0"
_MOST_NAME: Final = 1024
_ENCRYPTED_RECORD: Final = 1
# Of all kinds; those of files are counted by who asks for them.
_MOST_HEADERS: Final = 200_000


@dataclass(frozen=True, slots=True)
class RarMember:
    """A file in it; `size` is its octets unpacked, as declared."""

    name: str
    size: int
    encrypted: bool


def rar_members(data: bytes) -> Iterator[RarMember]:
    """Every file, up to the first header that is none."""
    if data.startswith(_RAR5):
        yield from _version5(data)
    elif data.startswith(_RAR4):
        yield from _version4(data)


def _version4(data: bytes) -> Iterator[RarMember]:
    at = len(_RAR4)
    for _ in range(_MOST_HEADERS):
        if at + 7 > len(data):
            return
        kind, flags, size = data[at + 2], _number(data, at + 3, 2), _number(data, at + 5, 2)
        if size < 7:
            return
        if kind == 0x73 and flags & 0x80:
            yield RarMember("", 0, True)
            return
        packed = _number(data, at + 7, 4) if flags & 0x8000 or kind == 0x74 else 0
        if kind == 0x74:
            wide = flags & 0x100
            length = _number(data, at + 26, 2)
            begin = at + (40 if wide else 32)
            name = data[begin : begin + min(length, _MOST_NAME)].partition(b"\0")[0]
            unpacked = _number(data, at + 11, 4)
            if wide:
                packed += _number(data, at + 32, 4) << 32
                unpacked += _number(data, at + 36, 4) << 32
            if flags & 0xE0 != 0xE0:  # else it is a folder
                yield RarMember(name.decode("utf-8", "replace"), unpacked, bool(flags & 0x4))
        at += size + packed


def _version5(data: bytes) -> Iterator[RarMember]:
    at = len(_RAR5)
    for _ in range(_MOST_HEADERS):
        if at + 7 > len(data):
            return
        size, begin = _variable(data, at + 4)
        kind, place = _variable(data, begin)
        flags, place = _variable(data, place)
        extra, place = _variable(data, place) if flags & 1 else (0, place)
        packed, place = _variable(data, place) if flags & 2 else (0, place)
        if not size or kind == 5:
            return
        if kind == 4:
            yield RarMember("", 0, True)
            return
        if kind == 2:
            found = _file5(data, place, begin + size, extra)
            if found is not None:
                yield found
        at = begin + size + packed


def _file5(data: bytes, place: int, end: int, extra: int) -> RarMember | None:
    flags, place = _variable(data, place)
    unpacked, place = _variable(data, place)
    _, place = _variable(data, place)
    place += 4 * bool(flags & 2) + 4 * bool(flags & 4)
    _, place = _variable(data, place)
    _, place = _variable(data, place)
    length, place = _variable(data, place)
    if flags & 1:
        return None
    name = data[place : min(place + min(length, _MOST_NAME), end)].decode("utf-8", "replace")
    return RarMember(name, unpacked, _is_encrypted(data, end - extra, end))


def _is_encrypted(data: bytes, at: int, end: int) -> bool:
    while 0 < at < min(end, len(data)):
        size, begin = _variable(data, at)
        kind, _ = _variable(data, begin)
        if kind == _ENCRYPTED_RECORD:
            return True
        if not size:
            return False
        at = begin + size
    return False


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits an octet, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            return 0, at
        octet = data[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            break
    return value, at


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little")
