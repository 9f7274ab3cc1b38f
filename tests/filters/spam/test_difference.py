"""Which symbols make a verdict: the smallest sets whose absence changes it."""

from hypothesis import given
from hypothesis import strategies as st

from filters.spam.difference import differences, smallest_sets
from filters.spam.result import SpamResult
from filters.verdict import Scored


def found(**weights: float) -> tuple[Scored, ...]:
    return tuple(Scored(name, weight) for name, weight in weights.items())


def test_one_symbol_is_enough() -> None:
    scored = (Scored("PHISHING", 3.0, "a leads to b"), Scored("CAPS", 2.5), Scored("GOOD", -0.2))
    said = differences(SpamResult(scored), [("Junk", 5.0), ("refusal", 15.0)])
    assert said == (
        "Without CAPS (2.5) its score would be 2.8, below 5 for Junk.",
        "Without PHISHING (3: a leads to b) its score would be 2.3, below 5 for Junk.",
        "For refusal, from 15 on, 9.7 more was needed.",
    )


def test_small_sets_come_first_and_none_holds_another() -> None:
    sets = smallest_sets(found(A=6.0, B=3.0, C=2.0, D=1.0), 7.0)
    assert [[one.name for one in each] for each in sets] == [["A"], ["B", "C", "D"]]


def test_many_small_ones_and_none_at_all() -> None:
    many = found(**{f"S{n}": 1.0 for n in range(10)})
    (only,) = smallest_sets(many, 5.0)
    assert len(only) == 6
    assert differences(SpamResult(found(A=1.0)), [("Junk", 0.0)]) == ()
    assert (
        "Nothing that weighs much"
        in differences(SpamResult(found(**{f"S{n}": 1.0 for n in range(40)})), [("Junk", 5.0)])[0]
    )


@given(st.lists(st.floats(-5, 10).map(lambda n: round(n, 1)), max_size=30), st.floats(0.1, 20))
def test_what_is_said_is_true(weights: list[float], limit: float) -> None:
    scored = tuple(Scored(f"S{n}", weight) for n, weight in enumerate(weights))
    total = sum(weights)
    if total < limit:
        return
    for one in smallest_sets(scored, limit):
        left = total - sum(each.weight for each in one)
        assert left < limit
        assert all(left + each.weight >= limit - 1e-6 for each in one)
