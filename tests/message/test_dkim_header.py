"""Header canonicalisation and the choice of fields."""

import re

from hypothesis import given
from hypothesis import strategies as st

from message.dkim_header import Header, relaxed_form, without_b

VALUES = st.lists(
    st.sampled_from([b"\r\n ", b"\r\n\t", b" ", b"\t", b"x", b"y z", b"\v", b"\f", b"\xe4"])
).map(b"".join)


def test_the_standards_example() -> None:
    """RFC 6376 §3.4.5."""
    header = Header(b"A: X\r\nB : Y\t\r\n\tZ  \r\n")
    assert header.forms([0, 1], relaxed=True) == b"a:X\r\nb:Y Z\r\n"
    assert header.forms([0, 1], relaxed=False) == b"A: X\r\nB : Y\t\r\n\tZ  \r\n"


@given(VALUES)
def test_relaxed_values(value: bytes) -> None:
    """Only blanks and tabs are white space, whatever else bytes.split() takes for it."""
    plain = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" \t")
    assert relaxed_form(b"NaMe", value) == b"name:" + plain + b"\r\n"


def test_fields_are_chosen_from_the_bottom() -> None:
    """RFC 6376 §5.4.2; one mention more than there are fields stands for nothing."""
    header = Header(b"A: 1\r\nB: 2\r\na: 3\r\nA : 4\r\n")
    assert header.chosen([b"a", b"b", b"a", b"a", b"a", b"c", b"b"]) == [3, 1, 2, 0]
    assert header.chosen([b"a", b"a"], own=2) == [3, 0]


def test_a_header_without_its_last_line_end() -> None:
    assert Header(b"A: 1\r\nB: 2").forms([1, 0], relaxed=False) == b"B: 2\r\nA: 1\r\n"
    assert Header(b"A: 1\r\nB: 2").form(1, relaxed=True) == b"b:2\r\n"


def test_b_is_emptied_and_nothing_else() -> None:
    value = b" bh=b=c; x=b;\r\n\tb \r\n =\r\n abc\r\n def \r\n ; b2=y"
    assert without_b(value) == b" bh=b=c; x=b;\r\n\tb \r\n =; b2=y"
    assert without_b(b"b= abc=\r\n =") == b"b="
    assert without_b(b" a=1; b=\r\n x") == b" a=1; b="


def test_own_form_keeps_the_name_in_simple() -> None:
    header = Header(b"X: y\r\nDKIM-SIGNATURE : v=1;\r\n b=abc\r\n def\r\n")
    assert header.own_form(1, relaxed=False) == b"DKIM-SIGNATURE : v=1;\r\n b="
    assert header.own_form(1, relaxed=True) == b"dkim-signature:v=1; b="
