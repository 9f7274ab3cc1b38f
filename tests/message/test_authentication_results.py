"""Authentication-Results: the examples of RFC 8601, round trips, authres as second opinion."""

import authres
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from message.authentication_results import (
    AuthenticationResults,
    Statement,
    build_results,
    parse_results,
    same_server,
    spoofed_fields,
)
from message.headers import first

OURS = "mx.example.test"


def shown(value: str) -> list[tuple[str, str, str, dict[str, str]]]:
    return [
        (one.method, one.result, one.reason, {f"{p}.{n}": v for p, n, v in one.properties})
        for one in parse_results(value.encode()).statements
    ]


def test_nothing_done() -> None:
    assert parse_results(b"example.org 1; none") == AuthenticationResults("example.org")
    assert parse_results(b"foo.example.net") == AuthenticationResults("foo.example.net")
    assert build_results(OURS, []) == b"Authentication-Results: mx.example.test;\r\n\tnone\r\n"


def test_the_examples_of_the_standard() -> None:
    assert shown("example.com;\r\n spf=pass smtp.mailfrom=example.net") == [
        ("spf", "pass", "", {"smtp.mailfrom": "example.net"})
    ]
    both = (
        "example.com; auth=pass (cram-md5) smtp.auth=sender@example.net;"
        " spf=pass smtp.mailfrom=example.net"
    )
    assert [one[:2] for one in shown(both)] == [("auth", "pass"), ("spf", "pass")]
    reasoned = (
        'example.com;\r\n dkim=pass reason="good signature"\r\n header.i=@mail-router.example.net;'
        '\r\n dkim=fail reason="bad signature"\r\n header.i=@newyork.example.com'
    )
    assert shown(reasoned) == [
        ("dkim", "pass", "good signature", {"header.i": "@mail-router.example.net"}),
        ("dkim", "fail", "bad signature", {"header.i": "@newyork.example.com"}),
    ]
    comments = (
        "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for"
        " it) fail\r\n policy (A dot can go here) . (like that) expired\r\n (this surprised me) ="
        " (as I wasn't expecting it) 1362471462"
    )
    assert parse_results(comments.encode()).authserv_id == "foo.example.net"
    assert shown(comments) == [("dkim", "fail", "", {"policy.expired": "1362471462"})]


def test_what_others_write() -> None:
    exchange = (
        "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=a.example; dkim=pass (signature was"
        " verified)\r\n header.d=a.example;dmarc=pass action=none\r\n header.from=a.example;"
        "compauth=pass reason=100"
    )
    assert parse_results(exchange.encode()).authserv_id == ""
    assert shown(exchange) == [
        ("spf", "pass", "", {"smtp.mailfrom": "a.example"}),
        ("dkim", "pass", "", {"header.d": "a.example"}),
        ("dmarc", "pass", "", {"header.from": "a.example"}),
        ("compauth", "pass", "100", {}),
    ]
    gmail = (
        'mx.google.com; dkim=pass header.i=@a.example header.s=s1 header.b="ab/+c=";'
        " dkim=neutral (no key) header.i=@b.example header.b=ab/+c=; arc=pass (i=1 spf=pass);"
        ' spf=pass (x: y; z) smtp.mailfrom="odd name"@a.example; x-odd; =pass; dmarc='
    )
    assert shown(gmail) == [
        ("dkim", "pass", "", {"header.i": "@a.example", "header.s": "s1", "header.b": "ab/+c="}),
        ("dkim", "neutral", "", {"header.i": "@b.example", "header.b": "ab/+c="}),
        ("arc", "pass", "", {}),
        ("spf", "pass", "", {"smtp.mailfrom": "odd name@a.example"}),
    ]


@pytest.mark.parametrize(
    "value",
    [
        "mx.example.test; spf=pass",
        "MX.Example.Test.; spf=pass",
        '"mx.example.test" 1; spf=pass',
        "(x) mx.example.test (y); spf=pass",
        "(a(b)c)\r\n\tmx.example.test;none",
        "mx.example.test",
    ],
)
def test_fields_in_our_name_are_found(value: str) -> None:
    for name in ("Authentication-Results", "AUTHENTICATION-RESULTS ", "authentication-results"):
        field = f"{name}: {value}\r\n"
        header = f"Subject: x\r\n{field}To: y\r\n".encode()
        ((start, end),) = spoofed_fields(header, OURS)
        assert header[start:end] == field.encode()


