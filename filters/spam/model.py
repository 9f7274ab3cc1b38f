"""The classifier: logistic regression, learned message by message, whose state is sums alone.

Pure. A model is rows `feature -> (spam, ham)`, whole numbers of 0 and above: what storage keeps. A
message that is learned adds one number, its step, to the spam or the ham of each of its features;
the weight of a feature is `spam - ham`. Unlearning subtracts that same step, so it is exact and in
any order: keep the step beside the message. How large a step is depends on how wrong the model was
about the message (0 when it was sure and right: then no row changes).

Models add up: an account's rows stand on top of the site's, and learn only what the site gets
wrong. Rows with both sums 0 are the same as none. docs/decisions/ says why it is this model.
"""

import random
from collections.abc import Mapping, MutableMapping, Sequence
from math import exp, sqrt
from typing import Final

Features = Sequence[int]
"""Distinct, as filters/spam/features.py gives them."""
Rows = Mapping[int, tuple[int, int]]

FEATURES: Final = 1 << 20  # how many there may be
SCALE: Final = 256  # steps in a weight of 1
RATE: Final = 20.0
REPEATS: Final = 3
ENOUGH: Final = 5.0  # a margin at which nothing more is learned
MOST: Final = 8.0  # what one message may change of its own margin
PASSES: Final = 4
LARGEST: Final = 1 << 16
_NOTHING: Final = (0, 0)
_STEEPNESS: Final = 1.0
_SEED: Final = 7


def margin(features: Features, *models: Rows) -> float:
    """How much speaks for spam (above 0) or against it, about as a logarithm of odds."""
    if not features:
        return 0.0
    total = 0
    for rows in models:
        if rows:
            get = rows.get
            for feature in features:
                spam, ham = get(feature, _NOTHING)
                total += spam - ham
    return total / (SCALE * sqrt(len(features)))


def probability(of_margin: float) -> float:
    """That it is spam, from 0 to 1."""
    return _chance(_STEEPNESS * of_margin)


def step(features: Features, spam: bool, *models: Rows) -> int:
    """What learning this message adds to its features, after those models."""
    return step_at(len(features), margin(features, *models), spam)


def add(
    rows: MutableMapping[int, tuple[int, int]], features: Features, spam: bool, by: int
) -> None:
    """Learn into rows held in memory: `by` is a step, negative to take it back."""
    for feature in features:
        was_spam, was_ham = rows.get(feature, _NOTHING)
        after = (was_spam + by, was_ham) if spam else (was_spam, was_ham + by)
        if after == _NOTHING:
            rows.pop(feature, None)
        else:
            rows[feature] = after


def fit(
    messages: Sequence[tuple[Features, bool]], *models: Rows, passes: int = PASSES
) -> list[int]:
    """The steps of many messages learned together, on top of models that stay as they are.

    Better than one by one, where mails of one kind come in a row: they are taken in a fixed random
    order, several times. Memory is that of a weight for each feature.
    """
    return fit_on(messages, [margin(features, *models) for features, _ in messages], passes=passes)


def fit_on(
    messages: Sequence[tuple[Features, bool]], before: Sequence[float], *, passes: int = PASSES
) -> list[int]:
    """The same, where the margins that those models reach are known."""
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
