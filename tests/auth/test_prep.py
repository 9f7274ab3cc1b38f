"""SASLprep by the examples of RFC 4013 §3 and the rule for writing from right to left."""

import pytest

from auth.sasl.prep import prepared


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0627\u0628", "\u0627\u0628"),
        ("", ""),
    ],
)
def test_what_is_kept(text: str, form: str) -> None:
    assert prepared(text) == form


@pytest.mark.parametrize(
    "text", ["\u0007", "a\x7f", "\u0627\u0031", "\u0627a\u0628", "\ue000", "\ufffd", "\U000e0041"]
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|directions"):
        prepared(text)
