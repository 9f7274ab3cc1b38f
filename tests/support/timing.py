"""Whether the time of an answer tells something: attempts in turns, their medians compared.

Work that is left out for somebody makes a median a fraction of the others, or a multiple; what a
busy machine does to all of them alike makes no difference. Seconds are never compared with a bound.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from statistics import median, quantiles

APART = 1.5
"""Medians this many times each other are not of the same work."""

Attempt = Callable[[int], Awaitable[object]]


async def measured(tries: Mapping[str, Attempt], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, in a new order each round; each attempt gets the number of its round."""
    loop, chance = asyncio.get_running_loop(), random.Random(7)
    taken: dict[str, list[float]] = {name: [] for name in tries}
    for number in range(rounds + 1):
        for name in chance.sample(list(tries), len(tries)):
            begun = loop.time()
            await tries[name](number)
            if number:  # the first finds nothing in memory
                taken[name].append(loop.time() - begun)
    return taken


def told_apart(taken: Mapping[str, list[float]], baseline: str) -> dict[str, float]:
    """Whose median is not that of the baseline, and how many times it is. Where the middle halves
    of both overlap it is the machine that makes the difference.
    """
    base = taken[baseline]
    found = {name: median(times) / median(base) for name, times in taken.items()}
    return {
        name: round(part, 2)
        for name, part in found.items()
        if not 1 / APART < part < APART and not _overlap(taken[name], base)
    }


def _overlap(some: list[float], others: list[float]) -> bool:
    low, _, high = quantiles(some, n=4)
    other_low, _, other_high = quantiles(others, n=4)
    return low <= other_high and other_low <= high
