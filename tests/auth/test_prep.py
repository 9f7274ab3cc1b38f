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
    for query in (True, False):
        with pytest.raises(ValueError, match=r"allowed|directions"):
            prepared(text, query=query)


def test_young_letters_are_only_for_queries() -> None:
    """RFC 4013 §2.5."""
    assert prepared("\U0001f40e e\u0301", query=True) == "\U0001f40e \xe9"
    with pytest.raises(ValueError, match="does not know"):
        prepared("\U0001f40e")
