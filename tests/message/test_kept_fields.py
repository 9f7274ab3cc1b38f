"""Kept header fields give the same as the header they come from (RFC 9051 §6.4.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.headers import CACHED_NAMES, cached, header_fields
from message.kept_fields import all_fields, pack_fields, picked, picked_strings
from message.meta import all_kept, header_lists, meta_kept, pack_meta
from message.render import render

# What Thunderbird asks for of every message.
THUNDERBIRD = tuple(
    b"From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To"
    b" Content-Type Reply-To List-Post List-ID".split()
)
_NAMES = st.sampled_from([*sorted(CACHED_NAMES)[:6], b"Subject", b"FROM", b"X-Other", b"Received"])
_HEADERS = st.lists(
    st.tuples(_NAMES, st.sampled_from([b" a", b"", b" a\r\n b", b"\tx ", b" \xc3\xa9"])), max_size=9
).map(lambda fields: b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\n")


def test_thunderbirds_names_are_kept() -> None:
    assert cached(THUNDERBIRD)


@given(_HEADERS, st.lists(st.sampled_from([*THUNDERBIRD, b"subject"]), min_size=1, max_size=5))
def test_the_same_as_from_the_header(header: bytes, some: list[bytes]) -> None:
    names = tuple(some)
    rendered = render(header, utf8=True)
    kept = meta_kept(pack_meta(rendered))
    assert kept is not None
    assert picked(kept, names) == header_fields(header, names)
    assert header_fields(all_fields(kept), names) == header_fields(header, names)
    (text,) = picked_strings([kept], names)
    assert text == b"{%d}\r\n%b" % (len(header_fields(header, names)), header_fields(header, names))


def test_fields_with_nul_are_not_kept() -> None:
    assert pack_fields([(b"subject", b"Subject: a\0b\r\n")]) is None
    assert meta_kept(pack_meta(render(b"Subject: a\0b\r\n\r\n"))) is None


@pytest.mark.parametrize("utf8", [False, True])
def test_whether_all_are_kept(utf8: bool) -> None:
    plain = pack_meta(render(b"Subject: a\r\n\r\n"))
    large = pack_meta(render(b"Subject: " + b"a" * 40_000 + b"\r\n\r\n"))
    shown = pack_meta(render("Subject: ä\r\n\r\n".encode()))
    assert all_kept([plain, plain], utf8)
    assert not all_kept([plain, large], utf8)
    assert all_kept([plain, shown], utf8) is not utf8
    assert header_lists([plain], (b"subject", b"to")) == [b"{14}\r\nSubject: a\r\n\r\n"]
