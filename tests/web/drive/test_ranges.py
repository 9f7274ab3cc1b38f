"""Range and the conditions (RFC 9110 §13, §14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.drive.ranges import Span, Unsatisfiable, if_range, is_changed, is_unchanged, spans_of


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        (None, []),
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-499", [(0, 100)]),
        ("Bytes = 90-", [(90, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=0-9,20-29, -1", [(0, 10), (20, 30), (99, 100)]),
        ("bytes=50-59,0-9", [(50, 60), (0, 10)]),
        ("bytes=0-1,,200-300", [(0, 2)]),
        ("items=0-1", []),
        ("bytes=9-3", []),
        ("bytes=-", []),
        ("bytes=a-b", []),
        ("bytes=", []),
        ("bytes=0-1;2-3", []),
        ("bytes=1234567890123456789-", []),
    ],
)
def test_ranges(header: str | None, spans: list[tuple[int, int]]) -> None:
    assert [(one.start, one.end) for one in spans_of(header, 100)] == spans


@pytest.mark.parametrize(
    "header",
    [
        "bytes=100-",
        "bytes=-0",
        "bytes=200-300,400-500",
        "bytes=0-10,5-20",
        "bytes=0-,0-",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 18, 2)),
    ],
)
def test_what_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        spans_of(header, 100)


def test_nothing_of_nothing() -> None:
    with pytest.raises(Unsatisfiable):
        spans_of("bytes=0-", 0)


@given(st.text("bytes=0123456789-, ", max_size=60), st.integers(0, 1000))
def test_any_header_gives_octets_that_there_are(header: str, size: int) -> None:
    try:
        found = spans_of("bytes=" + header, size)
    except Unsatisfiable:
        return
    assert all(0 <= one.start < one.end <= size for one in found)
    assert sum(one.length for one in found) <= size
    assert all(isinstance(one, Span) for one in found)


TAG, AT = '"abc"', 1_795_000_000.5
DATE, LATER = "Wed, 18 Nov 2026 11:06:40 GMT", "Thu, 19 Nov 2026 11:06:40 GMT"
BEFORE = "Tue, 17 Nov 2026 11:06:40 GMT"


def test_if_range_takes_what_is_exact() -> None:
    assert if_range(None, TAG, AT)
    assert if_range(TAG, TAG, AT)
    assert not if_range('W/"abc"', TAG, AT)
    assert not if_range('"abe"', TAG, AT)
    assert if_range(DATE, TAG, AT)
    assert not if_range(LATER, TAG, AT)
    assert not if_range("nonsense", TAG, AT)


def test_who_has_it_is_told_so() -> None:
    assert is_unchanged('"x", W/"abc"', None, TAG, AT)
    assert is_unchanged("*", None, TAG, AT)
    assert not is_unchanged('"x"', LATER, TAG, AT)
    assert is_unchanged(None, DATE, TAG, AT)
    assert not is_unchanged(None, BEFORE, TAG, AT)
    assert not is_unchanged(None, "nonsense", TAG, AT)


def test_who_wants_another_is_told_so() -> None:
    assert not is_changed(None, None, TAG, AT)
    assert not is_changed('"x", "abc"', None, TAG, AT)
    assert not is_changed("*", None, TAG, AT)
    assert is_changed('W/"abc"', None, TAG, AT)
    assert is_changed(None, BEFORE, TAG, AT)
    assert not is_changed(None, DATE, TAG, AT)
