"""Addresses that others gave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.outside_url import BadUrl, OutsideUrl, outside_url


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("https://push.test/a?b=c", OutsideUrl("push.test", 443, "/a?b=c"), id="usual"),
        pytest.param("https://Push.Test", OutsideUrl("push.test", 443, "/"), id="bare"),
        pytest.param("https://push.test.:8443/", OutsideUrl("push.test", 8443, "/"), id="port"),
        pytest.param("https://[2001:db8::1]/x", OutsideUrl("2001:db8::1", 443, "/x"), id="ipv6"),
    ],
)
def test_what_may_be_asked(text: str, found: OutsideUrl) -> None:
    assert outside_url(text) == found
    assert outside_url(found.origin + found.path) == found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("http://push.test/", id="plain-http"),
        pytest.param("ftp://push.test/", id="ftp"),
        pytest.param("//push.test/", id="no-scheme"),
        pytest.param("https:///path", id="no-host"),
        pytest.param("https://user@push.test/", id="user"),
        pytest.param("https://push.test@10.0.0.1/", id="at"),
        pytest.param("https://push.test\\@10.0.0.1/", id="backslash"),
        pytest.param("https://push.test/#x", id="fragment"),
        pytest.param("https://push.test:99999/", id="port"),
        pytest.param("https://push.test:0/", id="port-zero"),
        pytest.param("https://push test/", id="space"),
        pytest.param("https://push.test/\r\nX: y", id="line"),
        pytest.param("https://[fe80::1%25eth0]/", id="zone"),
        pytest.param("https://püsh.test/", id="not-ascii"),
        pytest.param("https://[::1", id="bracket"),
        pytest.param("https://push.test/" + "a" * 2048, id="long"),
        pytest.param("", id="empty"),
    ],
)
def test_what_may_not(text: str) -> None:
    with pytest.raises(BadUrl):
        outside_url(text)


@given(st.text(max_size=50))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        found = outside_url(f"https://{text}")
    except BadUrl:
        return
    assert found.host and found.path.startswith("/") and "@" not in found.host
