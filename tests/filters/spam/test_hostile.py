"""Mail made to stall the filter: work grows with its size and no faster, and stays within bounds.

Work is counted in executed lines of the filter's own files, not in time: machines differ.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.spam.judging import MAX_READ, Job, judge
from filters.spam.targets import MAX_LINKS
from tests.support.spam_cases import BASE, TRANSIT, html, message, mixed

Make = Callable[[int], bytes]
MOULDS: dict[str, Make] = {
    "tags": lambda n: html("<div>" * n),
    "open tags": lambda n: html("<" * n),
    "attributes": lambda n: html("<a " + "x=y " * n + ">"),
    "quotes": lambda n: html('<a href="' * n),
    "comments": lambda n: html("a<!--" * n),
    "references": lambda n: html("&#112;" * n),
    "styles": lambda n: html("<p style='font-size:0'>x" * n),
    "links": lambda n: html(
        "".join(f'<a href="http://h{i}.test/">h{i}.test</a>' for i in range(n))
    ),
    "one long link": lambda n: html(f'<a href="http://{"a." * n}test/">x</a>'),
    "plain links": lambda n: message("http://a.test/ " * n),
    "dots": lambda n: message("a." * n + "com"),
    "at signs": lambda n: message("a@" * n),
    "letters": lambda n: message("\u0430a" * n),
    "capitals": lambda n: message("A" * n),
    "numbers": lambda n: message("1,000" * n),
    "coins": lambda n: message("1" + "B" * n),
    "lures": lambda n: message("verify your account http://a.test/ " * n),
    "words of lures": lambda n: message("account a b c d e " * n + "verify http://a.test/"),
    "parts": lambda n: mixed(*["\nx"] * n),
    "nested parts": lambda n: message(
        "".join(
            f'--b{i}\nContent-Type: multipart/mixed; boundary="b{i + 1}"\n\n' for i in range(n)
        ),
        Content_Type='multipart/mixed; boundary="b0"',
    ),
    "fields": lambda n: message(extra=b"".join(b"X-%d: y\n" % i for i in range(n))),
    "broken fields": lambda n: message(extra=b"no field\n" * n),
    "folds": lambda n: message(extra=b"X-A: b\n" + b" c\n" * n),
    "addresses": lambda n: message(To="a@b.test, " * n),
    "groups": lambda n: message(To="g:" * n),
    "subject": lambda n: message(Subject="=?utf-8?Q?a?= " * n),
    "received": lambda n: message(extra=b"Received: from a by b\n" * n),
    "names": lambda n: mixed(
        "Content-Type: application/zip\n"
        f'Content-Disposition: attachment; filename="{"a." * n}"\n\nx'
    ),
}


class Counter:
    """Lines of the filter's files that are executed."""

    def __init__(self) -> None:
        self.lines = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> "Counter | None":
        if "/spam/" not in frame.f_code.co_filename:
            return None
        self.lines += event == "line"
        return self


def work(data: bytes) -> int:
    counter, before = Counter(), sys.gettrace()
    sys.settrace(counter)
    try:
        judge(Job(TRANSIT, b"", data))
    finally:
        sys.settrace(before)
    return counter.lines


@pytest.mark.parametrize("name", MOULDS)
def test_work_grows_with_the_size_and_no_faster(name: str) -> None:
    make = MOULDS[name]
    small, large = work(make(200)), work(make(1600))
    assert large < 12 * small + 3000


@pytest.mark.parametrize("name", MOULDS)
def test_the_largest_of_it_ends(name: str) -> None:
    """Patterns run in C, where lines are not counted: what is quadratic in them takes hours."""
    unit = max(1, len(MOULDS[name](1100)) - len(MOULDS[name](1000))) / 100
    judgement = judge(Job(TRANSIT, b"", MOULDS[name](int(MAX_READ / unit))))
    assert len(judgement.domains) <= MAX_LINKS


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2000), st.sampled_from(["text/html", "multipart/mixed; boundary=b", "x"]))
def test_any_bytes_are_judged(body: bytes, kind: str) -> None:
    judge(Job(TRANSIT, b"", body))
    judge(Job(TRANSIT, b"", message(Content_Type=kind) + body))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(BASE)), st.binary(max_size=300))
def test_any_field_is_judged(name: str, value: bytes) -> None:
    clean = value.replace(b"\n", b"\n ")
    judge(Job(TRANSIT, b"", name.encode() + b": " + clean + b"\n" + message()))


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="<>a=\"' /!-&#;x1:.@%\\\u200b\u0430hrefimgstyl", max_size=400))
def test_any_markup_is_judged(source: str) -> None:
    judge(Job(TRANSIT, b"", html(source)))
