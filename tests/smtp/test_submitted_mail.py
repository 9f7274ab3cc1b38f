"""What becomes of a submitted message: its author is the account, what lacks is added, Bcc goes."""

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from storage.directory_values import Submission
from tests.smtp.test_submission import logged_in
from tests.support.smtp_receiving import ADA, BEN, Client, Receiving, receiving

OUTSIDE = "x@elsewhere.test"
ANY: dict[str, Any] = {"submission": {"from_header": "any"}}


async def submit(client: Client, text: bytes, sender: str = ADA) -> str:
    """The answer to the data; the transaction before it is accepted."""
    for line in (f"MAIL FROM:<{sender}> BODY=8BITMIME SMTPUTF8", f"RCPT TO:<{OUTSIDE}>"):
        assert (await client.say(line))[:3] == "250"
    assert (await client.say("DATA"))[:3] == "354"
    return await client.say(text + b"\r\n.")


async def sent(running: Receiving, text: bytes, sender: str = ADA) -> EmailMessage:
    """The message in the store."""
    client = await running.client("submissions")
    await logged_in(client)
    answer = await submit(client, text, sender)
    assert answer[:3] == "250", answer
    return email.message_from_bytes(running.store.bodies[-1], policy=email.policy.SMTPUTF8)


FOREIGN = [
    "ben@example.test",
    "Ada <ada@bank.test>",
    "ada@example.test, ceo@bank.test",
    "ceo@bank.test, ada@example.test",
    '"ada@example.test" <ceo@bank.test>',
    "<ada@example.test> <ceo@bank.test>, <ceo@bank.test>",
    "ada@example.test@bank.test",
    "Staff: ada@example.test, ceo@bank.test;",
    "=?utf-8?q?ada=40example.test?= <ceo@bank.test>",
    "\r\n ceo@bank.test",
    "nobody@example.test",
    "ada@xn--exmple-cua.test",
]


@pytest.mark.parametrize("author", FOREIGN)
async def test_from_of_somebody_else_is_refused(tmp_path: Path, author: str) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submissions")
        await logged_in(client)
        answer = await submit(client, f"From: {author}\r\nSubject: x\r\n\r\nhello".encode())
        assert answer.startswith("550 5.7.1 The address in From is not one of yours: ")
        assert not running.store.delivered
        assert (await submit(client, b"From: ada@example.test\r\n\r\nhello"))[:3] == "250"


@pytest.mark.parametrize(
    "header",
    [
        "From: ada@example.test\r\nFrom: ceo@bank.test",
        "From: ada@example.test\r\nfrom : ada@example.test",
        "From: nobody",
        "From: ",
        "From: Undisclosed:;",
        "From: @example.test",
    ],
)
async def test_from_that_says_nobody_is_refused(tmp_path: Path, header: str) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submissions")
        await logged_in(client)
        assert (await submit(client, f"{header}\r\n\r\nhello".encode()))[:9] == "550 5.6.0"
        assert not running.store.delivered


@pytest.mark.parametrize(
    "author",
    [
        "ADA@Example.Test",
        "ada+shop@example.test",
        '"Both of us" <both@example.test>',
        "ada@example.test (Ada, at home)",
    ],
)
async def test_own_addresses_stay_as_they_are(tmp_path: Path, author: str) -> None:
    async with receiving(tmp_path) as running:
        found = await sent(running, f"From: {author}\r\n\r\nhello".encode())
        assert f"\r\nFrom: {author}\r\n".encode() in running.body
        assert found["Sender"] is None


