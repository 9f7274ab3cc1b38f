"""What we sign holds, whatever may be done to it on the way, and nothing else does."""

import re
import time

import pytest

from message.dkim_header import Header
from message.dkim_sign import sign, signed_names
from message.dkim_signing_key import Algorithm, KeyUnusable, generate, load_signing_key
from message.dkim_tags import Status
from tests.support.dkim_messages import (
    BODY,
    HEADER,
    checked,
    key,
    keys,
    records,
    signed,
    statuses,
)

PASS, FAIL = Status.PASS, Status.FAIL
BOTH = [PASS, PASS]


def test_two_keys_sign_and_verify() -> None:
    assert checked(signed()) == [(PASS, ""), (PASS, "")]


@pytest.mark.parametrize("body", [b"", b"\r\n", b"no end", b"\xff\xfe \r\n", BODY * 5000])
def test_bodies(body: bytes) -> None:
    assert statuses(signed(HEADER, body)) == BOTH


def test_header_with_its_blank_line_is_the_same() -> None:
    now = int(time.time())
    ed25519 = [key(Algorithm.ED25519)]
    assert sign(HEADER, [BODY], ed25519, now) == sign(HEADER + b"\r\n", [BODY], ed25519, now)
    assert sign(HEADER, [BODY], (), now) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Second line", b"Second  line"),
        (b"\r\n\r\nSecond", b"\t\r\n\r\nSecond"),
        (b"line\r\n\r\n\r\n", b"line\r\n"),
        (b"Subject: folded \r\n\tand  spaced", b"SUBJECT:\tfolded and\r\n spaced  "),
        (b"Received: from a", b"Received: from elsewhere"),
        (b"Received: ", b"X-Spam: no\r\nReceived: "),
        (b"; b=\r\n ", b"; b="),
    ],
)
def test_what_may_change_on_the_way(before: bytes, after: bytes) -> None:
    message = signed()
    assert message.count(before) >= 1
    assert statuses(message.replace(before, after)) == BOTH


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Second", b"second"),
        (b"\r\n\r\nSecond", b"\r\n\r\n\r\nSecond"),
        (b"line\r\n", b"line\r\n.\r\n"),
        (b"To: b@", b"To: c@"),
        (b"Subject: ", b"Subject: added\r\nSubject: "),
        (b"From: ", b"From: Another <a@bad.test>\r\nFrom: "),
        (b"Message-ID", b"Reply-To: x@bad.test\r\nX: y\r\nFrom: z\r\nMessage-ID"),
        (b" t=1", b" t=0"),
    ],
)
def test_what_breaks_it(before: bytes, after: bytes) -> None:
    message = signed()
    assert message.count(before) >= 1
    assert PASS not in statuses(message.replace(before, after))
    assert statuses(message) == BOTH


def test_a_message_without_from_cannot_be_given_one() -> None:
    message = signed(b"To: b@example.test\r\n")
    assert statuses(message) == BOTH
    assert PASS not in statuses(message.replace(b"\r\nTo: ", b"\r\nFrom: x@bad.test\r\nTo: "))


def test_single_fields_are_listed_once_more() -> None:
    header = Header(HEADER + b"List-Id: <l>\r\nResent-To: a\r\nResent-To: b\r\n")
    names = [name.decode() for name in signed_names(header)]
    assert names[:8] == ["from", "from", "to", "to", "subject", "subject", "date", "date"]
    assert names[8:] == ["message-id", "resent-to", "resent-to", "list-id"]
    assert "received" not in names


def test_thousands_of_fields_make_no_huge_signature() -> None:
    header = HEADER + b"List-Id: <l.test>\r\n" * 5000
    message = signed(header)
    assert len(message) < len(header) + 3000
    assert statuses(message) == BOTH


def test_one_click_is_signed() -> None:
    """RFC 8058 §4."""
    both = b"List-Unsubscribe: <https://l.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=x\r\n"
    message = signed(HEADER + both)
    for name in (b"List-Unsubscribe", b"List-Unsubscribe-Post"):
        assert statuses(message.replace(name + b": ", name + b": y")) == [FAIL, FAIL]


def test_times_and_identity() -> None:
    now = int(time.time())
    fields = sign(HEADER, [BODY], keys(), now, expires=now + 60, identity="@sub.example.org")
    message = b"".join(fields) + HEADER + b"\r\n" + BODY
    assert b"t=%d; x=%d;" % (now, now + 60) in re.sub(rb"\s+", b" ", fields[0])
    assert checked(message, now=now + 60) == [(PASS, ""), (PASS, "")]
    assert checked(message, now=now + 61)[0] == (Status.POLICY, "signature expired")
    assert checked(message, now=now - 48 * 3600)[0][0] is Status.POLICY


def test_lines_are_short() -> None:
    header = HEADER + b"".join(b"List-Id: %d\r\n" % n for n in range(200))
    for field in sign(header, [BODY], keys("a-rather-long-name.of.a.domain.example.org"), 1):
        assert field.endswith(b"\r\n")
        assert all(len(line) <= 78 and line.strip() for line in field.split(b"\r\n")[:-1])
    assert statuses(signed(header)) == BOTH


def test_one_reading_of_the_body_for_all_keys() -> None:
    chunks = iter([BODY[:9], BODY[9:]])
    fields = sign(HEADER, chunks, keys(), int(time.time()))
    assert next(chunks, None) is None
    assert statuses(b"".join(fields) + HEADER + b"\r\n" + BODY) == BOTH


@pytest.mark.parametrize("algorithm", Algorithm)
def test_keys_are_never_shown(algorithm: Algorithm) -> None:
    one = key(algorithm)
    assert "private" not in repr(one).lower()
    assert one.name == f"{algorithm.key_type}._domainkey.example.org"
    assert one.record.startswith(f"v=DKIM1; k={algorithm.key_type}; p=")
    assert len(records(one)) == 1


def test_unusable_private_keys() -> None:
    pem = generate(Algorithm.RSA)
    for bad in (b"", b"text", pem[:200], pem.replace(b"M", b"N", 5)):
        with pytest.raises(KeyUnusable) as caught:
            load_signing_key(bad, "example.org", "a")
        assert caught.value.__cause__ is None
        assert "PEM" in str(caught.value)
