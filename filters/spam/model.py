"""The classifier: logistic regression, learned message by message, whose state is sums alone.

Pure. A model has a whole number for each feature, its weight (filters/spam/weights.py). A message
that is learned adds one number, its step, to the weight of each of its features, and takes it away
for ham. Unlearning does the opposite with that same step, so it is exact and in any order: the step
is kept beside the message (storage/spam_lessons.py). How large a step is depends on how wrong the
model was about the message (0 when it was sure and right).

Models add up: an account's weights stand on top of the site's, and learn only what the site gets
wrong. docs/decisions/ says why it is this model.
"""

import random
from collections.abc import Sequence
from math import exp, sqrt
from typing import Final

Features = Sequence[int]
"""Distinct, as filters/spam/features.py gives them."""

FEATURES: Final = 1 << 20  # how many there may be
SCALE: Final = 256  # steps in a weight of 1
RATE: Final = 20.0
REPEATS: Final = 3
ENOUGH: Final = 5.0  # a margin at which nothing more is learned
MOST: Final = 8.0  # what one message may change of its own margin
PASSES: Final = 4
LARGEST: Final = 1 << 16
_STEEPNESS: Final = 1.0
_SEED: Final = 7


def probability(of_margin: float) -> float:
    """That it is spam, from 0 to 1."""
    return _chance(_STEEPNESS * of_margin)


def fit(messages: Sequence[tuple[Features, bool]], *, passes: int = PASSES) -> list[int]:
    """The steps of many messages learned together.

    Better than one by one, where mails of one kind come in a row: they are taken in a fixed random
    order, several times. Memory is that of a weight for each feature.
    """
    return fit_on(messages, [0.0] * len(messages), passes=passes)


def fit_on(
    messages: Sequence[tuple[Features, bool]], before: Sequence[float], *, passes: int = PASSES
) -> list[int]:
    """The same on top of other models that stay as they are, by the margins that they reach."""
    weights: dict[int, int] = {}
    steps = [0] * len(messages)
    order = list(range(len(messages)))
    shuffle = random.Random(_SEED).shuffle
    for _ in range(passes):
        shuffle(order)
        for index in order:
            features, spam = messages[index]
            if not features:
                continue
            get = weights.get
            total = sum([get(feature, 0) for feature in features])
            reached = before[index] + total / (SCALE * sqrt(len(features)))
            found = min(step_at(len(features), reached, spam), LARGEST - steps[index])
            if found:
                steps[index] += found
                change = found if spam else -found
                for feature in features:
                    weights[feature] = get(feature, 0) + change
    return steps


def step_at(count: int, reached: float, spam: bool) -> int:
    """What learning a message of so many features adds to each, where models reached a margin.

    Down the gradient of the logistic loss, but never past ENOUGH, and never more than MOST.
    """
    if not count:
        return 0
    begun = at = reached if spam else -reached
    for _ in range(REPEATS):
        at += max(0.0, min(RATE * _chance(-at), ENOUGH - at))
    return round(min(MOST, at - begun) / sqrt(count) * SCALE)


def _chance(of_margin: float) -> float:
    return 1 / (1 + exp(-max(-30.0, min(30.0, of_margin))))