@pytest.mark.parametrize(
    "value",
    ["mx.example.org; spf=pass", "spf=pass mx.example.test", "a; x=(mx.example.test)", "", ";;"],
)
def test_fields_of_others_are_left(value: str) -> None:
    header = f"Authentication-Results: {value}\r\nX-Authentication-Results: {OURS}\r\n".encode()
    assert spoofed_fields(header, OURS) == []


def test_floods_of_fields_are_taken_out_unread() -> None:
    kept = b"Authentication-Results: other.test; none\r\n" * 100
    flood = b"Authentication-Results: other.test; none\r\n" * 20_000
    found = spoofed_fields(kept + b"Subject: x\r\n" + flood, OURS)
    assert len(found) == 20_000 and found[0][0] == len(kept) + len(b"Subject: x\r\n")


def test_an_id_behind_a_long_comment_is_not_trusted() -> None:
    for hidden in (b"(" + b"x" * 5_000 + b") mx.example.test", b" " * 5_000 + b"mx.example.test"):
        assert spoofed_fields(b"Authentication-Results: " + hidden + b"; none\r\n", OURS)
    long = b"other.test; dkim=pass (" + b"x" * 5_000 + b")\r\n"
    assert spoofed_fields(b"Authentication-Results: " + long, OURS) == []


def test_the_same_server_in_other_forms() -> None:
    assert same_server("m\u00fcnchen.example", "xn--mnchen-3ya.example")
    assert not same_server("", OURS)


def test_hostile_values_stay_values() -> None:
    statement = Statement(
        "dkim",
        "fail",
        'bad "signature"\\\r\nX-Evil: yes',
        (
            ("header", "d", "a b\r\n;spf=pass"),
            ("header", "i", "@a.example"),
            ("header", "b", "a/b"),
        ),
        comment="a)b(c\r\n",
    )
    built = build_results(OURS, [statement])
    assert b"\r\nX-Evil" not in built and built.count(b"\r\n") == built.count(b"\n")
    value = first(built, b"Authentication-Results")
    assert value is not None
    (read,) = parse_results(value).statements
    assert read.reason == 'bad "signature"\\?X-Evil: yes'
    assert read.value("header", "d") == "a b?;spf=pass"
    assert read.value("header", "i") == "@a.example"


_WORD = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)
_PTYPE = st.sampled_from(["smtp", "header", "body", "policy"])
_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


def statements_of(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[Statement]]:
    properties = st.lists(
        st.tuples(_PTYPE, _WORD, values), max_size=4, unique_by=lambda one: one[:2]
    ).map(tuple)
    word = _WORD.filter(lambda word: word != "none")
    return st.lists(st.builds(Statement, word, _WORD, _TEXT, properties), min_size=1, max_size=5)


@given(_WORD, statements_of(_TEXT.filter(bool)))
def test_what_is_written_is_read_again(host: str, statements: list[Statement]) -> None:
    built = build_results(host, statements)
    value = first(built, b"Authentication-Results")
    assert value is not None
    assert parse_results(value) == AuthenticationResults(host, tuple(statements))


@settings(max_examples=50)
@given(
    statements_of(st.from_regex(r"[a-z0-9-]{1,9}|([a-z+]{0,5}@)?[a-z]{1,5}[.]test", fullmatch=True))
)
def test_authres_reads_what_is_written(statements: list[Statement]) -> None:
    """It takes quoted strings for reasons only, so the values are tokens and addresses."""
    built = build_results(OURS, statements).decode()
    read = authres.AuthenticationResultsHeader.parse(built.replace("\r\n", "\n").rstrip("\n"))
    assert read.authserv_id == OURS
    assert [(one.method, one.result) for one in read.results] == [
        (one.method, one.result) for one in statements
    ]
    for mine, theirs in zip(statements, read.results, strict=True):
        told = [(p.type, p.name, p.value) for p in theirs.properties]
        assert told == list(mine.properties)


@given(st.binary(max_size=400))
def test_no_bytes_disturb(data: bytes) -> None:
    parse_results(data)
    spoofed_fields(b"Authentication-Results: " + data, OURS)


def test_long_hostile_fields_cost_little() -> None:
    for piece in (b"(", b'"', b"a=b;", b"\\", b"a.b=c ", b"=", b";", b"a/1=b ", b'"a"@'):
        assert len(parse_results(b"x;" + piece * 60_000).statements) <= 200
