"""i;unicode-casemap: what compares alike, and that the few letters apart are all of them."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message import casemap as module
from message.casemap import casemap


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Invoice", "INVOICE"),
        ("Übergröße", "übergröße"),
        ("ÅNGSTRÖM", "a\u030angstro\u0308m"),
        ("ΟΔΟΣ", "οδος"),
        ("ſ", "S"),
        ("ǆ", "ǅ"),
        ("ﬁsh", "FISH"),
        ("x²", "X2"),
        ("ｆｕｌｌ", "full"),
        ("ΑΙ", "ᾳ"),
    ],
)
def test_equal_without_case(left: str, right: str) -> None:
    assert casemap(left) == casemap(right)


@pytest.mark.parametrize(("left", "right"), [("ß", "ss"), ("é", "e"), ("ø", "o")])
def test_not_equal(left: str, right: str) -> None:
    """Simple mappings only; an accent is a mark behind its letter."""
    assert casemap(left) != casemap(right)


def test_a_letter_is_found_under_its_accent() -> None:
    assert casemap("cafe") in casemap("Café")


def test_the_blocks_hold_every_letter_whose_title_case_differs() -> None:
    every = {char for char in map(chr, range(sys.maxunicode + 1)) if char.upper() != _title(char)}
    assert every == set(module._OTHER)


def _title(char: str) -> str:
    return module._title(char)


@given(st.text())
def test_any_text_has_one_form(text: str) -> None:
    form = casemap(text)
    assert casemap(form) == form
