"""Long lists of numbers as SEARCH, SORT and ESEARCH write them, in pieces.

`found` is any sequence, of which `numbers` gives the numbers a block at a time. A set keeps the
order of a SORT: a range stands only where the numbers ascend one by one (RFC 5267 §3.2).
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from imap.grammar.encode import ascending_ranges
from message.pieces import Pieces

Numbers: TypeAlias = Callable[[Sequence[int]], list[int]]
_BLOCK: Final = 5_000


def spaced(found: Sequence[int], numbers: Numbers) -> Pieces[bytes]:
    """` 2 3 5`, each with a space before it."""
    parts: list[str] = []
    for start in range(0, len(found), _BLOCK):
        parts.append(str(numbers(found[start : start + _BLOCK]))[1:-1].replace(",", ""))
        yield
    return " ".join(["", *parts]).encode()


def as_set(found: Sequence[int], numbers: Numbers, *, ascending: bool) -> Pieces[bytes]:
    """`2:3,5`; empty for nothing."""
    parts: list[str] = []
    last: tuple[int, int] | None = None
    for start in range(0, len(found), _BLOCK):
        block = numbers(found[start : start + _BLOCK])
        ranges = ascending_ranges(block) if ascending else runs(block)
        if last is not None and last[1] + 1 == ranges[0][0]:
            ranges[0] = (last[0], ranges[0][1])
        elif last is not None:
            parts.append(_range(*last))
        last = ranges.pop()
        parts += [_range(low, high) for low, high in ranges]
        yield
    if last is not None:
        parts.append(_range(*last))
    return ",".join(parts).encode()


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ranges of numbers in any order; only what ascends one by one becomes one."""
    ranges: list[tuple[int, int]] = []
    low = high = numbers[0] if numbers else 0
    for number in numbers[1:]:
        if number == high + 1:
            high = number
        else:
            ranges.append((low, high))
            low = high = number
    return [*ranges, (low, high)] if numbers else ranges


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}:{high}"
