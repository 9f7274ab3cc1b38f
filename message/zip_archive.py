"""The members of a ZIP archive by its central directory, or by its local headers without one.

Read by hand, since a directory may claim a million members: each is read when it is asked for.
APPNOTE.TXT of PKWARE §4.3 gives the fields.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from message.unpacking import Budget, unpack

_END: Final = b"PK\x05\x06"
_CENTRAL: Final = b"PK\x01\x02"
_LOCAL: Final = b"PK\x03\x04"
_LOCAL_SIZE: Final = 30
_CENTRAL_SIZE: Final = 46
_MOST_COMMENT: Final = 65535 + 22
_MOST_NAME: Final = 1024
_UTF8: Final = 0x800
_ENCRYPTED: Final = 0x1
_WIDE: Final = 0xFFFFFFFF
_METHODS: Final = {8: "deflate", 12: "bz2"}


@dataclass(frozen=True, slots=True)
class ZipMember:
    """`packed` and `size` are octets as the archive declares them; `offset` is where the local
    header begins; `headers` is what its headers take at least.
    """

    name: str
    method: int
    packed: int
    size: int
    offset: int
    encrypted: bool
    headers: int

    @property
    def readable(self) -> bool:
        return not self.encrypted and (self.method == 0 or self.method in _METHODS)


def zip_members(data: bytes) -> Iterator[ZipMember]:
    """Every member, in order. Nothing when there is none to be found."""
    end = data.rfind(_END, max(0, len(data) - _MOST_COMMENT))
    if end < 0 or len(data) < end + 22:
        yield from _by_local_headers(data)
        return
    size, told = _number(data, end + 12, 4), _number(data, end + 16, 4)
    first = end - size
    # what stands before the archive shifts it; a directory that is where it says it is stays there
    shift = max(0, first - told) if data.startswith(_CENTRAL, first) else 0
    position = first if data.startswith(_CENTRAL, first) else told
    if size and not data.startswith(_CENTRAL, position):
        yield from _by_local_headers(data)
        return
    while data.startswith(_CENTRAL, position):
        yield _central(data, position, shift)
        position += _CENTRAL_SIZE + sum(_number(data, position + at, 2) for at in (28, 30, 32))


def member_start(data: bytes, member: ZipMember, most: int, budget: Budget) -> bytes:
    """The first `most` octets of a member that is readable."""
    at = member.offset
    if not data.startswith(_LOCAL, at):
        return b""
    begin = at + _LOCAL_SIZE + _number(data, at + 26, 2) + _number(data, at + 28, 2)
    packed = data[begin : begin + member.packed]
    if member.method == 0:
        return packed[:most]
    return unpack(packed, _METHODS[member.method], most, budget)


def _central(data: bytes, at: int, shift: int) -> ZipMember:
    flags = _number(data, at + 8, 2)
    length = _number(data, at + 28, 2)
    sizes = [_number(data, at + where, 4) for where in (24, 20, 42)]
    if _WIDE in sizes:
        wide = iter(_wide(data, at + _CENTRAL_SIZE + length, _number(data, at + 30, 2)))
        sizes = [next(wide, one) if one == _WIDE else one for one in sizes]
    size, packed, offset = sizes
    return ZipMember(
        _text(data[at + _CENTRAL_SIZE : at + _CENTRAL_SIZE + min(length, _MOST_NAME)], flags),
        _number(data, at + 10, 2),
        packed,
        size,
        offset + shift,
        bool(flags & _ENCRYPTED),
        _LOCAL_SIZE + _CENTRAL_SIZE,
    )


def _wide(data: bytes, at: int, length: int) -> list[int]:
    """The numbers of the ZIP64 extra field: those that do not fit into the header, in its order."""
    stop = at + length
    while at + 4 <= stop:
        size = _number(data, at + 2, 2)
        if _number(data, at, 2) == 1:
            return [_number(data, where, 8) for where in range(at + 4, at + 4 + min(size, 24), 8)]
        at += 4 + size
    return []


def _by_local_headers(data: bytes) -> Iterator[ZipMember]:
    at = data.find(_LOCAL)
    while at >= 0:
        flags, length = _number(data, at + 6, 2), _number(data, at + 26, 2)
        packed = _number(data, at + 18, 4)
        name = _text(data[at + _LOCAL_SIZE : at + _LOCAL_SIZE + min(length, _MOST_NAME)], flags)
        begin = at + _LOCAL_SIZE + length + _number(data, at + 28, 2)
        # a size of 0 stands behind the data then: it goes to the next header
        after = data.find(_LOCAL, begin + packed)
        size = _number(data, at + 22, 4) % _WIDE
        packed = min(packed or (after if after >= 0 else len(data)) - begin, len(data) - begin)
        method = _number(data, at + 8, 2)
        locked = bool(flags & _ENCRYPTED)
        yield ZipMember(name, method, packed, size, at, locked, _LOCAL_SIZE)
        at = after


def _text(name: bytes, flags: int) -> str:
    if flags & _UTF8:
        return name.decode("utf-8", "replace")
    return name.decode("cp437")


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little")
