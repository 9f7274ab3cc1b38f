"""Threads kept while messages arrive are those that all of them make at once."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.pieces import Pieces, finish
from message.threads import Forest, Keys, written
from message.threads_kept import REFERENCES, REFS, Algorithm, KeptThreads

Mail = tuple[int, tuple[int, ...], str, bool, float]
_MAIL = st.tuples(
    st.integers(-1, 12),
    st.lists(st.integers(0, 12), max_size=4).map(tuple),
    st.sampled_from(["", "a", "b", "c", "d", "e"]),
    st.booleans(),
    st.integers(0, 6).map(float),
)


def keys_of(mails: list[Mail]) -> Keys:
    return Keys(
        [mail[4] for mail in mails],
        [mail[2] for mail in mails],
        [mail[3] for mail in mails],
        [mail[0] for mail in mails],
        [mail[1] for mail in mails],
    )


def at_once(algorithm: Algorithm, keys: Keys, numbers: range) -> bytes:
    forest = finish(algorithm.grow(range(len(numbers)), keys))
    return finish(written(forest, numbers))


@pytest.mark.parametrize("algorithm", [REFERENCES, REFS], ids=["REFERENCES", "REFS"])
@given(st.lists(_MAIL, max_size=40), st.lists(st.integers(1, 40), max_size=8))
def test_whatever_comes_in_whatever_pieces(
    algorithm: Algorithm, mails: list[Mail], counts: list[int]
) -> None:
    kept = KeptThreads(algorithm)
    for count in [*sorted({min(count, len(mails)) for count in counts}), len(mails)]:
        keys, numbers = keys_of(mails[:count]), range(101, 101 + count)
        assert finish(kept.take(count, keys, numbers)) == at_once(algorithm, keys, numbers)
        assert kept.count == count


def test_only_the_family_of_what_came_is_worked_out_again() -> None:
    asked: list[list[int]] = []

    def grow(messages: Sequence[int], keys: Keys) -> Pieces[Forest]:
        asked.append(list(messages))
        return REFERENCES.grow(messages, keys)

    mails: list[Mail] = [(1, (), "a", False, 1), (2, (), "b", False, 2), (3, (1,), "", True, 3)]
    late: list[Mail] = [(4, (2,), "c", True, 4), (5, (), "a", True, 5), (6, (), "", False, 6)]
    kept = KeptThreads(Algorithm(grow, by_subject=True, by_newest=False))
    for count in (3, 4, 5, 6):
        finish(kept.take(count, keys_of([*mails, *late]), range(1, 7)))
    assert asked == [[0, 1, 2], [1, 3], [0, 2, 4], [5]]
