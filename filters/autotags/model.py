"""A model of one tag: which messages a user gives it. Pure.

It is the classifier of filters/spam/model.py with the tag in the place of spam, learned anew each
time from a few hundred messages. How sure it must be is found by cross-validation: a tag that can't
be told well enough is never given.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from filters.spam import model
from filters.spam.weights import Weights

ENOUGH: Final = 8
"""Messages with the tag, and without it, below which nothing is learned."""
PARTS: Final = 5
PASSES: Final = 3
WRONG: Final = 0.05
"""The part of what would be tagged that may be wrong."""
LEAST: Final = 1.0
"""The margin below which a tag is never given."""
Example = tuple["array[int]", bool]


@dataclass(frozen=True, slots=True)
class TagModel:
    """`threshold` is the margin from which on the tag is given. `right` of the `given` tags that
    cross-validation gave were the user's own, of which there are `tagged`.
    """

    keyword: str
    weights: Weights
    threshold: float
    tagged: int
    given: int
    right: int

    @property
    def is_used(self) -> bool:
        """Whether the tag can be told well enough."""
        return self.given > 0

    def margin(self, features: "array[int]") -> float:
        """How much speaks for the tag, as in filters/spam/model.py."""
        return self.weights.margin(features) if features else 0.0

    def fits(self, features: "array[int]") -> bool:
        """Whether a message gets the tag."""
        return self.is_used and self.margin(features) >= self.threshold


def learn(keyword: str, examples: Sequence[Example]) -> TagModel | None:
    """None where there are too few of a kind."""
    tagged = sum(wanted for _, wanted in examples)
    if min(tagged, len(examples) - tagged) < ENOUGH:
        return None
    threshold, given, right = _threshold(_judged(examples))
    return TagModel(keyword, _weights(examples), threshold, tagged, given, right)


def _judged(examples: Sequence[Example]) -> list[tuple[float, bool]]:
    """The margin of each message by what the others taught, and whether it has the tag."""
    found = []
    for part in range(PARTS):
        weights = _weights([one for at, one in enumerate(examples) if at % PARTS != part])
        for features, wanted in examples[part::PARTS]:
            found.append((weights.margin(features) if features else 0.0, wanted))
    return found


def _threshold(judged: Sequence[tuple[float, bool]]) -> tuple[float, int, int]:
    """The lowest margin above which few enough are wrong, half-way to the next; how many are given,
    how many of them right.
    """
    falling = sorted(judged, key=lambda one: -one[0])
    given = right = rightly = 0
    for count, (margin, wanted) in enumerate(falling, 1):
        if margin < LEAST:
            break
        right += wanted
        if (count - right) <= WRONG * count:
            given, rightly = count, right
    if not given:
        return LEAST, 0, 0
    below = falling[given][0] if given < len(falling) else 0.0
    return max(LEAST, (falling[given - 1][0] + below) / 2), given, rightly


def _weights(examples: Sequence[Example]) -> Weights:
    weights = Weights()
    steps = model.fit(examples, passes=PASSES)
    for (features, wanted), step in zip(examples, steps, strict=True):
        if step:
            weights.add(features, step if wanted else -step)
    return weights
