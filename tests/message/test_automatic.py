"""What may be answered by a program: RFC 3834 §2."""

import pytest

from message.automatic import Incoming, refusal

OWN = frozenset(("ada@example.test", "sales@example.test"))
TO = b"To: Sales <Sales@example.test>\r\n"


def incoming(header: bytes = TO, sender: str = "friend@far.test", **more: bool) -> Incoming:
    return Incoming(sender, header, OWN, **more)


@pytest.mark.parametrize(
    "header",
    [
        TO,
        b"Cc: a@b.test, ada@example.test\r\n",
        b"Resent-To: ada@example.test\r\n",
        TO + b"Auto-Submitted: no\r\n",
        TO + b"Precedence: first-class\r\n",
        TO + b"X-Auto-Response-Suppress: None\r\n",
    ],
)
def test_letters_may_be_answered(header: bytes) -> None:
    assert refusal(incoming(header)) == ""


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"", "does not name"),
        (b"To: other@example.test\r\n", "does not name"),
        (TO + b"Auto-Submitted: auto-generated\r\n", "automatic"),
        (TO + b"auto-submitted: auto-replied; owner=x\r\n", "automatic"),
        (TO + b"Precedence: Bulk\r\n", "bulk"),
        (TO + b"List-Id: <x.test>\r\n", "list"),
        (TO + b"List-Unsubscribe: <mailto:x@y.test>\r\n", "list"),
        (TO + b"X-Auto-Response-Suppress: DR, OOF\r\n", "no answer"),
        (TO + b"Content-Type: multipart/report; report-type=delivery-status\r\n", "report"),
    ],
)
def test_what_says_of_itself_that_nobody_waits(header: bytes, why: str) -> None:
    assert why in refusal(incoming(header))


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "MAILER-DAEMON@far.test",
        "owner-list@far.test",
        "list-request@far.test",
        "list-bounces@far.test",
        "bounces+123=ada@far.test",
        "no-reply@far.test",
        "noreply@far.test",
        "SRS0=aaaaaaaa=aa=x.test=y@far.test",
        "Ada@example.test",
    ],
)
def test_programs_lists_and_oneself_are_not_answered(sender: str) -> None:
    assert refusal(incoming(sender=sender))


def test_forgeries_and_spam_are_not_answered() -> None:
    assert "forged" in refusal(incoming(forged=True))
    assert "spam" in refusal(incoming(suspicious=True))
