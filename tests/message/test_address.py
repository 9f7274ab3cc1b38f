"""Envelope addresses of RFC 5321 and RFC 6531, and address lists of RFC 5322."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.address import AddressError, Mailbox, parse_mailbox
from message.address_list import Address, mailboxes, parse_address_list


@pytest.mark.parametrize(
    ("text", "local", "domain", "sent"),
    [
        ("Smith@Example.ORG", "Smith", "example.org", "Smith@example.org"),
        ('"a b"@example.org', "a b", "example.org", '"a b"@example.org'),
        ('"plain"@example.org', "plain", "example.org", "plain@example.org"),
        ('"q\\"\\\\"@example.org', 'q"\\', "example.org", '"q\\"\\\\"@example.org'),
        ('""@example.org', "", "example.org", '""@example.org'),
        ("a@[192.0.2.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:DB8:0:0::1]", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
        ("zoë@bücher.example", "zoë", "xn--bcher-kva.example", "zoë@xn--bcher-kva.example"),
        ("a@XN--BCHER-KVA.example", "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("!#$%&'*+/=?^_`{|}~-@h", "!#$%&'*+/=?^_`{|}~-", "h", "!#$%&'*+/=?^_`{|}~-@h"),
        ("a@my_host.example", "a", "my_host.example", "a@my_host.example"),
    ],
)
def test_mailboxes_are_normalised(text: str, local: str, domain: str, sent: str) -> None:
    mailbox = parse_mailbox(text)
    assert (mailbox.local, mailbox.domain, str(mailbox)) == (local, domain, sent)
    assert parse_mailbox(sent) == mailbox


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "@b", "a@", "a@b@c", "a b@c", ".a@b", "a.@b", "a..b@c", "a@b..c", "a@-b", "a@b.",
        "a@b\r\nRCPT TO:<x@y>", "a\0@b", '"a@b', 'a"b"@c', "a@[300.1.1.1]", "a@[IPv6:xyz]", "a@[]",
        "a@[192.0.2.1", "a@xn--\x80", "a@xn--a", "<a@b>", "a@b c", "l" * 65 + "@b",
        "é" * 33 + "@b", "a@" + ".".join(["x" * 63] * 5), '"a\nb"@c', "a@" + "b" * 64, "\ud800@b",
    ],
)  # fmt: skip
def test_what_is_no_mailbox_says_why(text: str) -> None:
    with pytest.raises(AddressError) as error:
        parse_mailbox(text)
    assert str(error.value).isascii()


def test_limits_are_octets() -> None:
    assert parse_mailbox("l" * 64 + "@b").local == "l" * 64
    assert parse_mailbox("é" * 32 + "@b").local == "é" * 32
    domain = ".".join(["x" * 61] * 3)
    assert parse_mailbox("a" * 64 + "@" + domain).domain == domain
    with pytest.raises(AddressError, match="254"):
        parse_mailbox("a" * 64 + "@" + domain + ".xxxx")


def test_keys_and_sub_addresses() -> None:
    mailbox = parse_mailbox("John.Doe+Tag+x@Example.org")
    assert mailbox.key() == "john.doe+tag+x@example.org"
    assert mailbox.split() == (Mailbox("John.Doe", "example.org"), "Tag+x")
    assert parse_mailbox("plain@h").split() == (Mailbox("plain", "h"), "")
    assert parse_mailbox("+tag@h").split() == (Mailbox("+tag", "h"), "")
    assert mailbox.is_ascii
    assert not parse_mailbox("zoë@h").is_ascii


@given(st.text(max_size=300))
def test_any_text_is_a_mailbox_or_an_address_error(text: str) -> None:
    try:
        mailbox = parse_mailbox(text)
    except AddressError:
        return
    assert parse_mailbox(str(mailbox)) == mailbox


A_AT_B = Address(None, None, b"a", b"b")
GROUP_END = Address(None, None, None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [  # RFC 5322 appendix A, and what is sent in its place
        (
            b"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            [
                Address(b"Mary Smith", None, b"mary", b"x.test"),
                Address(None, None, b"jdoe", b"example.org"),
                Address(b"Who?", None, b"one", b"y.test"),
            ],
        ),
        (
            b'<boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
            [
                Address(None, None, b"boss", b"nil.test"),
                Address(b'Giant; "Big" Box', None, b"sysservices", b"example.net"),
            ],
        ),
        (
            b"A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;",
            [
                Address(None, None, b"A Group", None),
                Address(b"Ed Jones", None, b"joe", b"where.test"),
                Address(None, None, b"joe", b"where.test"),
                Address(b"John", None, b"jdoe", b"one.test"),
                GROUP_END,
            ],
        ),
        (
            b"Undisclosed recipients:;, a@b",
            [
                Address(None, None, b"Undisclosed recipients", None),
                GROUP_END,
                Address(None, None, b"a", b"b"),
            ],
        ),
        (b"open: a@b", [Address(None, None, b"open", None), A_AT_B, GROUP_END]),
        (
            b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            [Address(b"Pete", None, b"pete", b"silly.test")],
        ),
        (
            b"Mary Smith <@node.test,@b:mary@example.net>, , jdoe@test  . example",
            [
                Address(b"Mary Smith", b"@node.test,@b", b"mary", b"example.net"),
                Address(None, None, b"jdoe", b"test.example"),
            ],
        ),
        (b"joe@x.test (Joe Q. (Public))", [Address(b"Joe Q. (Public)", None, b"joe", b"x.test")]),
        (b'"a b"@c.test', [Address(None, None, b"a b", b"c.test")]),
        (b"a@[192.0.2.1]", [Address(None, None, b"a", b"[192.0.2.1]")]),
        (b"x, a@b", [Address(None, None, b"x", b""), A_AT_B]),
        (b"Name <>, a@b", [Address(b"Name", None, b"", b""), A_AT_B]),
        (b"Broken <c@d, a@b", [Address(b"Broken", None, b"c", b"d"), A_AT_B]),
        (b"Doe John c@d; a@b", [Address(b"Doe John", None, b"c", b"d"), A_AT_B]),
        (b'"open <c@d>, a@b', [Address(b"open", None, b"c", b"d"), A_AT_B]),
        (b"(only a comment)", []),
        (b" , ,;", []),
        (b"", []),
    ],
)  # fmt: skip
def test_address_lists(value: bytes, expected: list[Address]) -> None:
    assert parse_address_list(value) == expected


def test_addresses_for_people() -> None:
    (one, two) = mailboxes(b'g: =?utf-8?q?Zo=C3=AB?= <zoe@x.test>, "a b"@x.test;')
    assert (one.display, one.text) == ("Zoë", "zoe@x.test")
    assert (two.display, two.text) == ("", '"a b"@x.test')


@given(st.lists(st.sampled_from(list(' ,;:<>@()[]"\\ab.é\r\n')), max_size=60).map("".join))
def test_nothing_broken_loses_what_follows(junk: str) -> None:
    # A quoted string, comment, angle or group that is never closed may well swallow the rest.
    balanced = not set(junk) & set('"()[]<>:\\')
    found = parse_address_list(junk.encode() + b", last@x.test")
    if balanced:
        assert Address(None, None, b"last", b"x.test") in found
    for entry in found:
        assert isinstance(entry.display + entry.text, str)
