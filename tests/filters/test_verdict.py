"""Merging verdicts: the worst action speaks, everything else adds up."""

from hypothesis import given
from hypothesis import strategies as st

from filters.authentication.results import ArcResult, Outcome
from filters.verdict import ACCEPT, Action, Scored, Verdict, defer, merge, reject

verdicts = st.builds(
    Verdict,
    st.sampled_from(Action),
    st.lists(st.builds(Scored, st.just("A"), st.integers(-5, 5).map(float)), max_size=2).map(tuple),
    st.lists(st.sampled_from(["A", "B"]), max_size=2).map(tuple),
    st.just(()),
    st.frozensets(st.sampled_from(["x", "y", "z"])),
    st.lists(st.just(ArcResult(Outcome.NONE)), max_size=2).map(tuple),
    st.integers(400, 599),
)


def test_nothing_said_is_accepted() -> None:
    assert merge([]) is ACCEPT
    assert merge([ACCEPT, ACCEPT]) is ACCEPT


def test_the_worst_speaks_first_come_first() -> None:
    merged = merge(
        [defer("later"), reject("no"), reject("never"), Verdict(keywords=frozenset("k"))]
    )
    assert (merged.code, merged.text, merged.keywords) == (550, "no", frozenset("k"))
    assert merged.refused and not Verdict(Action.JUNK).refused


@given(st.lists(verdicts, min_size=1, max_size=5))
def test_merging_loses_nothing(told: list[Verdict]) -> None:
    merged = merge(told)
    assert merged.action == max(one.action for one in told)
    assert merged.score == sum(one.score for one in told)
    assert merged.keywords == frozenset().union(*(one.keywords for one in told))
    assert len(merged.results) == sum(len(one.results) for one in told)
    assert len(merged.symbols) == sum(len(one.symbols) for one in told)
    assert merged.code in {one.code for one in told if one.action == merged.action}
