"""What would have had to differ for a message to be judged otherwise: which of its symbols, taken
away, bring it under a limit. Pure; the smallest sets first, and of equal ones the lightest.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Final

from filters.spam.result import SpamResult
from filters.verdict import Scored

MAX_SYMBOLS: Final = 16
MAX_SET: Final = 3
MAX_ANSWERS: Final = 5
_NEAR: Final = 1e-9

Set = tuple[Scored, ...]


def differences(result: SpamResult, limits: Iterable[tuple[str, float]]) -> tuple[str, ...]:
    """Sentences; `limits` are what is done from which score on, 0 for never: `("Junk", 5.0)`."""
    said: list[str] = []
    for name, limit in sorted(limits, key=lambda one: one[1]):
        if limit <= 0:
            continue
        if result.score < limit - _NEAR:
            missing = round(limit - result.score, 2)
            said.append(f"For {name}, from {limit:g} on, {missing:g} more was needed.")
        else:
            said += _less(result, name, limit)
    return tuple(said)


def smallest_sets(scored: Sequence[Scored], limit: float) -> list[Set]:
    """Sets without which the sum is below the limit, none of them with a needless symbol."""
    total = sum(one.weight for one in scored)
    heavy = sorted((one for one in scored if one.weight > 0), key=lambda one: -one.weight)
    heavy = heavy[:MAX_SYMBOLS]
    found: list[Set] = []
    for size in range(1, MAX_SET + 1):
        fitting = [
            one
            for one in combinations(heavy, size)
            if total - sum(each.weight for each in one) < limit - _NEAR
            and not any(set(known) <= set(one) for known in found)
        ]
        fitting.sort(key=lambda one: sum(each.weight for each in one))
        found += fitting[: MAX_ANSWERS - len(found)]
        if len(found) >= MAX_ANSWERS:
            break
    return found or _many(heavy, total, limit)


def _many(heavy: Sequence[Scored], total: float, limit: float) -> list[Set]:
    """As many of the heaviest as it takes, where a few are not enough."""
    for count in range(MAX_SET + 1, len(heavy) + 1):
        if total - sum(one.weight for one in heavy[:count]) < limit - _NEAR:
            return [tuple(heavy[:count])]
    return []


def _less(result: SpamResult, name: str, limit: float) -> list[str]:
    sets = smallest_sets(result.scored, limit)
    if not sets:
        return [f"Nothing that weighs much brings it under {limit:g}, the limit for {name}."]
    return [_without(one, result.score, name, limit) for one in sets]


def _without(symbols: Set, score: float, name: str, limit: float) -> str:
    left = round(score - sum(one.weight for one in symbols), 2)
    shown = [f"{one.name} ({one.weight:g}{_about(one)})" for one in symbols]
    named = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    return f"Without {named} its score would be {left:g}, below {limit:g} for {name}."


def _about(one: Scored) -> str:
    return f": {one.detail}" if one.detail else ""
