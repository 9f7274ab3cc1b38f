"""Notifications come back as what was told; whatever else comes is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.compose_fields import text
from message.mdn import Notification, Parsed, build_mdn, is_extension, parse_mdn, wanted_by

ORIGINAL = b"Subject: first\r\nMessage-ID: <1@x.test>\r\n\r\nHello\r\n"
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60).map(
    lambda value: " ".join(value.split())
)


@given(LINE, LINE, st.sampled_from(["displayed", "deleted", "dispatched", "processed"]))
def test_what_is_built_is_read(agent: str, extra: str, kind: str) -> None:
    told = Notification(
        "manual-action",
        "mdn-sent-manually",
        kind,
        "rfc822; ada@example.test",
        message_id="<1@x.test>",
        reporting_ua=agent,
        extensions=(("X-More", extra),) if extra else (),
    )
    for original in (ORIGINAL, ORIGINAL.partition(b"Hello")[0]):
        data = build_mdn([text("Subject", "Read: ü")], "I saw it.\n", told, original, "s@x").data
        assert parse_mdn(data) == Parsed(told, "Read: ü", "I saw it.\n", original == ORIGINAL)


def test_a_notification_of_another_program() -> None:
    data = b"""From: x@y.test
Subject: Read
Content-Type: multipart/report; report-type=disposition-notification; boundary="b"

--b
Content-Type: text/plain

Seen.
--b
Content-Type: message/disposition-notification

reporting-ua: host; Program 1
Final-Recipient: RFC822;carol@y.test
Original-Message-ID: <1@x.test>
Disposition: Automatic-Action/MDN-sent-Automatically;Processed/error
Error: no disk
Failure: none

--b--
"""
    found = parse_mdn(data)
    assert found is not None and found.text.strip() == "Seen."
    told = found.notification
    assert (told.action, told.sending, told.type) == (
        "automatic-action",
        "mdn-sent-automatically",
        "processed",
    )
    assert told.errors == ("no disk",) and told.reporting_ua == "host; Program 1"


@given(st.binary(max_size=400))
def test_anything_may_come(data: bytes) -> None:
    parse_mdn(data)
    wanted_by(data)


@pytest.mark.parametrize(
    ("disposition", "known"),
    [
        ("manual-action/mdn-sent-manually; displayed", True),
        ("manual-action/mdn-sent-manually; eaten", False),
        ("displayed", False),
    ],
)
def test_dispositions(disposition: str, known: bool) -> None:
    kind = b"Content-Type: message/disposition-notification\r\n\r\n"
    data = kind + f"Disposition: {disposition}\r\n".encode()
    assert (parse_mdn(data) is not None) is known


def test_who_wants_one() -> None:
    def asks(value: str) -> str:
        return wanted_by(f"Disposition-Notification-To: {value}\r\n".encode())

    assert asks("Ada <ada@x.test>") == "ada@x.test"
    assert asks("a@x.test, b@x.test") == "" and asks("nobody") == "" and wanted_by(b"") == ""


def test_fields_that_may_be_added() -> None:
    assert is_extension("X-More")
    assert not any(map(is_extension, ["Disposition", "a b", "", "X:", "1x", "Error"]))
