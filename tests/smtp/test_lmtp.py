"""LMTP over real sockets: LHLO, one answer a recipient, no relaying."""

from pathlib import Path

from storage.errors import StoreFull
from tests.support.smtp_receiving import ADA, BEN, OUTSIDE, receiving


async def test_one_answer_a_recipient(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("lmtp")
        await client.begin(OUTSIDE, ADA, BEN, verb="LHLO")
        answers = [await client.say("Subject: x\r\n\r\n."), await client.reply()]
        assert [answer[:9] for answer in answers] == ["250 2.0.0"] * 2
        assert b"with LMTP id" in running.body
        assert (await client.say("NOOP"))[:3] == "250"


async def test_failures_are_told_for_each(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        running.store.failure = StoreFull("full")
        client = await running.client("lmtp")
        await client.begin(OUTSIDE, ADA, BEN, verb="LHLO")
        client.write(b"Subject: x\r\n\r\n.\r\n")
        assert [(await client.reply())[:9] for _ in range(2)] == ["452 4.3.1"] * 2
        await client.say(f"MAIL FROM:<{OUTSIDE}>")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say(f"RCPT TO:<{BEN}>")
        client.write(b"BDAT 6 LAST\r\nab\nc\r\n")
        assert [(await client.reply())[:9] for _ in range(2)] == ["550 5.6.0"] * 2
        assert (await client.say("NOOP"))[:3] == "250"


async def test_only_lhlo_greets(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("lmtp")
        await client.reply()
        assert (await client.say("EHLO x"))[:3] == "500"
        assert (await client.say("HELO x"))[:3] == "500"
        assert (await client.say("LHLO x"))[:3] == "250"
