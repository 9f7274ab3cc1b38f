"""The preview of a message (RFC 8970 §4)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.meta import pack_meta, previews
from message.preview import MAX_CHARACTERS, preview
from message.render import render
from message.scan import scan_crlf
from tests.support.messages import TYPICAL, hostile, leaf, message, multipart


def of(data: bytes) -> str:
    return preview(data, scan_crlf(data))


def test_the_first_text_that_is_no_attachment() -> None:
    assert of(TYPICAL.whole) == "Hello there"
    attached = b"Content-Disposition: attachment\r\n"
    parts = (leaf(b"skip", extra=attached), leaf(b"take"), leaf(b"later"))
    assert of(multipart("b", *parts).whole) == "take"
    assert of(multipart("b", leaf(b" \r\n"), leaf(b"second")).whole) == "second"
    assert of(message(leaf(b"inner")).whole) == ""
    assert of(multipart("b", leaf(b"x", "image/png")).whole) == ""


def test_of_alternatives_the_plain_one() -> None:
    html, plain = leaf(b"<p>markup", "text/html"), leaf(b"plain")
    header = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
    body = b"".join(b"--b\r\n" + part.whole + b"\r\n" for part in (html, plain))
    assert of(header + body + b"--b--") == "plain"
    only = b"--b\r\n" + html.whole + b"\r\n--b\r\n" + leaf(b"").whole + b"\r\n--b--"
    assert of(header + only) == "markup"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<style>a{b}</style><h1>Hi</h1><p>you", "Hi you"),
        (b"<head><title>t</title></head>b<b>o</b>ld&nbsp;&lt;tag&gt;", "bold <tag>"),
        (b"<!-- no --> yes <script>x", "yes"),
        (b"cut <a href='x", "cut"),
        (b"pad&zwnj;&#8199;&#847;out\xe2\x80\x8b", "pad out"),
    ],
)
def test_markup_is_taken_out(body: bytes, expected: str) -> None:
    assert of(leaf(body, "text/html; charset=utf-8").whole) == expected


def test_quoted_lines_only_where_there_is_nothing_else() -> None:
    assert of(leaf(b"> was\r\nis\r\n> was\r\n").whole) == "is"
    assert of(leaf(b"> was\r\n").whole) == "> was"


def test_encodings_and_charsets() -> None:
    quoted = b"Content-Transfer-Encoding: quoted-printable\r\n"
    assert of(leaf(b"Gr=FC=DFe", "text/plain; charset=iso-8859-1", quoted).whole) == "Grüße"
    encoded = b"Content-Transfer-Encoding: base64\r\n"
    assert of(leaf(b"44GC44GE", "text/plain; charset=utf-8", encoded).whole) == "あい"
    assert of(leaf(b"gr\xc3\xbcn").whole) == "grün"
    assert of(leaf(b"gr\xfcn").whole) == "grün"


def test_at_most_200_characters_as_a_string_of_imap() -> None:
    assert len(of(leaf(b"word " * 100).whole)) <= MAX_CHARACTERS
    assert len(of(leaf("ü".encode() * 500, "text/plain; charset=utf-8").whole)) == MAX_CHARACTERS
    blobs = [pack_meta(render(leaf(body).whole)) for body in (b'say "hi" \\', b"\xc3\xa9", b"")]
    assert previews(blobs) == [b'"say \\"hi\\" \\\\"', b"{2}\r\n\xc3\xa9", b'""']


@given(st.binary(max_size=300), st.sampled_from(["plain", "html"]))
def test_any_octets_give_one_line(body: bytes, subtype: str) -> None:
    text = of(leaf(body, f"text/{subtype}; charset=utf-7").whole)
    assert len(text) <= MAX_CHARACTERS
    assert text.isprintable() or not text.isascii()
    assert "\n" not in text and "\r" not in text and "\0" not in text


def test_hostile_messages_take_no_time() -> None:
    bodies = [b"<" * 99_999, b"<a" * 50_000, b"<!--" * 30_000, b"<style>" * 20_000, b"&" * 99_999]
    messages = [leaf(body, "text/html").whole for body in bodies]
    for data in (*messages, *hostile(200_000).values()):
        root = scan_crlf(data)
        start = time.perf_counter()
        preview(data, root)
        assert time.perf_counter() - start < 0.1
