"""Authentication-Results in stored mail: one of ours with what was found, none that pretends."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from filters.authentication.results import (
    ArcResult,
    DkimResult,
    DmarcResult,
    Identity,
    Outcome,
    Result,
    SpfResult,
)
from filters.context import Context
from filters.filter import Filter
from filters.verdict import Verdict
from message.authentication_results import parse_results
from message.headers import all_values, header_block
from tests.smtp.test_smtp_store import ids, mails, stored
from tests.support.smtp_receiving import ADA, OUTSIDE, Receiving, receiving

FOUND: tuple[Result, ...] = (
    SpfResult(Outcome.SOFTFAIL, Identity.MAIL_FROM, "elsewhere.test", "why"),
    DkimResult(Outcome.PASS, "a.test", "s1", "@m.a.test", "rsa-sha256", "Ab/+c="),
    DmarcResult(Outcome.FAIL, "a.test", "a.test", "reject", "quarantine"),
    ArcResult(Outcome.NONE),
)
OURS = "mx.example.test; dkim=pass header.d=bank.test"
KEPT = b"Authentication-Results: other.test; spf=pass\r\n"


@dataclass
class Telling(Filter):
    """Says at DATA what it is told to say."""

    results: tuple[Result, ...] = ()
    name = "telling"

    async def data(self, context: Context) -> Verdict:
        return Verdict(results=self.results)


async def send(running: Receiving, message: bytes) -> None:
    client = await running.client()
    await client.begin(OUTSIDE, ADA)
    client.write(message + b".\r\n")
    assert (await client.reply())[:3] == "250"


async def test_one_field_tells_what_was_found(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[Telling(FOUND)]) as running:
        await send(running, b"From: a@a.test\r\n\r\ntext\r\n")
        names = [line.partition(b":")[0] for line in running.body.split(b"\r\n")]
        assert names.index(b"Received") < names.index(b"Authentication-Results")
        (value,) = all_values(header_block(running.body), b"Authentication-Results")
        read = parse_results(value)
        assert read.authserv_id == "mx.example.test"
        assert [(one.method, one.result, one.reason) for one in read.statements] == [
            ("spf", "softfail", "why"),
            ("dkim", "pass", ""),
            ("dmarc", "fail", ""),
            ("arc", "none", ""),
        ]
        assert read.statements[0].value("smtp", "mailfrom") == "elsewhere.test"
        assert {name: text for _, name, text in read.statements[1].properties} == {
            "d": "a.test",
            "i": "@m.a.test",
            "s": "s1",
            "a": "rsa-sha256",
            "b": "Ab/+c=",
        }
        assert read.statements[2].value("header", "from") == "a.test"


async def test_without_results_there_is_no_field(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[]) as running:
        await send(running, b"From: a@a.test\r\n\r\ntext\r\n")
        assert b"Authentication-Results" not in running.body


@pytest.mark.parametrize("size", [0, 300_000, 3_000_000])
async def test_fields_in_our_name_are_taken_out(tmp_path: Path, size: int) -> None:
    """In memory and spooled; all other octets stay as they were."""
    spoofed = f"Authentication-Results: {OURS}\r\n".encode()
    folded = f"AUTHENTICATION-results:\r\n\t{OURS};\r\n\tspf=pass\r\n".encode()
    body = b"\r\ntext\r\n" + (b"\xe9" * 76 + b"\r\n") * (size // 78)
    sent = b"From: a@a.test\r\n%bX: 1\r\n%b%bSubject: s\r\n%b"
    async with stored(tmp_path) as running:
        await send(running, sent % (spoofed, folded, KEPT, body))
        ada, _ = await ids(running)
        (mail,) = await mails(running, ada)
        assert mail.endswith(b"\r\nFrom: a@a.test\r\nX: 1\r\n%bSubject: s\r\n%b" % (KEPT, body))
        assert b"bank.test" not in mail
        assert list(running.store.spool_dir.iterdir()) == []


async def test_a_header_of_nothing_but_pretence(tmp_path: Path) -> None:
    async with stored(tmp_path) as running:
        await send(running, f"Authentication-Results: {OURS}\r\n\r\ntext\r\n".encode())
        ada, _ = await ids(running)
        (mail,) = await mails(running, ada)
        assert mail.endswith(b"\r\n\r\ntext\r\n") and b"bank.test" not in mail


async def test_copies_for_others_lack_them_too(tmp_path: Path) -> None:
    """What is queued for a forwarding address is the same cleaned message."""
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin(OUTSIDE, "away@example.test")
        client.write(f"From: a@a.test\r\nAuthentication-Results: {OURS}\r\n\r\nx\r\n.\r\n".encode())
        assert (await client.reply())[:3] == "250"
        assert running.body.endswith(b"\r\nFrom: a@a.test\r\n\r\nx\r\n")
        assert running.store.delivered[0].content.size == len(running.body)


async def test_a_server_in_front_may_have_our_name(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[]) as running:
        client = await running.client("lmtp")
        await client.begin(OUTSIDE, ADA, verb="LHLO")
        client.write(f"Authentication-Results: {OURS}\r\n\r\nx\r\n.\r\n".encode())
        assert (await client.reply())[:3] == "250"
        assert OURS.encode() in running.body
