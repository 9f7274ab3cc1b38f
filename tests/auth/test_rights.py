"""Rights as values: their order, the virtual ones of RFC 2086, and what is no right."""

import pytest

from auth.rights import ALL, Rights, rights_of, shown, united, without


def test_the_virtual_rights_are_read_as_their_members() -> None:
    assert rights_of("lrswida") == "lrswitea"
    assert rights_of("cda") == "kxtea"
    assert rights_of("dted") == "te"
    assert rights_of("aewsrl") == "lrswea"


@pytest.mark.parametrize(
    ("rights", "written"),
    [("lrswitea", "lrswitead"), ("lrswikea", "lrswikeacd"), ("lrs", "lrs"), ("x", "xc"), ("", "")],
)
def test_a_member_brings_its_virtual_right(rights: str, written: str) -> None:
    assert shown(Rights(rights)) == written


@pytest.mark.parametrize("letters", ["lrQ", "q", "0", "l r", "é"])
def test_what_is_no_right_is_refused(letters: str) -> None:
    with pytest.raises(ValueError, match="no such right"):
        rights_of(letters)


def test_union_and_difference_keep_the_order() -> None:
    assert united(Rights("ra"), Rights("ls")) == "lrsa"
    assert without(ALL, Rights("te")) == "lrswipkxa"
