"""One table row: a load, its unit, and the ratio to reach against the peer."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.sides import Side


@dataclass(frozen=True, slots=True)
class Row:
    """`run` gives one figure a call. `at_least` or `at_most` is the ratio ours / theirs to reach;
    `limit` is an upper and `least` a lower bound on ours, in `unit`. `fresh` rows get newly
    started servers, `whole` ones servers with spam filters; what takes minutes is run `once`.
    """

    name: str
    unit: str
    run: Callable[[Side], float]
    at_least: float | None = None
    at_most: float | None = None
    limit: float | None = None
    least: float | None = None
    prepare: Callable[[Side], None] | None = None
    fresh: bool = False
    whole: bool = False
    once: bool = False

    def met(self, ours: float, theirs: float) -> bool:
        """Whether the row reaches its figures."""
        ratio = ours / theirs if theirs else 0.0
        if self.at_least is not None and ratio < self.at_least:
            return False
        if self.limit is not None and ours > self.limit:
            return False
        if self.least is not None and ours < self.least:
            return False
        return self.at_most is None or ratio <= self.at_most
