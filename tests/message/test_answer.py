"""Vacation notices and notifications: what they say, and that nothing can be smuggled into them."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.answer import Author, build_notification, build_vacation
from message.automatic import Incoming, refusal

AUTHOR = Author("ada@example.test", datetime(2026, 1, 2, tzinfo=UTC), "one@mx.example.test", "Ada")
ORIGINAL = (
    b"From: Bob <bob@there.test>\r\nTo: ada@example.test\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <two@there.test>\r\nReferences: <one@there.test>\r\n"
)


def parsed(data: bytes) -> EmailMessage:
    assert b"\n" not in data.replace(b"\r\n", b"")
    found = message_from_bytes(data, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_vacation_notice_answers_the_message() -> None:
    made = parsed(build_vacation(AUTHOR, "bob@there.test", "Back on Monday.", ORIGINAL))
    assert (made["From"], made["To"]) == ("Ada <ada@example.test>", "bob@there.test")
    assert made["Subject"] == "Auto: Grüße"
    assert made["In-Reply-To"] == "<two@there.test>"
    assert made["References"] == "<one@there.test> <two@there.test>"
    assert made["Auto-Submitted"] == "auto-replied (vacation)"
    assert made.get_content().strip() == "Back on Monday."
    assert "bücher@there.test" in build_vacation(AUTHOR, "bücher@there.test", "x", b"").decode()


def test_nobody_answers_it() -> None:
    data = build_vacation(AUTHOR, "bob@there.test", "Away", ORIGINAL)
    header = data[: data.index(b"\r\n\r\n") + 2]
    incoming = Incoming("ada@example.test", header, frozenset(["bob@there.test"]))
    assert refusal(incoming) == "it is an automatic message"


@pytest.mark.parametrize("reason", ["Grüße aus Rom", "x" * 2000, "nul \0 here", "dots\n.\nend"])
def test_any_text_arrives(reason: str) -> None:
    made = build_vacation(AUTHOR, "bob@there.test", reason, b"")
    assert parsed(made).get_content().replace("\r\n", "\n").rstrip("\n") == reason
    assert parsed(made)["Subject"] == "Automated reply"
    assert max(map(len, made.split(b"\r\n"))) <= 998


def test_a_mime_entity_brings_its_kind_and_nothing_else() -> None:
    entity = "Content-Type: text/html\nBcc: all@there.test\n\n<b>away</b>\n"
    made = parsed(build_vacation(AUTHOR, "bob@there.test", entity, ORIGINAL, mime=True))
    assert made.get_content_type() == "text/html" and made["Bcc"] is None
    assert made.get_content().strip() == "<b>away</b>"


def test_a_notification_says_whose_it_is() -> None:
    made = parsed(
        build_notification(
            AUTHOR,
            ["phone@there.test"],
            "From the boss",
            "Read it.",
            owner="ada@example.test",
            importance=1,
            fields=[("X-Priority", "1"), ("Bcc", "all@there.test"), ("From", "boss@there.test")],
        )
    )
    assert made["Auto-Submitted"] == 'auto-notified; owner-email="ada@example.test"'
    assert (made["Importance"], made["X-Priority"]) == ("high", "1")
    assert made["Bcc"] is None and made.get_all("From") == ["Ada <ada@example.test>"]


@given(st.text(), st.text(), st.text(), st.binary())
def test_no_field_can_be_added(sender: str, subject: str, reason: str, original: bytes) -> None:
    author = Author(sender, AUTHOR.now, "one@mx.example.test", reason)
    made = build_vacation(author, "bob@there.test", reason, original, subject=subject)
    names = [line.partition(b":")[0] for line in made.partition(b"\r\n\r\n")[0].split(b"\r\n")]
    allowed = {
        *(b"From", b"To", b"Subject", b"Date", b"Message-ID", b"In-Reply-To", b"References"),
        *(b"Auto-Submitted", b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding"),
    }
    assert all(name in allowed or name[:1] in (b" ", b"") for name in names)
