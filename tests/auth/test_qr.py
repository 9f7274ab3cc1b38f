"""QR codes: one that another encoder made, and what each version reads back as."""

import pytest

from auth import qr

TEXT = "otpauth://totp/aB"
# Version 1, level L, mask 3.
DRAWN = """
#######.##....#######
#.....#..#....#.....#
#.###.#.#####.#.###.#
#.###.#.##.#..#.###.#
#.###.#.#..##.#.###.#
#.....#.......#.....#
#######.#.#.#.#######
...........#.........
####..#.#.#..#..###.#
.####...####..#.#####
...#.####........#.##
#.##.#.#.....#..##..#
...##.###..##.####.##
........##..##..##...
#######...##..###....
#.....#....#...#.###.
#.###.#..##.#..#.##.#
#.###.#.###.#.##.....
#.###.#.##.####..##..
#.....#.#..#.###....#
#######.#.##..#####..
"""
# What fits into each version (ISO/IEC 18004 table 7, level L, octets).
CAPACITY = (
    *(17, 32, 53, 78, 106, 134, 154, 192, 230, 271),
    *(321, 367, 425, 458, 520, 586, 644, 718, 792, 858),
)


def read(code: qr.Modules) -> bytes:
    """The octets of a code, its first copy of the format believed."""
    version = (len(code) - 17) // 4
    places = [pair[0] for pair in qr._format_places(len(code))]
    form = sum(code[y][x] << at for at, (x, y) in enumerate(places)) ^ 0x5412
    level, mask = form >> 13, form >> 10 & 7
    assert level == 1
    bits = [code[y][x] != qr._is_masked(mask, x, y) for x, y in qr._places(version)]
    octets = [
        sum(bit << 7 - at for at, bit in enumerate(bits[start : start + 8]))
        for start in range(0, len(bits) // 8 * 8, 8)
    ]
    count, correction = qr._BLOCKS[version - 1], qr._CORRECTION[version - 1]
    total = len(octets) - count * correction
    short = total // count
    longer = [number >= count - total % count for number in range(count)]
    blocks: list[list[int]] = [[] for _ in range(count)]
    rest = iter(octets)
    for at in range(short + 1):
        for number in range(count):
            if at < short or longer[number]:
                blocks[number].append(next(rest))
    data = [octet for block in blocks for octet in block]
    for _ in range(correction):
        for block in blocks:
            block.append(next(rest))
    assert all(syndromes(block, correction) == [0] * correction for block in blocks)
    number = int.from_bytes(bytes(data))
    width = 8 if version < 10 else 16
    length = number >> 8 * total - 4 - width & (1 << width) - 1
    assert number >> 8 * total - 4 == 0b0100
    start = 8 * total - 4 - width - 8 * length
    return (number >> start & (1 << 8 * length) - 1).to_bytes(length)


def syndromes(block: list[int], correction: int) -> list[int]:
    """Zero where the block is a word of the Reed-Solomon code."""
    found, root = [], 1
    for _ in range(correction):
        value = 0
        for octet in block:
            value = qr._times(value, root) ^ octet
        found.append(value)
        root = qr._times(root, 2)
    return found


def test_as_another_encoder_draws_it() -> None:
    made = ["".join(".#"[dark] for dark in row) for row in qr.modules(TEXT)]
    assert made == DRAWN.split()


@pytest.mark.parametrize("version", range(1, 21))
def test_each_version_holds_what_it_should_and_reads_back(version: int) -> None:
    most = CAPACITY[version - 1]
    for length in (most, most - 1, most - 7):
        text = ("otpauth://totp/" + "x7q%40" * 200)[:length]
        code = qr.modules(text)
        assert len(code) == 17 + 4 * version
        assert read(code) == text.encode()


def test_too_long() -> None:
    with pytest.raises(ValueError, match="too long"):
        qr.modules("x" * 859)


def test_on_a_terminal() -> None:
    lines = qr.as_lines(qr.modules(TEXT))
    assert {len(line) for line in lines} == {25}
    assert len(lines) == 13
    assert lines[0] == "█" * 25
