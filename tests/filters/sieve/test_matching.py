"""Wildcards and expressions against Python's matcher, which gives the same by another way."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.sieve import glob
from filters.sieve.automaton import find, holds, program_of
from filters.sieve.comparators import ASCII_CASEMAP, ASCII_NUMERIC, OCTET, UNICODE_CASEMAP, numeric
from filters.sieve.glob import Glob
from filters.sieve.matching import originals
from filters.sieve.pattern import Pattern
from filters.sieve.pattern_syntax import read_pattern

PATTERNS = st.text("ab*?\\", max_size=10)
TEXTS = st.text("ab?*\\", max_size=10)


def lazy(pattern: str) -> re.Pattern[str]:
    source, chars = "", iter(pattern)
    for char in chars:
        if char == "\\":
            source += re.escape(next(chars, "\\"))
        else:
            source += {"*": "(.*?)", "?": "(.)"}.get(char, re.escape(char))
    return re.compile(source, re.DOTALL)


@settings(max_examples=250, deadline=None)
@given(PATTERNS, TEXTS)
def test_wildcards_take_as_little_as_they_can(pattern: str, text: str) -> None:
    wanted = lazy(pattern).fullmatch(text)
    found = Glob(pattern, str).match(text)
    assert found == (None if wanted is None else list(wanted.regs[1:]))


def test_long_texts_are_searched_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glob, "STRIDE", 10)
    for at in range(60):
        text = "a" * at + "bxc" + "a" * (60 - at)
        assert Glob("*b?c*", str).match(text) == [(0, at), (at + 1, at + 2), (at + 3, 63)]
        assert Glob("*b?d*", str).match(text) is None


ATOMS = st.sampled_from(
    ("a", "b", ".", "[ab]", "[^a]", "(a|b)", "(?:ab|a)", "(b)", "\\.", "^", "$")
)
REPEATS = st.sampled_from(("", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}"))
EXPRESSIONS = st.lists(st.tuples(ATOMS, REPEATS), min_size=1, max_size=6).map(
    lambda pairs: "".join(
        atom if atom in "^$" else f"({atom}{repeat})" if number == 2 else atom + repeat
        for number, (atom, repeat) in enumerate(pairs)
    )
)


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, st.text("ab.", max_size=9))
def test_the_automaton_finds_what_python_finds(expression: str, text: str) -> None:
    wanted = re.compile(expression.replace("$", r"\Z"), re.DOTALL).search(text)
    program = program_of(*read_pattern(expression), re.DOTALL)
    spans = None if wanted is None else list(wanted.regs)
    assert holds(program, text, lambda _: None) == (wanted is not None)
    assert find(program, text, lambda _: None) == spans
    assert Pattern(expression, OCTET).search(text, lambda _: None, capture=True) == spans


CLASSES = (
    ("[[:digit:]]+", "ab12c", (2, 4)),
    ("[^[:alpha:]-]", "ab-7", (3, 4)),
    ("[]a]+", "x]a", (1, 3)),
    ("[^]]", "]]b", (2, 3)),
    ("[a\\-c]+", "b-a", (1, 3)),
    ("[\\w.]+@", "--jo.e@x", (2, 7)),
    ("[a-c-]+", "xa-b", (1, 4)),
    ("GRÜ", "grü", None),
    ("\\d{2,3}", "a1234", (1, 4)),
    ("^$", "", (0, 0)),
    ("x|", "ax", (0, 0)),
)


@pytest.mark.parametrize(("expression", "text", "span"), CLASSES)
def test_lists_of_characters(expression: str, text: str, span: tuple[int, int] | None) -> None:
    found = Pattern(expression, ASCII_CASEMAP).search(text, lambda _: None, capture=True)
    assert (None if found is None else found[0]) == span
    program = program_of(*read_pattern(expression), re.DOTALL | re.IGNORECASE | re.ASCII)
    assert holds(program, text, lambda _: None) == (span is not None)


def test_case_of_all_scripts_is_folded_where_asked_for() -> None:
    found = Pattern("GRÜ", UNICODE_CASEMAP).search("x grün", lambda _: None, capture=True)
    assert found == [(2, 5)]


@given(st.text(max_size=30), st.text(max_size=30))
def test_long_texts_have_the_same_form(start: str, end: str) -> None:
    text = start + "\n" * 20_000 + end
    form = UNICODE_CASEMAP.form(text)
    assert form.startswith(UNICODE_CASEMAP.form(start))
    assert form.endswith(UNICODE_CASEMAP.form(end))


@pytest.mark.parametrize(
    ("text", "form"), [("007x", "7"), ("", ""), ("x1", ""), ("0", "0"), ("12", "12"), ("٣", "")]
)
def test_numbers(text: str, form: str) -> None:
    assert numeric(text) == form


def test_numbers_sort_by_their_value() -> None:
    texts = ["9", "10", "0008", "99999999999999999999", "none"]
    order = sorted(texts, key=lambda text: ASCII_NUMERIC.order(ASCII_NUMERIC.form(text)))
    assert order == ["0008", "9", "10", "99999999999999999999", "none"]


def test_spans_of_a_form_are_those_of_its_text() -> None:
    text = "xﬁy"
    form = UNICODE_CASEMAP.form(text)
    assert originals(text, form, [(1, 3), (3, 4)], UNICODE_CASEMAP) == [(1, 2), (2, 3)]
