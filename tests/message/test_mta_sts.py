"""MTA-STS records and policies as text (RFC 8461 §3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.mta_sts import (
    MAX_AGE,
    MAX_POLICY,
    Mode,
    StsInvalid,
    StsPolicy,
    format_policy,
    parse_policy,
    parse_record,
    policy_id,
)

POLICY = (
    b"version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n"
)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        ([b"v=STSv1;id=a"], "a"),
        ([b"v=STSv1 ; more=b; id=a1"], "a1"),
        ([b"v=spf1 -all", b"v=STSv1; id=a"], "a"),
        ([b"v=STSv1; id=a", b"v=STSv1; id=b"], None),
        ([b"v=STSv1; id="], None),
        ([b"v=STSv1; id=" + b"a" * 33], None),
        ([b"v=STSv1; id=a-b"], None),
        ([b"v=STSv1"], None),
        ([b"v=STSv12; id=a"], None),
        ([b"id=a; v=STSv1;"], None),
        ([b"v=STSv1; id=\xff"], None),
        ([], None),
    ],
)
def test_records(texts: list[bytes], found: str | None) -> None:
    assert parse_record(texts) == found


@pytest.mark.parametrize("data", [POLICY, POLICY.replace(b"\n", b"\r\n"), POLICY.strip() + b"  "])
def test_policy_with_either_line_end(data: bytes) -> None:
    wanted = StsPolicy(Mode.ENFORCE, 604800, ("mail.example.com", "*.example.net"))
    assert parse_policy(data) == wanted


@pytest.mark.parametrize(
    ("change", "to"),
    [
        (b"STSv1", b"STSv2"),
        (b"version: STSv1\n", b""),
        (b"enforce", b"strict"),
        (b"max_age: 604800", b"max_age: soon"),
        (b"max_age: 604800", b"max_age: -1"),
        (b"max_age: 604800", b"max_age: 99999999999"),
        (b"mx: mail.example.com\nmx: *.example.net\n", b""),
        (b"mail.example.com", b"mail..example.com"),
        (b"*.example.net", b"a.*.example.net"),
        (b"*.example.net", b"*"),
        (b"mode:", b"mode"),
        (b"mail", b"\xff"),
        (b"mx: mail.example.com\n", b"mx: mail.example.com\n" * 101),
        (b"mode", b"x" * MAX_POLICY + b": 1\nmode"),
    ],
)
def test_wrong_policies(change: bytes, to: bytes) -> None:
    assert change in POLICY
    with pytest.raises(StsInvalid):
        parse_policy(POLICY.replace(change, to))


def test_first_of_two_counts_and_unknown_keys_do_not() -> None:
    assert parse_policy(POLICY + b"mode: none\nfuture: yes\n").mode is Mode.ENFORCE


def test_none_needs_no_hosts_and_no_policy_lasts_for_ever() -> None:
    policy = parse_policy(b"version: STSv1\r\nmode: none\r\nmax_age: 9999999999\r\n")
    assert policy == StsPolicy(Mode.NONE, MAX_AGE)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mail.example.com", True),
        ("MAIL.Example.COM.", True),
        ("a.example.net", True),
        ("example.net", False),
        ("a.b.example.net", False),
        ("mail.example.com.evil.test", False),
        ("xmail.example.com", False),
    ],
)
def test_patterns(host: str, allowed: bool) -> None:
    assert parse_policy(POLICY).allows(host) is allowed


LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
HOST = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
PATTERN = st.one_of(HOST, HOST.map(lambda host: f"*.{host}"))


@given(st.sampled_from(Mode), st.integers(0, MAX_AGE), st.lists(PATTERN, min_size=1, max_size=5))
def test_round_trip(mode: Mode, age: int, mx: list[str]) -> None:
    policy = StsPolicy(mode, age, tuple(mx))
    assert parse_policy(format_policy(policy)) == policy


@given(st.binary(max_size=200))
def test_any_octets_end_well(data: bytes) -> None:
    parse_record([data])
    try:
        parse_policy(data)
    except StsInvalid:
        pass


def test_the_id_changes_with_the_policy() -> None:
    one, other = StsPolicy(Mode.TESTING, 1, ("a.test",)), StsPolicy(Mode.ENFORCE, 1, ("a.test",))
    assert policy_id(one) != policy_id(other)
    assert parse_record([f"v=STSv1; id={policy_id(one)}".encode()]) == policy_id(one)
