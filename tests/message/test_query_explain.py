"""How a query is told as a tree: every condition with its place in the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.query import QueryError, parse_query, plain_words
from message.query_explain import Told, explain


def conditions(told: Told) -> list[Told]:
    if told.kind == "condition":
        return [told]
    return [one for part in told.parts for one in conditions(part)]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        pytest.param("hello", [("text", "hello", "hello")], id="word"),
        pytest.param(
            'from:ann  subject:"two words"',
            [("from", "ann", "from:ann"), ("subject", "two words", 'subject:"two words"')],
            id="operators",
        ),
        pytest.param(
            "is:unread has:attachment",
            [("is", "unread", "is:unread"), ("has", "attachment", "has:attachment")],
            id="states",
        ),
        pytest.param("newer_than:2h", [("newer_than", "2 hours", "newer_than:2h")], id="age"),
        pytest.param("older_than:1d", [("older_than", "1 day", "older_than:1d")], id="day"),
        pytest.param("larger:2k", [("larger", "2048", "larger:2k")], id="size"),
        pytest.param("in:anywhere", [("in", "anywhere", "in:anywhere")], id="anywhere"),
        pytest.param("before:2026/1/2", [("before", "2026-01-02", "before:2026/1/2")], id="before"),
        pytest.param("is:odd", [("text", "is:odd", "is:odd")], id="text"),
        pytest.param(
            "(a OR tag:b) -body:c",
            [("text", "a", "a"), ("tag", "b", "tag:b"), ("body", "c", "body:c")],
            id="groups",
        ),
    ],
)
def test_each_condition_has_its_place(written: str, told: list[tuple[str, str, str]]) -> None:
    found = conditions(explain(parse_query(written)))
    assert [(one.field, one.value, written[one.start : one.end]) for one in found] == told
    assert all(one.says for one in found)


def test_the_tree_is_that_of_the_query() -> None:
    told = explain(parse_query("a (b OR -c)")).members()
    assert told["kind"] == "all"
    first, either = told["parts"]
    assert first == {
        "kind": "condition",
        "field": "text",
        "value": "a",
        "says": "anything contains “a”",
        "start": 0,
        "end": 1,
    }
    assert [part["kind"] for part in either["parts"]] == ["condition", "not"]
    assert (either["parts"][1]["start"], either["parts"][1]["end"]) == (8, 10)
    assert explain(parse_query("")).members() == {"kind": "all", "start": 0, "end": 0, "parts": []}


@given(st.text(alphabet='ab:-(){}" ORNTis.', max_size=60))
def test_places_lie_in_the_text(written: str) -> None:
    try:
        query = parse_query(written)
    except QueryError:
        query = plain_words(written)
    for one in conditions(explain(query)):
        assert 0 <= one.start <= one.end <= len(written)
        assert one.field != "text" or one.value in written
