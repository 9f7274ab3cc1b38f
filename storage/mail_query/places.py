"""Ascending rows put together, in pieces between which others run."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from net.pacing import Slices

_BLOCK: Final = 5_000
_SPARSE: Final = 4


async def without(among: Sequence[int], gone: Sequence[int], pause: Slices) -> Sequence[int]:
    """Those of `among` that are not in `gone`."""
    return await _sifted(among, gone, pause, inside=False) if gone else among


async def common(among: Sequence[int], others: Sequence[int], pause: Slices) -> Sequence[int]:
    """Those that are in both."""
    if len(others) < len(among):
        among, others = others, among
    if isinstance(others, range) and others.step == 1:
        low = bisect_left(among, others.start)
        return among[low : bisect_left(among, others.stop)]
    return await _sifted(among, others, pause, inside=True)


async def _sifted(
    among: Sequence[int], others: Sequence[int], pause: Slices, *, inside: bool
) -> list[int]:
    found: list[int] = []
    for start in range(0, len(among), _BLOCK):
        block = among[start : start + _BLOCK]
        low, high = bisect_left(others, block[0]), bisect_right(others, block[-1])
        if high - low <= _SPARSE * len(block):
            held = set(others[low:high])
            found += [at for at in block if (at in held) is inside]
        else:
            found += [at for at in block if _holds(others, at) is inside]
        await pause()
    return found


def _holds(places: Sequence[int], at: int) -> bool:
    found = bisect_left(places, at)
    return found < len(places) and places[found] == at


async def union(one: Sequence[int], other: Sequence[int], pause: Slices) -> Sequence[int]:
    """Those that are in one at least."""
    if not one or not other:
        return one or other
    found: list[int] = []
    at = of_other = 0
    while at < len(one) and of_other < len(other):
        last = min(
            one[min(at + _BLOCK, len(one)) - 1], other[min(of_other + _BLOCK, len(other)) - 1]
        )
        end, end_of_other = bisect_right(one, last, at), bisect_right(other, last, of_other)
        found += sorted({*one[at:end], *other[of_other:end_of_other]})
        at, of_other = end, end_of_other
        await pause()
    found += one[at:]
    found += other[of_other:]
    return found
