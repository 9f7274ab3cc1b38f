"""What standings say of a message, and what a message says for them."""

import pytest

from filters.spam.reputation import judge_standings, lesson, subjects
from storage.reputation import About, Standing, Subject

BANDS = ("0:a", "3:b", "6:c", "9:d")
Known = list[tuple[Subject, Standing]]


def said(*known: tuple[Subject, Standing]) -> dict[str, float]:
    return {one.name: round(one.factor, 2) for one in judge_standings(known)}


def test_a_claimed_name_has_a_standing_of_its_own() -> None:
    proved = subjects("ann@mail.sender.co.uk", True, "192.0.2.0/24", BANDS)
    claimed = subjects("ann@mail.sender.co.uk", False, "192.0.2.0/24", BANDS)
    assert proved[:3] == (
        (About.SENDER, "ann@mail.sender.co.uk"),
        (About.DOMAIN, "sender.co.uk"),
        (About.NETWORK, "192.0.2.0/24"),
    )
    assert set(proved) & set(claimed) == set(proved[2:])
    assert subjects("", False, "", ()) == ()


def test_a_standing_says_as_much_as_is_known() -> None:
    ann: Subject = (About.SENDER, "ann@sender.test")
    assert said((ann, Standing(0, 2))) == {}
    assert said((ann, Standing(0, 10))) == {"SENDER_REPUTATION_SPAM": 0.45}
    assert said((ann, Standing(0, 100))) == {"SENDER_REPUTATION_SPAM": 0.99}
    assert said((ann, Standing(100, 0))) == {"SENDER_REPUTATION_HAM": 0.99}
    assert said((ann, Standing(50, 50))) == {}
    # a good name that is only claimed says nothing
    assert said(((About.SENDER, "claimed:ann@sender.test"), Standing(100, 0))) == {}
    assert said(((About.NETWORK, "192.0.2.0/24"), Standing(2, 40)))["IP_REPUTATION_SPAM"] > 0.8
    assert "DOMAIN_REPUTATION_HAM" in said(((About.DOMAIN, "sender.test"), Standing(9, 0)))


def test_two_bands_have_to_agree_on_a_text() -> None:
    bad, none = Standing(0, 3), Standing()
    known: Known = [((About.BODY, band), none) for band in BANDS]
    known[0] = (known[0][0], bad)
    assert said(*known) == {}
    known[2] = (known[2][0], bad)
    assert said(*known) == {"FUZZY_SPAM": 0.75}
    good = [((About.BODY, band), Standing(6, 0)) for band in BANDS]
    assert said(*good) == {"FUZZY_HAM": 0.86}


@pytest.mark.parametrize(
    ("score", "counts"),
    [(20.0, (0.0, 1.0)), (6.0, (0.0, 0.5)), (3.0, (0.0, 0.0)), (0.5, (0.5, 0.0))],
)
def test_clear_cases_alone_count(score: float, counts: tuple[float, float]) -> None:
    assert lesson(score, 5.0, 15.0) == counts


def test_limits_that_are_off_count_nothing_bad() -> None:
    assert lesson(20.0, 0.0, 0.0) == (0.0, 0.0)
