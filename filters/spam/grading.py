"""How well spam is told from ham, as figures: errors with the ranges that they are known to.

Pure. Truth is what users said of a message, else the folder where it ended up.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

Z: Final = 1.959964
"""Of a range that holds the true rate in 95 of 100 cases."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` of `of`; `low` and `high` are the ends of its range, shares from 0 to 1."""

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def range(self) -> tuple[float, float]:
        """Wilson's score interval (E. B. Wilson, 1927): fit for few messages and rates near 0."""
        if not self.of:
            return 0.0, 1.0
        n, share = self.of, self.hits / self.of
        middle = share + Z * Z / (2 * n)
        half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
        whole = 1 + Z * Z / n
        low, high = max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)
        return (0.0 if not self.hits else low), (1.0 if self.hits == n else high)


@dataclass(slots=True)
class Tally:
    """Messages that are spam and ham, and those judged otherwise."""

    spam: int = 0
    ham: int = 0
    missed: int = 0
    wrong: int = 0

    def add(self, is_spam: bool, judged_spam: bool) -> None:
        """Counts one message."""
        if is_spam:
            self.spam += 1
            self.missed += not judged_spam
        else:
            self.ham += 1
            self.wrong += judged_spam

    @property
    def false_negatives(self) -> Rate:
        """Spam that was let through."""
        return Rate(self.missed, self.spam)

    @property
    def false_positives(self) -> Rate:
        """Ham that was taken for spam."""
        return Rate(self.wrong, self.ham)
