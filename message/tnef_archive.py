"""The files in a TNEF stream, Outlook's `winmail.dat`: attributes of a number, a length, octets.

MS-OXTNEF §2.1.3. The content of a file is an attribute of its own; of objects and messages that
hang on a message, which are among the properties, only a TNEF stream in them is found.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\x78\x9f\x3e\x22"
_FIRST: Final = 6
_HEAD: Final = 9
_CHECKSUM: Final = 2
_RENDERING, _TITLE = 0x00069002, 0x00018010
_DATA, _PROPERTIES = 0x0006800F, 0x00069005
_MOST_NAME: Final = 1024
_MOST_ATTRIBUTES: Final = 100_000


@dataclass(frozen=True, slots=True)
class TnefMember:
    """A file: its content is `data[begin:begin + size]`; not `known` is one that is packed in a way
    that is not looked into.
    """

    name: str
    begin: int
    size: int
    known: bool = True


def tnef_members(data: bytes) -> Iterator[TnefMember]:
    """Every attachment, in order."""
    name, found = "", None
    for ident, begin, size in _attributes(data):
        if ident == _RENDERING:
            if found is not None:
                yield TnefMember(name, *found)
            name, found = "", None
        elif ident == _TITLE:
            title = data[begin : begin + min(size, _MOST_NAME)].partition(b"\0")[0]
            name = title.decode("cp1252", "replace")
        elif ident == _DATA:
            found = begin, size, True
        elif ident == _PROPERTIES and found is None:
            inner = data.find(SIGNATURE, begin, begin + size)
            known = inner >= 0
            found = (inner, begin + size - inner, True) if known else (begin, size, False)
    if found is not None:
        yield TnefMember(name, *found)


def _attributes(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, where the value begins, its octets."""
    at = _FIRST
    for _ in range(_MOST_ATTRIBUTES):
        if at + _HEAD > len(data):
            return
        ident = int.from_bytes(data[at + 1 : at + 5], "little")
        size = int.from_bytes(data[at + 5 : at + _HEAD], "little")
        yield ident, at + _HEAD, size
        at += _HEAD + size + _CHECKSUM
    yield _PROPERTIES, len(data), 0  # what is behind so many is not looked into
