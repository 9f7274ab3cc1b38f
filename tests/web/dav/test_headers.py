"""Depth, Overwrite, Destination, entity tags and If as requests bring them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.dav.errors import DavError
from web.dav.headers import (
    Condition,
    Depth,
    IfList,
    Tags,
    depth_of,
    destination_of,
    holds,
    overwrites,
    parse_if,
    tags_of,
)


def test_depth() -> None:
    assert depth_of(None, Depth.INFINITY) is Depth.INFINITY
    assert [depth_of(one, Depth.ZERO).value for one in ("0", " 1", "Infinity")] == [
        "0",
        "1",
        "infinity",
    ]
    with pytest.raises(DavError):
        depth_of("2", Depth.ZERO)


def test_overwrite() -> None:
    assert overwrites(None) and overwrites("t") and not overwrites("F")
    with pytest.raises(DavError):
        overwrites("yes")


def test_destination() -> None:
    assert destination_of("/dav/books/A1/b/c.vcf", "x.test") == "/dav/books/A1/b/c.vcf"
    assert destination_of("https://X.test/a%20b", "x.test") == "/a%20b"
    assert destination_of("https://x.test:443/a", "x.test") == "/a"
    assert destination_of("http://x.test/a", "x.test:80") == "/a"
    elsewhere = (
        "https://y.test/a",
        "https://x.test:8443/a",
        "https://x.test:80/a",
        "//x.test:80/a",
    )
    wrong = ((None, 400), ("http://[x/", 400), *((one, 502) for one in elsewhere))
    for value, status in wrong:
        with pytest.raises(DavError) as refused:
            destination_of(value, "x.test")
        assert refused.value.status == status


def test_entity_tags() -> None:
    assert tags_of([]) is None
    assert tags_of(["*"]) == Tags(any=True)
    assert tags_of(['"a", W/"b"', '"c,d"']) == Tags(
        tags=((False, "a"), (True, "b"), (False, "c,d"))
    )
    for bad in ("abc", '"a" "b"', '"a', '*, "a"', '"' + "a" * 9000 + '"'):
        with pytest.raises(DavError):
            tags_of([bad])


def test_entity_tags_compare_strongly_and_weakly() -> None:
    tags = tags_of(['W/"a", "b"'])
    assert tags is not None
    assert not tags.has(("a",), weakly=False) and tags.has(("a",), weakly=True)
    assert tags.has(("b",), weakly=False) and tags.has(("c", "b"), weakly=False)
    assert not tags.has((), weakly=True) and not Tags(any=True).has((), weakly=False)


def test_if_names_a_bounded_number_of_resources() -> None:
    lists = [f'</{number}> (["a"])' for number in range(33)]
    assert len(parse_if(" ".join(lists[1:] * 2))) == 64
    with pytest.raises(DavError) as refused:
        parse_if(" ".join(lists))
    assert refused.value.status == 400


def test_if_lists() -> None:
    assert parse_if(None) == ()
    assert parse_if('(["a"] <urn:t>) (Not ["b"])') == (
        IfList("", (Condition(etag="a"), Condition(token="urn:t"))),
        IfList("", (Condition(etag="b", negated=True),)),
    )
    assert parse_if('</x> (["a"]) (<urn:t>) <http://h/y> ([W/"c"])') == (
        IfList("/x", (Condition(etag="a"),)),
        IfList("/x", (Condition(token="urn:t"),)),
        IfList("http://h/y", (Condition(),)),
    )


@pytest.mark.parametrize(
    "value",
    ["", "()", "(", '["a"]', "(Not)", '(["a"]) Not', "</x>", "(<a b>)", "((<a>))", "x" * 9000],
    ids=["empty", "none", "open", "bare", "not", "after", "tag", "space", "nested", "long"],
)
def test_what_is_no_if(value: str) -> None:
    with pytest.raises(DavError) as refused:
        parse_if(value)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("value", "held"),
    [
        pytest.param('(["now"])', True, id="etag"),
        pytest.param('(["old"])', False, id="other-etag"),
        pytest.param('(["old"]) (["now"])', True, id="either"),
        pytest.param('(["now"] <data:,1>)', True, id="both"),
        pytest.param('(["now"] <urn:lock>)', False, id="a-lock"),
        pytest.param('(["now"] Not <urn:lock>)', True, id="no-lock"),
        pytest.param('([W/"now"])', False, id="weak"),
        pytest.param('</gone> (["now"])', False, id="elsewhere"),
        pytest.param('</gone> (Not ["now"])', True, id="not-elsewhere"),
    ],
)
def test_if_holds(value: str, held: bool) -> None:
    states: dict[str, tuple[str | None, str]] = {"": ("now", "data:,1"), "/gone": (None, "")}
    assert holds(parse_if(value), states.__getitem__) is held


@given(st.text(st.sampled_from('()<>[]"W/Not *,a '), max_size=60))
def test_any_header_is_parsed_or_refused(value: str) -> None:
    for parse in (parse_if, lambda text: tags_of([text])):
        try:
            parse(value)
        except DavError as error:
            assert error.status == 400
