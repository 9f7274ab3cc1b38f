"""Rates of errors and their ranges."""

import pytest

from filters.spam.grading import Rate, Tally


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # by R's binom.confint(method = "wilson")
    [
        (0, 10, 0.0, 0.27754),
        (1, 10, 0.01788, 0.40415),
        (5, 10, 0.23659, 0.76341),
        (10, 10, 0.72246, 1.0),
        (2, 1245, 0.00044, 0.00584),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson(hits: int, of: int, low: float, high: float) -> None:
    found = Rate(hits, of).range
    assert found[0] == pytest.approx(low, abs=1e-5)
    assert found[1] == pytest.approx(high, abs=1e-5)


def test_a_tally_tells_both_errors_apart() -> None:
    tally = Tally()
    for is_spam, judged in (
        (True, True),
        (True, False),
        (False, False),
        (False, True),
        (True, True),
    ):
        tally.add(is_spam, judged)
    assert (tally.false_negatives, tally.false_positives) == (Rate(1, 3), Rate(1, 2))
    assert Rate(0, 0).share is None
    assert Rate(1, 4).share == 0.25
