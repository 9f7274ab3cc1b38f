"""Texts that are nearly the same have nearly the same sketch; who sent them counts."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from filters.spam.fuzzy import MANY, WINDOW, Bulk, sketch

WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in "bdfglmnprst"]


def text(seed: int, words: int = 120) -> str:
    chooser = random.Random(seed)
    return " ".join(chooser.choice(WORDS) for _ in range(words))


def agreement(one: str, other: str) -> int:
    return sum(a == b for a, b in zip(sketch(one), sketch(other), strict=True))


def test_names_numbers_and_links_make_no_difference() -> None:
    agreed = 0
    for seed in range(100):
        base = text(seed)
        mine = f"Dear Ann,\n{base}\nhttp://a.test/x?id=1 order 77123 ann@home.test"
        yours = f"Dear Benedict,\n{base}\nhttp://b.test/y?id=2 order 99 ben@home.test"
        agreed += agreement(mine, yours) >= 2
    assert agreed > 90


def test_other_texts_do_not_agree() -> None:
    agreed = [agreement(text(seed), text(seed + 1000)) for seed in range(200)]
    assert max(agreed) == 0
    halves = [
        agreement(
            text(seed, 60) + " " + text(seed + 1, 60), text(seed, 60) + " " + text(seed + 2, 60)
        )
        for seed in range(200)
    ]
    assert sum(one >= 2 for one in halves) < 40


def test_short_texts_have_none() -> None:
    assert sketch("Meet me at noon, please.") == ()


@settings(deadline=None)
@given(st.text(max_size=3000))
def test_any_text(source: str) -> None:
    assert sketch(source) == sketch(source)
    assert len(sketch(source)) in (0, 4)


def test_networks_are_counted_for_a_day() -> None:
    bulk, bands = Bulk(), sketch(text(1))
    assert [bulk.networks(bands, "a", 0.0), bulk.networks(bands, "a", 1.0)] == [1, 1]
    assert bulk.networks(bands, "b", 2.0) == 2
    assert bulk.networks(sketch(text(2)), "c", 2.0) == 1
    assert bulk.networks(bands, "c", WINDOW + 1.5) == 2
    for number in range(500):
        count = bulk.networks(bands, f"n{number}", WINDOW + 2.0)
    assert MANY < count <= 40
    assert bulk.networks((), "a", 0.0) == 0
