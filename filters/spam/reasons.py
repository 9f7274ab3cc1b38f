"""Why the classifier judges a message as it does: what of it weighs most, in words.

Pure. Runs of octets say little to people, so those of one word of the text count as that word.
"""

from dataclasses import dataclass
from typing import Final

from filters.spam.features import run_feature, shown_text, token_feature
from filters.spam.model import SCALE
from filters.spam.reading import Reading
from filters.spam.tokens import tokens
from filters.spam.weights import Weights

_LONGEST: Final = 40


@dataclass(frozen=True, slots=True)
class Reason:
    """`text` is a token (`link-domain:example.org`) or a word of the text (`word:mortgage`);
    `weight` its share of the margin (model.py), above 0 for spam.
    """

    text: str
    weight: float


def reasons(reading: Reading, model: Weights) -> list[Reason]:
    """Everything that has a weight, the strongest first. The weights add up to the margin, but for
    features that share a number.
    """
    weights: dict[str, int] = {}
    seen: set[int] = set()
    for token in tokens(reading):
        _count(weights, token, token_feature(token), seen, model)
    text = shown_text(reading)
    start = 0
    for word in text.split(b" "):
        name = "word:" + word[:_LONGEST].decode("utf-8", "replace")
        for place in range(max(0, start - 1), min(start + len(word), len(text) - 3)):
            _count(weights, name, run_feature(text[place : place + 4]), seen, model)
        start += len(word) + 1
    width = SCALE * max(1, len(seen)) ** 0.5
    found = [Reason(text, round(weight / width, 3)) for text, weight in weights.items() if weight]
    return sorted(found, key=lambda reason: (-abs(reason.weight), reason.text))


def _count(
    weights: dict[str, int], name: str, feature: int, seen: set[int], model: Weights
) -> None:
    if feature in seen:
        return
    seen.add(feature)
    weights[name] = weights.get(name, 0) + model.of(feature)
