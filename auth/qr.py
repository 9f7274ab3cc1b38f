"""QR codes (ISO/IEC 18004) of short texts, for keys that authenticator apps read. Pure.

Octets in byte mode, error correction level L, versions 1 to 20 (858 octets), the mask with the
least penalty.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final, TypeAlias

Modules: TypeAlias = list[list[bool]]
"""Rows of modules, true where they are dark; the quiet zone around is not among them."""

# By version from 1 on: octets of error correction in a block, and blocks (table 9, level L).
_CORRECTION: Final = (7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28)
_BLOCKS: Final = (1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8)
_LEVEL_L: Final = 1
QUIET: Final = 2


def modules(text: str) -> Modules:
    """The code of a text. Raises ValueError for one that is too long."""
    data = text.encode()
    version = _version_for(len(data))
    octets = _interleaved(_padded(data, version), version)
    best: Modules | None = None
    for mask in range(8):
        made = _drawn(octets, version, mask)
        if best is None or _penalty(made) < _penalty(best):
            best = made
    assert best is not None
    return best


def as_lines(code: Modules) -> list[str]:
    """For a terminal, two rows a line, light on dark so that a dark terminal shows it right."""
    width = len(code) + 2 * QUIET
    rows = [[False] * width for _ in range(QUIET)]
    rows += [[False] * QUIET + row + [False] * QUIET for row in code]
    rows += [[False] * width for _ in range(QUIET + width % 2)]
    signs = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
    return [
        "".join(signs[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=False)
    ]


def _version_for(length: int) -> int:
    for version in range(1, len(_BLOCKS) + 1):
        if 4 + _count_bits(version) + 8 * length <= 8 * _data_octets(version):
            return version
    raise ValueError("too long for a QR code")


def _count_bits(version: int) -> int:
    return 8 if version < 10 else 16


def _data_octets(version: int) -> int:
    return _raw_octets(version) - _CORRECTION[version - 1] * _BLOCKS[version - 1]


@cache
def _raw_octets(version: int) -> int:
    """Octets that fit beside the function patterns."""
    return sum(not fixed for row in _function(version)[1] for fixed in row) // 8


def _size(version: int) -> int:
    return 17 + 4 * version


def _padded(data: bytes, version: int) -> bytes:
    """Mode, count, data, terminator and filling (§7.4)."""
    number = 0b0100 << _count_bits(version) | len(data)
    number = number << 8 * len(data) | int.from_bytes(data)
    bits, room = 4 + _count_bits(version) + 8 * len(data), 8 * _data_octets(version)
    ending = min(4, room - bits)
    ending += -(bits + ending) % 8
    octets = (number << ending).to_bytes((bits + ending) // 8)
    return octets + (b"\xec\x11" * room)[: room // 8 - len(octets)]


def _interleaved(data: bytes, version: int) -> bytes:
    """Blocks with their error correction, octet by octet (§7.6)."""
    count, correction = _BLOCKS[version - 1], _CORRECTION[version - 1]
    short, longer = divmod(len(data), count)
    blocks, start = list[bytes](), 0
    for number in range(count):
        end = start + short + (number >= count - longer)
        blocks.append(data[start:end])
        start = end
    parts = [bytes(block[at] for block in blocks if at < len(block)) for at in range(short + 1)]
    endings = [_remainder(block, correction) for block in blocks]
    parts += [bytes(ending[at] for ending in endings) for at in range(correction)]
    return b"".join(parts)


def _times(x: int, y: int) -> int:
    """In GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    for bit in range(7, -1, -1):
        product = (product << 1) ^ (0x11D if product & 0x80 else 0)
        product ^= x if y >> bit & 1 else 0
    return product


@cache
def _generator(degree: int) -> tuple[int, ...]:
    """The product of (x - 2^i), highest power first, without the leading 1."""
    result, root = [1], 1
    for _ in range(degree):
        shifted = [*result, 0]
        for at, factor in enumerate(result):
            shifted[at + 1] ^= _times(factor, root)
        result, root = shifted, _times(root, 2)
    return tuple(result[1:])


def _remainder(data: bytes, degree: int) -> bytes:
    """Of the Reed-Solomon code."""
    generator, rest = _generator(degree), [0] * degree
    for octet in data:
        factor = octet ^ rest[0]
        rest = [*rest[1:], 0]
        rest = [one ^ _times(by, factor) for one, by in zip(rest, generator, strict=True)]
    return bytes(rest)


