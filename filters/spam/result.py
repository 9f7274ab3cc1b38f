"""What the spam filter found of a message: a value that goes with it to delivery."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import log

from config.symbols import SYMBOLS
from filters.verdict import Scored

BAYES = ("BAYES_SPAM", "BAYES_HAM")
MARGIN_POINTS = 2.0
"""So the default `tag_at` is about the cut that cross-validation finds (docs/spam.md)."""
IN_DOUBT = 0.3
"""Points below which what was learned says nothing."""


@dataclass(frozen=True, slots=True)
class SpamResult:
    """`scored` are all symbols that count, those of other filters too; `features` those of the
    message (filters/spam/features.py), b"" of them where it could not be read; `probability` that
    it is spam by what the site has learned, None where it has not learned enough. `junk_at` is the
    score from which on it is junk, 0 for never. `stranger`: nobody whom we know brought it.
    """

    scored: tuple[Scored, ...]
    features: "array[int]" = field(default_factory=lambda: array("I"))
    probability: float | None = None
    junk_at: float = 0.0
    stranger: bool = False

    @property
    def score(self) -> float:
        """The sum of the weights, to a hundredth."""
        return round(sum(one.weight for one in self.scored), 2)

    @property
    def is_junk(self) -> bool:
        return 0 < self.junk_at <= self.score


def with_probability(
    result: SpamResult, probability: float | None, weights: Mapping[str, float]
) -> SpamResult:
    """The same by what somebody else has learned, an account in the place of the site."""
    others = tuple(one for one in result.scored if one.name not in BAYES)
    learned = bayes(probability, weights)
    return replace(result, scored=(*others, *learned), probability=probability)


def reweighed(name: str, told: float, weights: Mapping[str, float]) -> float:
    """What a symbol that was told with a weight counts by the `weights` of today. Where it counted
    a part of the table's weight it counts that part of it; one of another filter keeps what it had.
    """
    known = SYMBOLS.get(name)
    if known is None:
        return weights.get(name, told)
    weight = weights.get(name, known.weight)
    part = told / known.weight if known.weight and told != weight else 1.0
    return weight * part if 0 < part < 1 else weight


def bayes(probability: float | None, weights: Mapping[str, float]) -> tuple[Scored, ...]:
    """The symbol of a probability: MARGIN_POINTS a step of its log odds, its weight at most."""
    if probability is None:
        return ()
    kept = min(max(probability, 1e-9), 1 - 1e-9)
    points = MARGIN_POINTS * log(kept / (1 - kept))
    name = BAYES[0] if points > 0 else BAYES[1]
    most = abs(weights.get(name, SYMBOLS[name].weight))
    points = round(max(-most, min(most, points)), 2)
    return (Scored(name, points, f"{probability:.2%}"),) if abs(points) >= IN_DOUBT else ()
