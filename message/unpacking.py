"""Compressed octets undone within bounds: deflate, gzip, bzip2, xz. Broken input never raises.

Work is counted in octets given out, those of slow methods several times, and taken from a Budget
that all archives of a message share; so neither time nor memory grows with what was packed. gzip,
bzip2 and xz may be of several streams, one behind the other, which are unpacked as one.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

PIECE: Final = 64 * 1024
_XZ_MEMORY: Final = 128 * 1024**2
# What a stream costs, however little is in it.
_STREAM: Final = 4096
_RAW: Final = -zlib.MAX_WBITS
_GZIP: Final = zlib.MAX_WBITS | 16


@dataclass(slots=True)
class Budget:
    """`left` octets may still be unpacked."""

    left: int


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, most: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Method:
    """`cost`: how much slower than deflate; `again`: how a further stream begins, if one may."""

    make: Callable[[], _Unpacker]
    cost: int
    again: bytes = b""


class _Zlib:
    """zlib with the interface of the other two, which keep what they were given and did not use."""

    def __init__(self, bits: int) -> None:
        self._inner = zlib.decompressobj(bits)
        self._rest = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._rest

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, most: int) -> bytes:
        made = self._inner.decompress(self._rest or data, most)
        self._rest = self._inner.unconsumed_tail
        return made


def _xz() -> _Unpacker:
    return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=_XZ_MEMORY)


METHODS: Final[dict[str, _Method]] = {
    "deflate": _Method(lambda: _Zlib(_RAW), 1),
    "gz": _Method(lambda: _Zlib(_GZIP), 1, b"\x1f\x8b"),
    "bz2": _Method(bz2.BZ2Decompressor, 2, b"BZh"),
    "xz": _Method(_xz, 2, b"\xfd7zXZ\0"),
    "lzma": _Method(_xz, 2),
}
_BROKEN = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, MemoryError)


def unpack(data: bytes, method: str, most: int, budget: Budget) -> bytes:
    """The first `most` octets, fewer when the data or the budget ends or the rest is broken."""
    return b"".join(_pieces(data, METHODS[method], most, budget))


def _pieces(data: bytes, method: _Method, most: int, budget: Budget) -> Iterator[bytes]:
    unpacker = method.make()
    position = 0
    while most > 0 and budget.left > 0:
        given = data[position : position + PIECE] if unpacker.needs_input else b""
        try:
            made = unpacker.decompress(given, min(PIECE, most))
        except _BROKEN:
            return
        position += len(given)
        if made:
            yield made
        elif not given and (position >= len(data) or not unpacker.needs_input):
            return
        most -= len(made)
        budget.left -= len(made) * method.cost
        if unpacker.eof:
            position -= len(unpacker.unused_data)
            if not method.again or not data.startswith(method.again, position):
                return
            unpacker = method.make()
            budget.left -= _STREAM
