"""Spam in the whole server: from a real client by SMTP into Junk, seen by IMAP, explained."""

import asyncio
import imaplib
import re
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest

from filters.spam.rules.text import GTUBE
from mailserver import control
from tests.support.server import PASSWORD, ServerProcess, configuration, until

ADA, CY = "ada@example.test", "cy@example.test"
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("spam")
    with ServerProcess(folder, configuration(extra=EXTRA)) as started:
        for address in (ADA, CY):
            add(started, address)
        yield started


def add(server: ServerProcess, address: str) -> None:
    perform(server, "account.add", address=address, password=PASSWORD)


def perform(server: ServerProcess, operation: str, **given: object) -> Any:
    return asyncio.run(control.call(server.data, operation, given, lambda *_: None))


def send(server: ServerProcess, text: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), "mail.sender.test", 20) as client:
        client.sendmail("s@sender.test", [ADA], text)


def test_it_lies_in_junk_and_tells_why(server: ServerProcess) -> None:
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
    (told,) = perform(server, "explain", id="<spam.1@sender.test>")
    lines = "\n".join(str(one["text"]) for one in told["happenings"])
    assert "PHISHING" in lines
    assert re.search(r"^Without PHISHING .*, below 5 for", lines, re.MULTILINE), lines
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(server, SPAM.replace("<a ", f"{GTUBE} <a "))
    assert refused.value.smtp_code == 554
    assert b"5.7.1 This message looks like spam (id " in refused.value.smtp_error


LETTER = (
    "From: Shop <news@shop.test>\r\nTo: you@example.test\r\nSubject: Prices\r\n"
    "Date: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{name}@shop.test>\r\n\r\n"
    "Dear {name},\r\nthe best watches of the whole world are sold by us at half their price, and"
    " whoever buys three of them gets a fourth one for nothing, with a leather strap and a box"
    " made of fine old wood; do not wait until tomorrow, since only a few are left.\r\n"
)


def marked_by(server: ServerProcess, address: str) -> None:
    """The account moves what came into its Junk."""
    add(server, address)
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), "mail.shop.test", 20) as client:
        client.sendmail("news@shop.test", [address], LETTER.format(name=address[:3]))
    with imaplib.IMAP4("127.0.0.1", server.port("imap")) as imap:
        imap.login(address, PASSWORD)
        imap.select("INBOX")
        assert imap.uid("MOVE", "1", "Junk")[0] == "OK"


def test_what_two_users_call_spam_is_known_to_the_third(server: ServerProcess) -> None:
    for address in ("ben@example.test", "eve@example.test"):
        marked_by(server, address)
    sent = 0

    def is_known() -> bool:
        nonlocal sent
        sent += 1
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), "mail.else.test", 20) as client:
            letter = LETTER.format(name=f"number{sent}").replace("shop.test", "else.test")
            client.sendmail("news@else.test", [CY], letter)
        with imaplib.IMAP4("127.0.0.1", server.port("imap")) as imap:
            imap.login(CY, PASSWORD)
            headers = b""
            for mailbox in ("INBOX", "Junk"):  # what is known may be more than doubtful
                imap.select(mailbox)
                _, numbers = imap.search(None, "TEXT", f"number{sent}")
                for number in numbers[0].split():
                    _, found = imap.fetch(number.decode(), "(BODY.PEEK[HEADER])")
                    headers += b"".join(one[1] for one in found if isinstance(one, tuple))
            assert headers
            return b"FUZZY_SPAM=" in headers

    until(is_known, 40, 0.5)
