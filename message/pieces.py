"""Long computations in pieces: a generator yields whenever others may run, and returns its result.

Pure; who runs one decides what happens between the pieces.
"""

from bisect import bisect_left
from collections.abc import Generator, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeVar

T = TypeVar("T")
Pieces: TypeAlias = Generator[None, None, T]

# So many are sorted in a few milliseconds.
AT_ONCE: Final = 20_000
_BLOCK: Final = 1_000
_BUCKET: Final = 500


def finish(pieces: Pieces[T]) -> T:
    """The result, without a pause."""
    while True:
        try:
            next(pieces)
        except StopIteration as stop:
            result: T = stop.value
            return result


class Indexed(Protocol):
    """What is compared of an item."""

    def __getitem__(self, item: int, /) -> Any: ...


def order_by(items: Sequence[int], keys: Indexed, reverse: bool = False) -> Pieces[list[int]]:
    """`items` by `keys[item]`; equal keys keep their order, also in reverse."""
    if len(items) <= AT_ONCE:
        return sorted(items, key=keys.__getitem__, reverse=reverse)
    sample = items[:: max(1, len(items) * 2 // (AT_ONCE + len(items) // _BUCKET))]
    pivots = sorted({keys[item] for item in sample[: 4 * AT_ONCE]})
    # Bucket 2 i + 1 has the items equal to pivot i, the even ones those between.
    buckets: list[list[int]] = [[] for _ in range(2 * len(pivots) + 1)]
    for start in range(0, len(items), _BLOCK):
        for item in items[start : start + _BLOCK]:
            key = keys[item]
            place = bisect_left(pivots, key)
            same = place < len(pivots) and pivots[place] == key
            buckets[2 * place + same].append(item)
        yield
    out: list[int] = []
    since = 0
    for number in range(len(buckets) - 1, -1, -1) if reverse else range(len(buckets)):
        bucket = buckets[number]
        if number % 2 == 0:
            bucket.sort(key=keys.__getitem__, reverse=reverse)
        out += bucket
        since += len(bucket) + 1
        if since > _BLOCK:
            since = 0
            yield
    return out
