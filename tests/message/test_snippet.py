"""Snippets: what matches is marked, and nothing else is markup."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.casemap import casemap
from message.search_terms import search_terms
from message.snippet import MAX_PREVIEW, marked, preview, snippet


@pytest.mark.parametrize(
    ("text", "terms", "wanted"),
    [
        pytest.param("Foo bar", ("foo",), "<mark>Foo</mark> bar", id="case"),
        pytest.param("a <b> & c", ("b",), "a &lt;<mark>b</mark>&gt; &amp; c", id="escaped"),
        pytest.param("Über ÜBER", ("über",), "<mark>Über</mark> <mark>ÜBER</mark>", id="umlaut"),
        pytest.param("ﬁne", ("fi",), "<mark>ﬁ</mark>ne", id="ligature"),
        pytest.param("abcdef", ("abc", "bcd"), "<mark>abcd</mark>ef", id="overlap"),
        pytest.param("a<mark>", ("<mark>",), "a<mark>&lt;mark&gt;</mark>", id="mark"),
        pytest.param("nothing", ("x",), None, id="none"),
        pytest.param("nothing", ("",), None, id="empty"),
    ],
)
def test_matches_are_marked(text: str, terms: tuple[str, ...], wanted: str | None) -> None:
    assert marked(text, terms) == wanted


_TEXT = st.text("abü<&\" 'é", max_size=400)


@given(_TEXT, st.lists(st.text("abü<&", min_size=1, max_size=3), max_size=3))
def test_a_preview_is_a_part_of_the_text(text: str, terms: list[str]) -> None:
    found = preview(text, tuple(terms))
    if found is None:
        assert not any(casemap(term) in casemap(text) for term in terms)
        return
    assert len(found.encode()) <= MAX_PREVIEW
    bare = re.sub("</?mark>", "", found)
    assert "<" not in bare and ">" not in bare
    assert re.fullmatch("(?:[^<]|<mark>[^<]+</mark>)*", found)
    assert unescape(bare) in text


def test_a_preview_begins_near_the_match() -> None:
    found = preview("word " * 200 + "needle " + "after " * 200, ("needle",))
    assert found is not None
    assert found.startswith("word ") and "<mark>needle</mark> after" in found
    assert 200 < len(found) <= MAX_PREVIEW


def test_html_is_read_as_text() -> None:
    data = (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= & more\r\nContent-Type: text/html; charset=utf-8\r\n"
        b"\r\n<style>b{}</style><p>One &lt;tag&gt;,<br>two  words</p>\r\n"
    )
    found = snippet(data, ("grü",), ("tag>", "two words"))
    assert found.subject == "<mark>Grü</mark>ße &amp; more"
    assert found.preview == "One &lt;<mark>tag&gt;</mark>, <mark>two words</mark>"
    assert snippet(data, (), ("style",)) == (None, None)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        pytest.param("two  words", ["two", "words"], id="words"),
        pytest.param('a "b c" d', ["a", "b c", "d"], id="phrase"),
        pytest.param("'b c'", ["b c"], id="single"),
        pytest.param("don't 'tis", ["don't", "'tis"], id="apostrophe"),
        pytest.param(r'"a \"b\" \\ c"', [r'a "b" \ c'], id="escaped"),
        pytest.param('say "half', ["say", '"half'], id="open"),
        pytest.param(" \"\" '' ", [], id="empty"),
    ],
)
def test_a_text_is_terms_and_phrases(text: str, terms: list[str]) -> None:
    assert search_terms(text) == terms


@given(st.text(max_size=50))
def test_any_text_gives_terms(text: str) -> None:
    assert all(search_terms(text))
