"""From as this server and every reader of mail understand it."""

import email.policy
import email.utils

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from message.authors import AuthorsError, address_field, authors, sender
from message.rewrite import named, without


@pytest.mark.parametrize(
    "value",
    [
        b"a@b.test",
        b"<a@b.test>",
        b"A <a@b.test>",
        b'"A, B <c@d.test>" <a@b.test>',
        b"A. B. C <a@b.test>, c@d.test",
        b"a@b.test (A B)",
        b"=?utf-8?q?A=40B?= <a@b.test>",
        b'"a b"@c.test',
        "Zoë <a@b.test>".encode(),
    ],
)
def test_plain_lists_stay(value: bytes) -> None:
    found = authors(b"From: " + value + b"\r\n")
    assert found is not None and found.field == b"" and found.addresses


@pytest.mark.parametrize(
    ("value", "addresses", "written"),
    [
        (b"<a@b.test> <c@d.test>", ["a@b.test"], b"<a@b.test>"),
        (b"x@y.test <a@b.test>", ["a@b.test"], b'"x@y.test" <a@b.test>'),
        (b"<@x.test:a@b.test>", ["a@b.test"], b"<a@b.test>"),
        (b"G: a@b.test, c@d.test;", ["a@b.test", "c@d.test"], b"<a@b.test>, <c@d.test>"),
        (b"a@b.test; c@d.test", ["a@b.test", "c@d.test"], b"<a@b.test>, <c@d.test>"),
        (b"a@b.test (c@d.test)", ["a@b.test"], b'"c@d.test" <a@b.test>'),
    ],
)
def test_doubtful_lists_are_written_anew(
    value: bytes, addresses: list[str], written: bytes
) -> None:
    found = authors(b"Subject: x\r\nFrom: " + value + b"\r\n")
    assert found is not None and list(found.addresses) == addresses
    assert found.field == b"From: " + written + b"\r\n"


@given(st.binary(max_size=60))
@example(b"\x01@\x00\x01")
def test_any_bytes_are_an_error_or_a_list_that_all_read_alike(value: bytes) -> None:
    value = value.replace(b"\r", b"").replace(b"\n", b"")
    try:
        found = authors(b"From: " + value + b"\r\n")
    except AuthorsError:
        return
    assert found is not None
    if found.field:
        again = authors(found.field)
        assert again is not None and len(again.addresses) == len(found.addresses)


@given(st.text(max_size=80))
def test_a_display_name_never_hides_an_address(name: str) -> None:
    field = address_field("From", "a@b.test", name)
    assert field.count(b"\r\n") == 1 + field.count(b"\r\n ")
    found = authors(field)
    assert found is not None and found.addresses == ("a@b.test",)
    assert len(email.utils.getaddresses([field.decode("utf-8")[6:]])) == 1


@pytest.mark.parametrize(
    "value", [b"a@b.test, " * 51 + b"a@b.test", b"x" * 20_000 + b" <a@b.test>"]
)
def test_there_are_bounds(value: bytes) -> None:
    with pytest.raises(AuthorsError, match="too"):
        authors(b"From: " + value + b"\r\n")


def test_no_from_and_senders() -> None:
    assert authors(b"To: a@b.test\r\n") is None
    assert sender(b"To: a@b.test\r\n") == ()
    assert sender(b"Sender: a@b.test\r\nSender: nobody\r\n") == ("a@b.test", "nobody@")


def test_fields_go_and_the_rest_stays() -> None:
    block = b"A: 1\r\nB: 2\r\n folded\r\njunk\r\na : 3\r\n\tfolded\r\nC: 4"
    assert without(block, named((b"a",))) == b"B: 2\r\n folded\r\njunk\r\nC: 4"
    assert without(block, named((b"d",))) is block
    assert without(block, named((b"c", b"b"))) == b"A: 1\r\njunk\r\na : 3\r\n\tfolded\r\n"