@cache
def _function(version: int) -> tuple[tuple[tuple[bool, ...], ...], tuple[tuple[bool, ...], ...]]:
    """What every code of the version has: dark modules, and which modules are taken."""
    size = _size(version)
    dark, taken = ([[False] * size for _ in range(size)] for _ in range(2))

    def put(x: int, y: int, value: bool) -> None:
        if 0 <= x < size and 0 <= y < size:
            dark[y][x], taken[y][x] = value, True

    for at in range(size):
        put(6, at, at % 2 == 0)
        put(at, 6, at % 2 == 0)
    for left, top in ((3, 3), (size - 4, 3), (3, size - 4)):
        for dx in range(-4, 5):
            for dy in range(-4, 5):
                put(left + dx, top + dy, max(abs(dx), abs(dy)) not in (2, 4))
    centres = _alignment(version)
    corners = {(6, 6), (6, size - 7), (size - 7, 6)}
    for x in centres:
        for y in centres:
            if (x, y) not in corners:
                for dx in range(-2, 3):
                    for dy in range(-2, 3):
                        put(x + dx, y + dy, max(abs(dx), abs(dy)) != 1)
    for x, y in (place for pair in _format_places(size) for place in pair):
        put(x, y, False)
    put(8, size - 8, True)
    if version >= 7:
        bits = _checked(version, 12, 0x1F25)
        for at in range(18):
            put(size - 11 + at % 3, at // 3, bool(bits >> at & 1))
            put(at // 3, size - 11 + at % 3, bool(bits >> at & 1))
    return tuple(map(tuple, dark)), tuple(map(tuple, taken))


def _alignment(version: int) -> list[int]:
    """Centres of the alignment patterns, in both directions (annex E)."""
    if version == 1:
        return []
    count, last = version // 7 + 2, _size(version) - 7
    step = (last - 6 + 2 * (count - 1) - 1) // (2 * (count - 1)) * 2
    return [6, *(last - step * at for at in range(count - 2, -1, -1))]


def _format_places(size: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Both places of each bit of the format information, the lowest first (§7.9)."""
    first = [(8, at) for at in (0, 1, 2, 3, 4, 5, 7, 8)] + [(at, 8) for at in (7, 5, 4, 3, 2, 1, 0)]
    second = [(size - 1 - at, 8) for at in range(8)] + [(8, size - 7 + at) for at in range(7)]
    return list(zip(first, second, strict=True))


def _checked(value: int, degree: int, polynomial: int) -> int:
    """With the remainder of its BCH code behind it."""
    rest = value
    for _ in range(degree):
        rest = rest << 1 ^ (polynomial if rest >> degree - 1 & 1 else 0)
    return value << degree | rest


def _places(version: int) -> Iterator[tuple[int, int]]:
    """Modules of the data in their order: pairs of columns, up and down (§7.7.3)."""
    size, taken = _size(version), _function(version)[1]
    upwards = True
    for right in (*range(size - 1, 6, -2), *range(5, 0, -2)):
        for y in range(size - 1, -1, -1) if upwards else range(size):
            for x in (right, right - 1):
                if not taken[y][x]:
                    yield x, y
        upwards = not upwards


def _is_masked(mask: int, x: int, y: int) -> bool:
    product = x * y
    return (
        (x + y) % 2,
        y % 2,
        x % 3,
        (x + y) % 3,
        (x // 3 + y // 2) % 2,
        product % 2 + product % 3,
        (product % 2 + product % 3) % 2,
        ((x + y) % 2 + product % 3) % 2,
    )[mask] == 0


def _drawn(octets: bytes, version: int, mask: int) -> Modules:
    size = _size(version)
    made = [list(row) for row in _function(version)[0]]
    for at, (x, y) in enumerate(_places(version)):
        bit = at < 8 * len(octets) and bool(octets[at // 8] >> 7 - at % 8 & 1)
        made[y][x] = bit != _is_masked(mask, x, y)
    bits = _checked(_LEVEL_L << 3 | mask, 10, 0x537) ^ 0x5412
    for at, pair in enumerate(_format_places(size)):
        for x, y in pair:
            made[y][x] = bool(bits >> at & 1)
    return made


def _penalty(code: Modules) -> int:
    """What makes a code hard to read (§7.8.3)."""
    size, total = len(code), 0
    for rows in (code, [list(column) for column in zip(*code, strict=True)]):
        for row in rows:
            line = "".join("1" if dark else "0" for dark in row)
            runs = line.replace("01", "0 1").replace("10", "1 0").split()
            total += sum(len(run) - 2 for run in runs if len(run) >= 5)
            for start in range(size - 10):
                total += 40 * (line[start : start + 11] in ("10111010000", "00001011101"))
    for y in range(size - 1):
        for x in range(size - 1):
            total += 3 * (code[y][x] == code[y][x + 1] == code[y + 1][x] == code[y + 1][x + 1])
    dark = sum(map(sum, code))
    return total + 10 * (abs(20 * dark - 10 * size * size) // (size * size))