async def test_a_from_that_could_be_read_otherwise_is_written_anew(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        doubtful = (
            b"From: ceo@bank.test <ada@example.test> ceo@bank.test\r\nSubject: x\r\n\r\nhello"
        )
        await sent(running, doubtful)
        assert b'\r\nFrom: "ceo@bank.test" <ada@example.test>\r\n' in running.body
        assert running.body.count(b"From: ") == 1


async def test_several_authors_have_a_sender(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        found = await sent(running, b"From: ada@example.test, both@example.test\r\n\r\nhello")
        assert found["Sender"] == ADA


@pytest.mark.parametrize("mine", [True, False])
async def test_sender_is_the_own_or_goes(tmp_path: Path, mine: bool) -> None:
    async with receiving(tmp_path) as running:
        named = "both@example.test" if mine else BEN
        found = await sent(running, f"Sender: {named}\r\nFrom: {ADA}\r\n\r\nhello".encode())
        assert found["Sender"] == (named if mine else None)


async def test_any_author_where_it_is_allowed(tmp_path: Path) -> None:
    async with receiving(tmp_path, **ANY) as running:
        found = await sent(running, b"From: The CEO <ceo@bank.test>\r\nSender: x@y.test\r\n\r\nhi")
        assert (found["From"], found.get_all("Sender")) == ("The CEO <ceo@bank.test>", [ADA])
        await running.directory.set_submission(ADA, Submission(from_header="own"))
        client = await running.client("submissions")
        await logged_in(client)
        assert (await submit(client, b"From: ceo@bank.test\r\n\r\nhi"))[:9] == "550 5.7.1"


async def test_any_author_of_one_account(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await running.directory.set_submission(ADA, Submission(from_header="any"))
        assert (await sent(running, b"From: ceo@bank.test\r\n\r\nhi"))["Sender"] == ADA
        client = await running.client("submissions")
        await logged_in(client, BEN)
        assert (await submit(client, b"From: ceo@bank.test\r\n\r\nhi", BEN))[:9] == "550 5.7.1"


async def test_what_is_missing_is_added(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        found = await sent(running, b"Subject: x\r\n\r\nhello", "ada+tag@example.test")
        assert found["From"] == "ada+tag@example.test"
        assert found["Message-ID"].endswith("@mx.example.test>") and found["Date"]
        assert (
            b"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii" in running.body
        )
        assert found["Content-Transfer-Encoding"] is None
        assert running.body.endswith(b"\r\nSubject: x\r\n\r\nhello\r\n")


@pytest.mark.parametrize(
    ("body", "charset"), [("grüße".encode(), "utf-8"), (b"gr\xfc\xdfe", "unknown-8bit")]
)
async def test_eight_bits_are_named(tmp_path: Path, body: bytes, charset: str) -> None:
    async with receiving(tmp_path) as running:
        found = await sent(running, b"From: ada@example.test\r\n\r\n" + body)
        assert found.get_content_charset() == charset
        assert found["Content-Transfer-Encoding"] == "8bit"
        assert running.body.endswith(body + b"\r\n")


async def test_a_text_without_header_gets_one(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        found = await sent(running, b"no header here\r\nnor there")
        assert found["From"] == ADA
        assert running.body.endswith(b"\r\n\r\nno header here\r\nnor there\r\n")
        found = await sent(running, b"\r\nbody alone")
        assert found["From"] == ADA and found.get_content().strip() == "body alone"


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_bcc_goes_and_nothing_else(tmp_path: Path, size: int) -> None:
    secret = b"Bcc: hidden@world.test,\r\n also-hidden@world.test\r\n"
    head = (
        b"From: ada@example.test\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\nMessage-ID: <1@x>\r\n"
    )
    head += b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
    junk, body = b"this is no field\r\n", b"Bcc: of the body\r\n" + b"text\r\n" * (size // 6)
    text = (
        head + secret + b"To: x@y.test\r\nRESENT-BCC: r@x.test\r\n" + junk + b"bcc:\r\n\r\n" + body
    )
    async with receiving(tmp_path) as running:
        await sent(running, text.removesuffix(b"\r\n"))
        assert running.body.endswith(b"\r\n" + head + b"To: x@y.test\r\n" + junk + b"\r\n" + body)
        assert b"hidden" not in running.body
        (delivery,) = running.store.delivered
        assert delivery.content.size == len(running.body)


async def test_the_account_has_a_name(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        account = await _account(running)
        await running.directory.add_account(
            "zoe@example.test", account.password_hash, name='Zoë "Z", of Ada'
        )
        client = await running.client("submissions")
        await logged_in(client, "zoe@example.test")
        assert (await submit(client, b"Subject: x\r\n\r\nhello", "zoe@example.test"))[:3] == "250"
        found = email.message_from_bytes(running.body, policy=email.policy.SMTP)
        (author,) = found["From"].addresses
        assert (author.display_name, author.addr_spec) == ('Zoë "Z", of Ada', "zoe@example.test")
        assert running.body.partition(b"\r\n\r\n")[0].isascii()


async def test_other_mail_is_not_touched(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        text = b"From: anybody\r\nFrom: else\r\nBcc: seen@world.test\r\n\r\nhello"
        assert (await client.say(text + b"\r\n."))[:3] == "250"
        assert running.body.endswith(b"\r\n" + text + b"\r\n")


async def _account(running: Receiving) -> Any:
    found = await running.directory.account(ADA)
    assert found is not None
    return found
