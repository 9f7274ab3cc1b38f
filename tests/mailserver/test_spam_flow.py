"""Spam in the whole server: from a real client by SMTP into Junk, seen by IMAP, explained."""

import asyncio
import imaplib
import re
import smtplib
from pathlib import Path
from typing import Any

import pytest

from filters.spam.rules.text import GTUBE
from mailserver import control
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA = "ada@example.test"
SPAM = (
    "From: PayPal Service <s@sender.test>\r\nTo: you@example.test\r\nReply-To: x@gmail.com\r\n"
    "Subject: VERIFY YOUR ACCOUNT\r\nMessage-ID: <spam.1@sender.test>\r\n"
    "Content-Type: text/html\r\n\r\nYour account will be suspended."
    '<a href="http://8.8.4.4/x">www.paypal.com</a>\r\n'
)
EXTRA = """
[filters]
local_networks = []
[spam]
reject_at = 40.0
[spam.weights]
PHISHING = 4.25
"""


def send(server: ServerProcess, text: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), "mail.sender.test", 20) as client:
        client.sendmail("s@sender.test", [ADA], text)


def test_it_lies_in_junk_and_tells_why(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, configuration(extra=EXTRA)) as server:
        server.add_account(ADA)
        send(server, SPAM)
        with imaplib.IMAP4("127.0.0.1", server.port("imap")) as client:
            client.login(ADA, PASSWORD)
            assert client.select("Junk")[1] == [b"1"]
            _, found = client.fetch("1", "(FLAGS BODY[HEADER])")
            assert isinstance(found[0], tuple)
            header = found[0][1].replace(b"\r\n ", b" ")
            flags = b"".join(one if isinstance(one, bytes) else one[0] for one in found)
            assert b"$Junk" in flags
            assert b"X-Spam-Status: Yes, score=" in header
            assert b"PHISHING=4.25 (www.paypal.com leads to 8.8.4.4)" in header
            client.select("INBOX")
            assert client.search(None, "ALL")[1] == [b""]
        (told,) = explain(server)
        lines = "\n".join(str(one["text"]) for one in told["happenings"])
        assert "PHISHING" in lines
        assert re.search(r"^Without PHISHING .*, below 5 for", lines, re.MULTILINE), lines
        with pytest.raises(smtplib.SMTPDataError) as refused:
            send(server, SPAM.replace("<a ", f"{GTUBE} <a "))
        assert refused.value.smtp_code == 554
        assert b"5.7.1 This message looks like spam (id " in refused.value.smtp_error


def explain(server: ServerProcess) -> list[dict[str, Any]]:
    asked = {"id": "<spam.1@sender.test>"}
    found: list[dict[str, Any]] = asyncio.run(
        control.call(server.data, "explain", asked, lambda *_: None)
    )
    return found
