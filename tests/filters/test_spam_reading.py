"""What the spam checks read of a message, and of bytes that are made to stall or break a reader."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.spam.markup import Link, read_markup
from filters.spam.reading import MAX_ATTACHMENTS, MAX_LINKS, MAX_TEXT, read

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8

MIXED = (
    b"From: =?utf-8?q?Caf=C3=A9?= <a@example.org>\r\n"
    b"Subject: =?iso-8859-1?B?R3L832U=?=\r\n"
    b'Content-Type: multipart/mixed; boundary="m"\r\n\r\n'
    b"--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
    b"--a\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Gr=C3=BC=C3=9Fe, see http://example.org/x?a=3D1.\r\n"
    b"--a\r\nContent-Type: text/html; charset=ISO-8859-1\r\n\r\n"
    b"<p>Gr\xfc\xdfe, <a href='http://evil.example/'>www.bank.example</a></p>\r\n"
    b"--a--\r\n"
    b"--m\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''b%C3%BCld.jpg\r\n\r\n"
    + base64.encodebytes(PNG).replace(b"\n", b"\r\n")
    + b"--m--\r\n"
)


def test_a_message_is_read_whole() -> None:
    reading = read(MIXED)
    assert reading.subject == "Grüße"
    assert reading.header.endswith(b"\r\n\r\n")
    assert reading.plain.strip() == "Grüße, see http://example.org/x?a=1."
    assert reading.html == "Grüße, www.bank.example"
    assert reading.links == (
        Link("http://example.org/x?a=1", "http://example.org/x?a=1", "plain"),
        Link("http://evil.example/", "www.bank.example", "a"),
    )
    [picture] = reading.attachments
    assert (picture.name, picture.type, picture.kind) == ("büld.jpg", "image/jpeg", "png")
    assert abs(picture.size - len(PNG)) <= 3
    facts = reading.facts
    assert (facts.type, facts.parts, facts.texts, facts.htmls) == ("multipart/mixed", 5, 1, 1)
    assert facts.charsets == ("utf-8", "iso-8859-1")
    assert facts.encodings == ("quoted-printable", "7bit", "base64")
    assert not facts.html_only
    assert not facts.truncated


def test_bare_line_feeds_read_alike() -> None:
    assert read(MIXED.replace(b"\r\n", b"\n")) == read(MIXED)


def test_html_alone() -> None:
    reading = read(b"Content-Type: text/html\r\n\r\n<b>Buy</b> it")
    assert reading.facts.html_only
    assert (reading.plain, reading.html, reading.markup) == ("", "Buy it", "<b>Buy</b> it")


@pytest.mark.parametrize(
    ("source", "seen", "hidden"),
    [
        ("a<div style='display: none'>b<div>c</div>d</div>e", "a\ne", "b\nc\nd"),
        ("a<span style=font-size:0px>b</span>c", "ac", "b"),
        ("a<font color='#FFFFFF'>b</font>c", "ac", "b"),
        ("<body bgcolor=black>a<font color=white>b</font>c", "abc", ""),
        ("a<p style='font-size:10px;opacity:0.9'>b</p>", "a\nb", ""),
        ("a<!-- b -->c<script>d</script>e<style>f</style>", "ace", ""),
        ("V<b></b>ia<!--x-->gr&#97;", "Viagra", ""),
        ("<img style='display:none' src=x>a", "a", ""),
    ],
)
def test_what_a_reader_sees(source: str, seen: str, hidden: str) -> None:
    found = read_markup(source)
    assert (found.text, found.hidden) == (seen, hidden)


def test_links_of_every_kind() -> None:
    found = read_markup(
        "<meta http-equiv=refresh content='0; url=http://r.example/'>"
        "<a href='http://a.example/?x&amp;y'><b>A</b> link<a href='#top'>none</a>"
        "<img src=http://i.example/p.gif alt='a picture'><form action=http://f.example>"
        "<iframe src=//g.example></iframe>"
    )
    assert found.links == (
        Link("http://r.example/", "", "refresh"),
        Link("http://a.example/?x&y", "A link", "a"),
        Link("http://i.example/p.gif", "a picture", "img"),
        Link("http://f.example", "", "form"),
        Link("//g.example", "", "frame"),
    )


HTML = b"Content-Type: text/html\r\n\r\n"
HOSTILE = {
    "tag name": HTML + b"<" + b"a" * 1_000_000,
    "attributes": HTML + b"<a " + b"href " * 200_000,
    "spaces": HTML + b"<a href" + b" " * 1_000_000 + b">",
    "quotes": HTML + b'<a href="' * 100_000,
    "style": HTML + b"<p style='font-size:" + b"0" * 200_000 + b"'>" * 3,
    "nested": HTML + b"<div style=display:none>" * 40_000,
    "nested spans": HTML + b"<span>" * 150_000 + b"</div>" * 40_000,
    "comments": HTML + b"<!--" * 200_000,
    "scripts": HTML + b"<script>" * 100_000,
    "number": HTML + b"&#" + b"9" * 500_000 + b";",
    "links": HTML + b"<a href=http://x.example/>x" * 30_000,
    "bare links": b"\r\n" + b"http://x.example/" * 60_000,
    "long link": b"\r\nhttp://" + b"a." * 500_000,
    "www": b"\r\n" + b"www." * 300_000,
    "header": b"Subject: =?utf-8?q?" + b"=?" * 400_000 + b"\r\n\r\n",
    "words": b"Subject:" + b" =?utf-8?b?QUJD?=" * 60_000 + b"\r\n\r\n",
    "no end": b"X: " + b"y\r\n " * 300_000,
    "parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000,
    "files": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\nContent-Type: a/b; name=c\r\n\r\n\r\n" * 30_000,
    "nested parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(20_000)
    ),
    "nested messages": b"Content-Type: message/rfc822\r\n\r\n" * 30_000,
    "base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 1_000_000,
    "quoted": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"= " * 500_000,
    "utf-7": b"Content-Type: text/plain; charset=utf-7\r\n\r\n" + b"+" * 1_000_000,
    "nul": b"\0" * 1_000_000,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_mail_is_read_within_its_bounds(data: bytes) -> None:
    reading = read(data)
    for text in (reading.plain, reading.html, reading.hidden, reading.markup):
        assert len(text) <= MAX_TEXT + 1000
    assert len(reading.links) <= MAX_LINKS
    assert len(reading.attachments) <= MAX_ATTACHMENTS
    assert len(reading.header) <= 256 * 1024


FRAGMENTS = st.lists(
    st.sampled_from(
        [line + b"\r\n" for line in MIXED.split(b"\r\n")]
        + [b"<a href=", b"<p style='display:none", b"'>", b"</p>", b"&#x", b"=?utf-8?q?", b"\0"]
    )
    | st.binary(max_size=40)
).map(b"".join)


@given(FRAGMENTS | st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    read(data)
