"""Figures of a judge: how much spam it catches at how many wrong ham, with confidence ranges."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

_Z: Final = 1.96  # of a normal distribution, both sides: 95 %


@dataclass(frozen=True, slots=True)
class Share:
    """`found` of `total`, with the range that holds its true share 95 times in 100 (Wilson)."""

    found: int
    total: int

    @property
    def percent(self) -> float:
        return 100 * self.found / self.total if self.total else 0.0

    @property
    def between(self) -> tuple[float, float]:
        """In percent."""
        if not self.total:
            return 0.0, 100.0
        share, square = self.found / self.total, _Z * _Z / self.total
        middle = (share + square / 2) / (1 + square)
        half = _Z * sqrt(share * (1 - share) / self.total + square / (4 * self.total))
        half /= 1 + square
        return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.between
        return f"{self.percent:.1f} % ({low:.1f} to {high:.1f}; {self.found} of {self.total})"


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of mails beside what the mails are."""

    scores: Sequence[float]
    spam: Sequence[bool]

    def caught(self, above: float) -> Share:
        """Spam above a cut."""
        found = [score > above for score, spam in self._pairs() if spam]
        return Share(sum(found), len(found))

    def wrong(self, above: float) -> Share:
        """Ham above it."""
        found = [score > above for score, spam in self._pairs() if not spam]
        return Share(sum(found), len(found))

    def cut(self, wrong: int) -> float:
        """The lowest cut with no more ham than that above it."""
        ham = sorted((score for score, spam in self._pairs() if not spam), reverse=True)
        return ham[wrong] if wrong < len(ham) else float("-inf")

    def at(self, wrong: int) -> Share:
        """Spam above that cut."""
        return self.caught(self.cut(wrong))

    def _pairs(self) -> Iterator[tuple[float, bool]]:
        return zip(self.scores, self.spam, strict=True)
