"""The classifier: learns from a handful of mails, unlearns exactly, explains, bears any bytes."""

import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.spam.features import features
from filters.spam.model import FEATURES, MOST, fit, fit_on, probability, step_at
from filters.spam.reading import read
from filters.spam.reasons import reasons
from filters.spam.weights import Weights

HAM = [
    ("Minutes of the meeting", "Here are the minutes of yesterday's meeting of the committee."),
    ("Re: your patch", "Thanks, the patch applies; the parser test still fails on my machine."),
    ("Lunch", "Shall we have lunch on Thursday? The new place by the station is good."),
    ("Invoice 2041", "Please find attached the invoice for the consulting hours of May."),
]
SPAM = [
    ("Cheap pills!!!", "Buy cheap pills online, no prescription, click http://pills.example/buy"),
    ("You won $1,000,000", "Dear winner, claim your million dollars: http://win.example/claim"),
    ("Refinance your mortgage", "Lowest mortgage rates guaranteed! Click http://loans.example/go"),
    ("Lose weight fast", "Miracle pills, lose 30 pounds, guaranteed! http://pills.example/fat"),
]


def mail(subject: str, text: str) -> bytes:
    head = f"From: someone@mail.example\r\nTo: you@mail.example\r\nSubject: {subject}\r\n\r\n"
    return (head + text + "\r\n").encode()


def cut(subject: str, text: str) -> "array[int]":
    return features(read(mail(subject, text)))


LESSONS = [(cut(*one), False) for one in HAM] + [(cut(*one), True) for one in SPAM]


def margin(features: "array[int]", *models: Weights) -> float:
    return sum(one.margin(features) for one in models)


def step(features: "array[int]", spam: bool, *models: Weights) -> int:
    """What learning a message adds after those models."""
    return step_at(len(features), margin(features, *models), spam)


def add(model: Weights, features: "array[int]", spam: bool, by: int) -> None:
    model.add(features, by if spam else -by)


def taught() -> tuple[Weights, list[int]]:
    """A model that learned LESSONS one by one, and the steps it took."""
    model = Weights()
    steps = []
    for found, spam in LESSONS:
        steps.append(step(found, spam, model))
        add(model, found, spam, steps[-1])
    return model, steps


def test_it_learns_from_a_handful_of_mails() -> None:
    rows, _ = taught()
    spam = cut("Cheap mortgage pills", "Click http://pills.example/now, guaranteed!")
    ham = cut("Re: minutes", "The minutes of the committee meeting are fine, thanks.")
    assert probability(margin(spam, rows)) > 0.8
    assert probability(margin(ham, rows)) < 0.3
    nothing = array("I")
    assert probability(margin(spam, Weights())) == probability(margin(nothing, rows)) == 0.5


def test_many_mails_are_fitted_together() -> None:
    rows = Weights()
    for (found, spam), by in zip(LESSONS, fit(LESSONS), strict=True):
        add(rows, found, spam, by)
    assert all((margin(found, rows) > 1) is spam for found, spam in LESSONS)
    assert fit(LESSONS) == fit(LESSONS)
    known = [margin(found, rows) for found, _ in LESSONS]
    assert sum(fit_on(LESSONS, known)) < sum(fit(LESSONS)) / 2


def test_unlearning_is_exact_in_any_order() -> None:
    rows, steps = taught()
    before = rows.sums[:]
    late = cut("Viagra", "Cheap viagra, click here"), True
    by = step(*late, rows)
    assert by > 0
    add(rows, *late, by)
    assert rows.sums != before
    add(rows, *late, -by)
    assert rows.sums == before
    order = list(zip(LESSONS, steps, strict=True))
    random.Random(1).shuffle(order)
    for (found, spam), taken in order:
        add(rows, found, spam, -taken)
    assert not any(rows.sums)


def test_what_is_known_takes_no_step() -> None:
    rows, steps = taught()
    found, spam = LESSONS[0]
    add(rows, found, spam, step(found, spam, rows))
    assert step(found, spam, rows) < steps[0] / 10


def test_an_account_differs_from_its_site() -> None:
    site, _ = taught()
    found = cut("Lose weight fast", "Miracle pills: our gym's newsletter, http://gym.example/")
    assert margin(found, site) > 1
    own = Weights()
    add(own, found, False, step(found, False, site, own))
    assert margin(found, site, own) < -1
    assert margin(found, site) > 1
    pills = LESSONS[4][0]
    assert margin(pills, site, own) > 1


def test_one_message_moves_little() -> None:
    """However often one account calls spam what is none, each time it is MOST at the most."""
    rows, _ = taught()
    found = LESSONS[0][0]
    before = margin(found, rows)
    add(rows, found, True, step(found, True, rows))
    assert before < margin(found, rows) <= before + MOST + 0.1


def test_reasons_add_up_to_the_margin() -> None:
    rows, _ = taught()
    reading = read(mail("Cheap pills!!!", "Buy cheap pills, no prescription"))
    found = reasons(reading, rows)
    assert sum(one.weight for one in found) == pytest.approx(
        margin(features(reading), rows), abs=0.01 * len(found)
    )
    strongest = [one.text for one in found if one.weight > 0]
    assert {"word:cheap", "word:prescription"} <= set(strongest[:8])
    assert abs(found[0].weight) >= abs(found[-1].weight)


def test_features_stay_what_they_are() -> None:
    """What is stored is found again: a change of features needs the models to be learned anew."""
    found = features(read(mail("Grüße", "Hello there, http://a.example/b")))
    assert len(found) == 72
    assert sum(found) == 36_485_779


@given(st.binary(max_size=2000), st.lists(st.sampled_from(HAM + SPAM), max_size=3))
def test_any_bytes_have_features(data: bytes, around: list[tuple[str, str]]) -> None:
    reading = read(b"".join([mail(*one)[:-30] for one in around]) + data)
    found = features(reading)
    assert len(found) == len(set(found))
    assert all(feature < FEATURES for feature in found)
    rows = Weights()
    add(rows, found, True, step(found, True, rows))
    reasons(reading, rows)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "data",
    [
        b"From: " + b"a" * 400_000 + b"@\r\n\r\n",
        b"".join(b"X-%d: y\r\n" % n for n in range(40_000)) + b"\r\n",
        b"Received: " + b"from from " * 40_000 + b"\r\n\r\n",
        b"Date: " + b"(" * 400_000 + b"\r\n\r\n",
        b"\r\n" + b"x" * 2_000_000,
        b"\r\n" + b" " * 2_000_000,
        b"\r\n" + b"http://a:b@" * 100_000,
        b"Content-Type: text/html\r\n\r\n" + b"<a href='http://x" * 60_000,
    ],
    ids=["address", "fields", "received", "date", "word", "blanks", "links", "open links"],
)
def test_hostile_mail_has_few_features(data: bytes) -> None:
    assert len(features(read(data))) < 12_000
