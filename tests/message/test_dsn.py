"""Delivery reports: their three parts as the standard library reads them, and their limits."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage, Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.crlf import is_crlf
from message.dsn import Action, RecipientStatus, Report, build_dsn
from message.scan import scan

NOW = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)
ORIGINAL = (
    b"From: alice@x.test\r\nTo: bob@y.test\r\nSubject: =?utf-8?q?h=C3=A9llo?=\r\n"
    b"Message-ID: <orig@x.test>\r\n\r\nThe body.\r\n"
)
BOB = RecipientStatus(
    "bob@y.test",
    Action.FAILED,
    "5.1.1",
    original="rfc822;bob@y.test",
    remote_mta="mx.y.test",
    diagnostic="550 5.1.1 <bob@y.test> no such user",
    last_attempt=NOW,
)
REPORT = Report(
    reporting_mta="mx.x.test",
    sender="alice@x.test",
    recipients=(BOB,),
    original=ORIGINAL,
    arrival=NOW - timedelta(hours=1),
    now=NOW,
    message_id="report@mx.x.test",
    envelope_id="QQ314159",
)


def read(report: Report) -> tuple[EmailMessage, list[Message], Message]:
    """(the report, per-recipient blocks, the returned part)."""
    data = build_dsn(report)
    assert is_crlf(data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert len(scan(data).children) == 3
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    _, status, returned = message.iter_parts()
    payload = status.get_payload()
    assert isinstance(payload, list)
    blocks = [block for block in payload if isinstance(block, Message)]
    return message, blocks, returned


def text_of(message: EmailMessage) -> str:
    part = next(message.iter_parts())
    assert isinstance(part, EmailMessage)
    content = part.get_content()
    assert isinstance(content, str)
    return content


def test_a_failure_report() -> None:
    message, (whole, bob), returned = read(REPORT)
    assert message["To"] == "alice@x.test"
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON@mx.x.test>"
    assert message["Subject"] == "Undelivered: héllo"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == message["References"] == "<orig@x.test>"
    assert message["Message-ID"] == "<report@mx.x.test>"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert dict(whole.items()) == {
        "Original-Envelope-Id": "QQ314159",
        "Reporting-MTA": "dns; mx.x.test",
        "Arrival-Date": "Thu, 29 Feb 2024 11:00:00 +0000",
    }
    assert dict(bob.items()) == {
        "Original-Recipient": "rfc822; bob@y.test",
        "Final-Recipient": "rfc822; bob@y.test",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.y.test",
        "Diagnostic-Code": "smtp; 550 5.1.1 <bob@y.test> no such user",
        "Last-Attempt-Date": "Thu, 29 Feb 2024 12:00:00 +0000",
    }
    assert returned.get_content_type() == "text/rfc822-headers"
    assert b"The body." not in build_dsn(REPORT)


def test_the_words_say_what_happened() -> None:
    message, _, _ = read(REPORT)
    text = text_of(message)
    assert "could not be delivered to:" in text
    assert "<bob@y.test>" in text
    assert "There is no such address at that domain." in text
    assert "mx.y.test answered: 550 5.1.1" in text


def test_a_delay_report_says_how_long_attempts_go_on() -> None:
    late = replace(
        BOB, action=Action.DELAYED, status="4.4.1", will_retry_until=NOW + timedelta(days=5)
    )
    message, (_, bob), _ = read(replace(REPORT, recipients=(late,)))
    assert message["Subject"] == "Delayed: héllo"
    assert bob["Action"] == "delayed"
    assert bob["Will-Retry-Until"] == "Tue, 05 Mar 2024 12:00:00 +0000"
    text = text_of(message)
    assert "does not answer" in text
    assert "Attempts go on until Tue, 05 Mar 2024" in text


def test_one_report_for_several_fates() -> None:
    done = RecipientStatus("c@y.test", Action.DELIVERED, "2.0.0")
    relayed = RecipientStatus("d@y.test", Action.RELAYED, "2.0.0")
    message, blocks, _ = read(replace(REPORT, recipients=(done, relayed, BOB)))
    assert message["Subject"] == "Undelivered: héllo"
    assert [block["Action"] for block in blocks[1:]] == ["delivered", "relayed", "failed"]
    only, _, _ = read(replace(REPORT, recipients=(done,)))
    assert only["Subject"] == "Delivered: héllo"
    assert "Your message was delivered to:" in text_of(only)


def test_the_whole_message_comes_back_up_to_its_limit() -> None:
    _, _, returned = read(replace(REPORT, full=True))
    assert returned.get_content_type() == "message/rfc822"
    data = build_dsn(replace(REPORT, full=True))
    part = scan(data).children[2]
    assert data[part.body_offset : part.body_offset + part.body_length] == ORIGINAL
    _, _, returned = read(replace(REPORT, full=True, max_full=len(ORIGINAL) - 1))
    assert returned.get_content_type() == "text/rfc822-headers"


def test_reports_in_utf8_and_in_ascii() -> None:
    zoe = replace(BOB, final="zoë@y.test", diagnostic="550 nö", original="utf-8;zoë@y.test")
    original = "Subject: hé\r\nMessage-ID: <o@x>\r\n\r\nbödy\r\n".encode()
    report = replace(REPORT, recipients=(zoe,), original=original, full=True)
    plain = build_dsn(report)
    assert plain.isascii()
    assert b"Final-Recipient: utf-8; zo\\x{EB}@y.test\r\n" in plain
    assert b"Original-Recipient: utf-8; zo\\x{EB}@y.test\r\n" in plain
    assert b"Diagnostic-Code: smtp; 550 n?\r\n" in plain
    assert b"Content-Transfer-Encoding: quoted-printable\r\n\r\nSubject: h=C3=A9" in plain
    utf8 = build_dsn(replace(report, smtputf8=True, sender="änne@x.test"))
    assert b"report-type=global-delivery-status" in utf8
    assert "To: <änne@x.test>\r\n".encode() in utf8
    assert "Final-Recipient: utf-8; zoë@y.test\r\n".encode() in utf8
    assert [part.content_type for part in scan(utf8).children] == [
        "text/plain",
        "message/global-delivery-status",
        "message/global",
    ]
    headers = build_dsn(replace(report, smtputf8=True, full=False))
    assert scan(headers).children[2].content_type == "message/global-headers"


@pytest.mark.parametrize(
    "original",
    [
        b"",
        b"Subject: x\n\nlf only\n",
        b"X: " + b"a" * 5000 + b"\r\n\r\n",
        b"Subject: x\r\n\r\n" + b"b" * 5000,
        b"Subject: \0\r\n\r\n\0",
        b"A: b\r\n" * 50_000,
        b"\r\nno header",
        b"--=_\r\nContent-Type: multipart/mixed\r\n\r\n--=_--\r\n",
    ],
)
def test_any_original_can_be_returned(original: bytes) -> None:
    for full in (False, True):
        data = build_dsn(replace(REPORT, original=original, full=full))
        assert max(map(len, data.split(b"\r\n"))) <= 998
        assert b"\0" not in data
        assert len(data) < 300_000
        assert len(scan(data).children) == 3


def test_nothing_from_outside_starts_a_field() -> None:
    evil = replace(
        BOB,
        final="a\r\nX-Evil: 1@b",
        diagnostic="550 x\r\nX-Evil: 1\r\n\r\n--=_",
        remote_mta="m\r\nX-Evil: 1",
        original="rfc822;o\r\nX-Evil: 1",
    )
    data = build_dsn(
        replace(REPORT, recipients=(evil,), envelope_id="e\r\nX-Evil: 1", sender="s\r\nX-Evil: 1")
    )
    assert b"\r\nX-Evil:" not in data.split(b"Content-Type: text/rfc822-headers")[0]


@given(st.text(max_size=80), st.text(max_size=300), st.binary(max_size=200), st.booleans())
def test_any_values_give_a_report_of_three_parts(
    name: str, diagnostic: str, original: bytes, utf8: bool
) -> None:
    one = replace(BOB, final=name, diagnostic=diagnostic)
    data = build_dsn(
        replace(REPORT, recipients=(one,), original=original, smtputf8=utf8, full=True)
    )
    assert len(scan(data).children) == 3
    assert is_crlf(data)


def test_what_the_sender_had_asked_for_is_told() -> None:
    """The fields of RFC 2852 §5 and of RFC 4865; the times of any zone in UTC."""
    zone = timezone(timedelta(hours=2))
    later = NOW.astimezone(zone) + timedelta(hours=3)
    _, (whole, *_), _ = read(replace(REPORT, hold_until=later, deliver_by=NOW))
    assert whole["Future-Release-Request"] == "until; 2024-02-29T15:00:00Z"
    assert whole["Deliver-By-Date"] == "Thu, 29 Feb 2024 12:00:00 +0000"
