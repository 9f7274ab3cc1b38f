"""LDAP filters: what is read, what is refused, and that names are values whatever is in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.ldap_filter import (
    Compared,
    Extensible,
    Not,
    Present,
    Several,
    Substrings,
    Value,
    parse_filter,
)

NAMES = {"u": "ada@example.test", "n": "ada", "d": "example.test"}


def test_filters_of_every_kind() -> None:
    assert parse_filter("(&(objectClass=*)(!(cn~=x))(|(a>=1)(b<=2)))") == Several(
        True,
        (
            Present("objectClass"),
            Not(Compared("cn", "~=", Value("x"))),
            Several(False, (Compared("a", ">=", Value("1")), Compared("b", "<=", Value("2")))),
        ),
    )
    pieces = (Value("%n"), Value("x"), Value(""))
    assert parse_filter("mail=%n*x*") == Substrings("mail", pieces)
    assert parse_filter("(uid:1.2.840.113556.1.4.803:=2)") == Extensible(
        "uid", "1.2.840.113556.1.4.803", False, Value("2")
    )
    assert parse_filter("(cn:dn:caseExactMatch:=x)") == Extensible(
        "cn", "caseExactMatch", True, Value("x")
    )
    assert parse_filter("(:dn:2.5.13.5:=x)") == Extensible("", "2.5.13.5", True, Value("x"))
    assert parse_filter("(cn:=x)") == Extensible("cn", "", False, Value("x"))
    assert parse_filter("(1.2.3;lang-de=%u)") == Compared("1.2.3;lang-de", "=", Value("%u"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("(", id="open"),
        pytest.param("(&)", id="no-parts"),
        pytest.param("(mail=a)(mail=b)", id="two"),
        pytest.param("(=x)", id="no-attribute"),
        pytest.param("(ma il=x)", id="space"),
        pytest.param("(mail=a**b)", id="stars"),
        pytest.param("(mail>=*)", id="star-after-relation"),
        pytest.param(r"(mail=\4)", id="half-escape"),
        pytest.param("(mail=%x)", id="unknown-placeholder"),
        pytest.param("(%n=x)", id="placeholder-as-attribute"),
        pytest.param("(mail=\0)", id="nul"),
        pytest.param("(" + "!(" * 30 + "a=b" + ")" * 31, id="deep"),
        pytest.param("(mail=" + "x" * 3000 + ")", id="long"),
    ],
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(ValueError, match="an LDAP filter"):
        parse_filter(text)


def test_names_and_escapes_are_filled_in() -> None:
    found = parse_filter(r"(mail=\2a%u\c3\a4%n%%%dß)")
    assert isinstance(found, Compared)
    assert found.value.filled(NAMES) == b"*ada@example.test\xc3\xa4ada%example.test\xc3\x9f"


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_a_name_stays_one_value(name: str) -> None:
    found = parse_filter("(|(mail=%u)(uid=%n))")
    assert isinstance(found, Several)
    values = [part.value for part in found.parts if isinstance(part, Compared)]
    names = {"u": name, "n": name, "d": ""}
    assert [value.filled(names) for value in values] == [name.encode()] * 2


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_an_error(text: str) -> None:
    try:
        parse_filter(text)
    except ValueError as error:
        assert "an LDAP filter" in str(error)
