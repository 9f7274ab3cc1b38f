"""Text out of HTML that is written to stall or to break its reader."""

import pytest

from message.entities import unescape
from message.html_text import html_text
from message.preview import preview
from message.scan import scan_crlf


@pytest.mark.parametrize(
    "source",
    [
        "<" + "a" * 300_000,
        "<a " + "href " * 60_000,
        '<a href="' * 60_000,
        "<!--" * 60_000,
        "<script>" * 60_000,
        "&#" + "9" * 300_000 + ";",
        "&#" + "0" * 300_000 + "65;",
    ],
    ids=["name", "attributes", "quotes", "comments", "scripts", "number", "zeros"],
)
def test_hostile_html_is_read_in_linear_time(source: str) -> None:
    assert html_text("<p>before</p>" + source).startswith("before")


def test_a_preview_survives_an_endless_reference() -> None:
    data = b"Content-Type: text/html\r\n\r\n<p>Hello &#" + b"9" * 5000 + b"; there</p>\r\n"
    assert preview(data, scan_crlf(data)) == "Hello \ufffd there"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("&#65;&#x42;&#0000000000000067;", "ABC"),
        ("&#99999999; &#1114112;", "\ufffd \ufffd"),
        ("&euro;20 & more", "€20 & more"),
    ],
)
def test_references_are_decoded(text: str, expected: str) -> None:
    assert unescape(text) == expected
