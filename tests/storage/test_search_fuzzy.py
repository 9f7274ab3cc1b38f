"""Words that are about the same: stems, typing errors, parts of words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from message.search_text import octets
from storage.search.fuzzy import FuzzyWord, distance
from storage.search.stem import stems
from storage.search.vocabulary import names

_WORDS = (
    "invoice invoices invoicing invioce envoice voice reinvoice Rechnung Rechnungen Rechnugn Haus"
    " Häuser the she organisation organization organisations orgnisaton cafe café pay payment"
)
_TERMS = b"\n" + b"\n".join(sorted(map(octets, _WORDS.split()))) + b"\n"


def scores(word: str) -> dict[bytes, int]:
    terms = names(_TERMS)
    return {terms[at]: score for at, score in FuzzyWord.of(octets(word)).scores(_TERMS).items()}


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("invoice", "invoice=100 invoices=90 invoicing=90 reinvoice=75 invioce=60 envoice=60"),
        ("invoicing", "invoicing=100 invoice=90 invoices=90"),
        ("rechnung", "Rechnung=100 Rechnungen=90 Rechnugn=60"),
        ("Haus", "Haus=100 Häuser=90"),
        ("organisation", "organisation=100 organisations=90 organization=60 orgnisaton=30"),
        ("organisaiton", "organisation=60 organization=30 organisations=30 orgnisaton=30"),
        ("cafe", "cafe=100 café=90"),
        ("she", "she=100"),
        ("pay", "pay=100 payment=90"),
    ],
)
def test_what_is_about_the_same(word: str, found: str) -> None:
    pairs = [pair.split("=") for pair in found.split()]
    assert scores(word) == {octets(name): int(score) for name, score in pairs}


@pytest.mark.parametrize(
    "alike",
    [
        "party parties",
        "stop stopped stopping stops",
        "happy happily happiness",
        "box boxes",
        "address addresses addressed",
        "organise organised organisation",
        "Zahlung Zahlungen",
        "Kind Kinder Kindern Kindes",
        "Straße Strassen",
    ],
)
def test_one_stem(alike: str) -> None:
    english, german = zip(*[stems(octets(word).decode()) for word in alike.split()], strict=True)
    assert len(set(english)) == 1 or len(set(german)) == 1


def _plain(left: str, right: str) -> int:
    if not left or not right:
        return len(left) + len(right)
    best = min(
        _plain(left[1:], right) + 1,
        _plain(left, right[1:]) + 1,
        _plain(left[1:], right[1:]) + (left[0] != right[0]),
    )
    if len(left) > 1 and len(right) > 1 and left[0] == right[1] and left[1] == right[0]:
        best = min(best, _plain(left[2:], right[2:]) + 1)
    return best


@settings(deadline=None)
@given(st.text("ab\u00e4", max_size=5), st.text("ab\u00e4", max_size=5))
def test_distance(left: str, right: str) -> None:
    exact = _plain(left, right)
    assert distance(left, right, 10) == exact
    assert (distance(left, right, 2) <= 2) is (exact <= 2)


@settings(deadline=None)
@given(st.text("abc", min_size=4, max_size=7), st.sets(st.text("abc", min_size=2, max_size=8)))
def test_every_word_with_one_error_is_found(word: str, others: set[str]) -> None:
    terms = sorted(map(octets, others))
    packed = b"\n" + b"\n".join(terms) + b"\n" if terms else b""
    found = {terms[at] for at in FuzzyWord.of(octets(word)).scores(packed)}
    assert found >= {octets(other) for other in others if _plain(word, other) <= 1}
