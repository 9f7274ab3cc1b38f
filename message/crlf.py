"""Line endings: a message is CRLF, whatever the file holds.

Offsets, sizes and line counts everywhere are those of the CRLF form. The one rule: a bare LF is
read as CRLF; a bare CR is a byte like any other, never a line end and never changed. So the mapping
only inserts a CR before each bare LF, and a file that has none is its own CRLF form.
"""

import re
from mmap import mmap

Buffer = bytes | bytearray | memoryview | mmap

_CHUNK = 64 * 1024
# The LF first: it is what the search engine can skip to.
_BARE_LF = re.compile(rb"\n(?<!\r\n)")


def as_bytes(data: Buffer) -> bytes:
    """The bytes of any buffer; no copy when it is bytes already."""
    return data if isinstance(data, bytes) else bytes(data)


def is_crlf(data: Buffer) -> bool:
    """True when no LF stands without its CR: the file is its own CRLF form."""
    return _BARE_LF.search(data) is None


def to_crlf(data: Buffer) -> bytes:
    """The CRLF form: CR inserted before each bare LF, everything else kept."""
    data = as_bytes(data)
    if is_crlf(data):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def crlf_slice(data: Buffer, offset: int, length: int) -> bytes:
    """`to_crlf(data)[offset:offset + length]`, converting only about `length` bytes.

    `offset` and `length` count octets of the CRLF form. Linear in `offset` with a small constant.
    """
    data = as_bytes(data)
    if offset < 0 or length <= 0:
        return b""
    start, passed = _seek(data, offset)
    # The CR of a pair split by `start` keeps its LF from looking bare.
    lead = 1 if start and data[start - 1] == 13 else 0
    window = data[start - lead : start + (offset - passed) + length]
    return to_crlf(window)[lead + offset - passed :][:length]


def _seek(data: bytes, offset: int) -> tuple[int, int]:
    """A raw index and its CRLF offset, at or at most 1 KiB before `offset`."""
    raw = mapped = 0
    step = _CHUNK
    while step >= 1024:
        while raw + step <= len(data):
            grown = step + _bare(data, raw, raw + step)
            if mapped + grown > offset:
                break
            raw += step
            mapped += grown
        step //= 8
    return raw, mapped


def _bare(data: bytes, start: int, end: int) -> int:
    """How many LF in [start, end) have no CR before them."""
    return data.count(b"\n", start, end) - data.count(b"\r\n", max(start - 1, 0), end)
