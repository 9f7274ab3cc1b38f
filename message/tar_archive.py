"""The members of a tar archive: headers of 512 octets, long names of GNU and of pax."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 512
_MOST_NAME: Final = 1024
_PAX_PATH: Final = re.compile(rb"\d{1,7} path=([^\n]{1,4096})\n")


@dataclass(frozen=True, slots=True)
class TarMember:
    """A regular file: its content is `data[begin:begin + size]`."""

    name: str
    begin: int
    size: int


def tar_members(data: bytes) -> Iterator[TarMember]:
    """Every regular file up to the first header that is none."""
    at, long_name = 0, b""
    while at + BLOCK <= len(data):
        header = data[at : at + BLOCK]
        size = _size(header[124:136])
        if not header.strip(b"\0") or size is None:
            return
        begin, kind = at + BLOCK, header[156:157]
        if kind == b"L":
            long_name = data[begin : begin + min(size, _MOST_NAME)].rstrip(b"\0")
        elif kind in (b"x", b"X"):
            found = _PAX_PATH.search(data[begin : begin + min(size, 64 * 1024)])
            long_name = found[1][:_MOST_NAME] if found else long_name
        else:
            if kind in (b"0", b"\0", b"7"):
                name = long_name or _name(header)
                yield TarMember(name.decode("utf-8", "replace"), begin, size)
            long_name = b""
        at = begin + -(-size // BLOCK) * BLOCK


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:262] == b"ustar" else b""
    return prefix + b"/" + name if prefix else name


def _size(field: bytes) -> int | None:
    """Octal, or binary with the first bit set; None when it is neither."""
    if field[0] & 0x80:
        return int.from_bytes(field) & (1 << 87) - 1
    text = field.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        return None
