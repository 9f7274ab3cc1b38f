"""Numbers by key that fade: halved after each `half_life` seconds. Pure arithmetic on a clock.

Invariant: bounded; the keys longest untouched are forgotten.
"""

from collections import OrderedDict
from collections.abc import Hashable

from config.clock import Clock


class Scores:
    """`entries` keys at most."""

    def __init__(self, clock: Clock, half_life: float, entries: int) -> None:
        self._clock, self._half_life, self._entries = clock, half_life, entries
        self._scores: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._scores)

    def of(self, key: Hashable) -> float:
        """0 for a key that nobody knows."""
        found = self._scores.get(key)
        if found is None:
            return 0.0
        score, at = found
        passed = (self._clock.monotonic() - at) / self._half_life
        return float(score * 0.5**passed) if passed < 64 else 0.0

    def add(self, key: Hashable, amount: float = 1.0) -> float:
        """The score with the amount."""
        score = self.of(key) + amount
        self._scores[key] = score, self._clock.monotonic()
        self._scores.move_to_end(key)
        if len(self._scores) > self._entries:
            self._scores.popitem(last=False)
        return score

    def clear(self, key: Hashable) -> None:
        """Back to 0."""
        self._scores.pop(key, None)
