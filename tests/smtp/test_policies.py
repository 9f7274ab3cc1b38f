"""`[[policy]]` as clients meet it: at connect, with the sender, by recipient, with the message."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from filters.context import Context
from filters.filter import Filter
from filters.verdict import Verdict, reject
from tests.support.smtp_receiving import (
    ADA,
    BEN,
    OUTSIDE,
    Client,
    Receiving,
    receiving,
    without_id,
)


def ruled(folder: Path, *rules: dict[str, Any]) -> AbstractAsyncContextManager[Receiving]:
    return receiving(folder, policy=list(rules))


async def opened(running: Receiving, listener: str = "smtp", sender: str = OUTSIDE) -> Client:
    client = await running.client(listener)
    await client.greet("LHLO" if listener == "lmtp" else "EHLO")
    assert (await client.say(f"MAIL FROM:<{sender}>"))[:3] == "250"
    return client


async def test_a_listener_that_refuses_a_network(tmp_path: Path) -> None:
    rule = {"listener": "smtp", "network": "127.0.0.0/8", "action": "refuse", "text": "not today"}
    async with ruled(tmp_path, rule) as running:
        refused = await running.client()
        assert without_id(await refused.reply()) == "554 5.7.1 not today"
        assert await refused.closed()
        assert (await (await running.client("submission")).reply())[:3] == "220"


async def test_partners_are_taken_and_others_deferred(tmp_path: Path) -> None:
    rules = (
        {"sender_domain": ["partner.test", "*.partner.test"], "action": "accept"},
        {"listener": "smtp", "action": "defer"},
    )
    async with ruled(tmp_path, *rules) as running:
        client = await opened(running, sender="a@sub.partner.test")
        assert (await client.say(f"RCPT TO:<{ADA}>"))[:3] == "250"
        await client.say("RSET")
        for sender in (OUTSIDE, ""):
            assert (await client.say(f"MAIL FROM:<{sender}>"))[:9] == "450 4.7.1"
        await opened(running, "lmtp")


async def test_tls_may_be_required_of_senders_and_for_recipients(tmp_path: Path) -> None:
    rules = (
        {"sender_domain": "secret.test", "require_tls": True},
        {"recipient_domain": "example.test", "sender_domain": "<>", "require_tls": True},
    )
    async with ruled(tmp_path, *rules) as running:
        client = await running.client()
        await client.greet()
        assert (await client.say("MAIL FROM:<a@secret.test>"))[:9] == "530 5.7.0"
        assert (await client.say("MAIL FROM:<>"))[:3] == "250"
        assert (await client.say(f"RCPT TO:<{ADA}>"))[:10] == "550 5.7.10"
        assert (await client.say("STARTTLS"))[:3] == "220"
        await client.starttls()
        await client.say("EHLO client.test")
        assert (await client.say("MAIL FROM:<a@secret.test>"))[:3] == "250"


async def test_sizes_are_announced_and_kept(tmp_path: Path) -> None:
    rules = (
        {"listener": "smtp", "message_size": 2000},
        {"listener": "lmtp", "recipient_domain": "example.test", "message_size": 100},
    )
    async with ruled(tmp_path, *rules) as running:
        client = await running.client()
        assert "\n250-SIZE 2000\n" in await client.greet()
        assert (await client.say(f"MAIL FROM:<{OUTSIDE}> SIZE=2001"))[:9] == "552 5.3.4"
        assert (await client.say(f"MAIL FROM:<{OUTSIDE}> SIZE=2000"))[:3] == "250"
        local = await opened(running, "lmtp")
        await local.say(f"RCPT TO:<{ADA}>")
        await local.say("DATA")
        assert (await local.say(b"A: b\r\n\r\n" + b"x" * 100 + b"\r\n."))[:9] == "552 5.3.4"
        assert running.store.delivered == []


async def test_recipients_and_rates(tmp_path: Path) -> None:
    rule = {"sender_domain": "bulk.test", "recipients": 1, "messages_per_minute": 2}
    async with ruled(tmp_path, rule) as running:
        client = await opened(running, sender="a@bulk.test")
        answers = [(await client.say(f"RCPT TO:<{to}>"))[:9] for to in (ADA, BEN)]
        assert answers == ["250 2.1.5", "452 4.5.3"]
        codes = []
        for _ in range(2):
            await client.say("RSET")
            codes.append((await client.say("MAIL FROM:<b@bulk.test>"))[:9])
        assert codes == ["250 2.1.0", "450 4.7.1"]
        assert (await client.say(f"MAIL FROM:<{OUTSIDE}>"))[:3] == "250"
        assert [(await client.say(f"RCPT TO:<{to}>"))[:3] for to in (ADA, BEN)] == ["250", "250"]


class Never(Filter):
    """Refuses everything, under the name of a filter that rules can skip."""

    name = "greylist"

    async def rcpt(self, context: Context) -> Verdict:
        return reject("never")

    async def data(self, context: Context) -> Verdict:
        return reject("never ever")


async def test_filters_are_skipped_when_all_recipients_agree(tmp_path: Path) -> None:
    rules: list[Any] = [{"recipient_domain": "example.test", "skip": ["greylist"]}]
    async with receiving(tmp_path, policy=rules, own_filters=[Never()]) as running:
        await running.directory.add_domain("more.test")
        await running.directory.add_alias("x@more.test", [ADA])
        client = await opened(running)
        assert (await client.say("RCPT TO:<x@more.test>"))[:3] == "550"
        assert (await client.say(f"RCPT TO:<{ADA}>"))[:3] == "250"
        assert (await client.say("DATA"))[:3] == "354"
        assert (await client.say("Subject: x\r\n\r\n."))[:3] == "250"
    rules = [{"sender_domain": "elsewhere.test", "skip": ["greylist"]}]
    async with receiving(tmp_path, policy=rules, own_filters=[Never()]) as running:
        client = await opened(running)
        assert (await client.say(f"RCPT TO:<{ADA}>"))[:3] == "250"
        await client.say("RSET")
        await client.say("MAIL FROM:<a@other.test>")
        assert (await client.say(f"RCPT TO:<{ADA}>"))[:3] == "550"


class NeverAtData(Filter):
    """Takes every recipient and no message."""

    name = "greylist"

    async def data(self, context: Context) -> Verdict:
        return reject("never ever")


async def test_what_recipients_do_not_share_is_decided_by_the_strictest(tmp_path: Path) -> None:
    rules: list[Any] = [
        {"recipient_domain": "more.test", "message_size": 50},
        {"recipient_domain": "example.test", "skip": ["greylist"]},
    ]
    async with receiving(tmp_path, policy=rules, own_filters=[NeverAtData()]) as running:
        await running.directory.add_domain("more.test")
        await running.directory.add_alias("x@more.test", [BEN])
        client = await opened(running)
        for recipients, length, expected in (
            (("x@more.test", ADA), 1, "550 5.7.1"),
            (("x@more.test", ADA), 60, "552 5.3.4"),
            ((ADA, BEN), 60, "250 2.0.0"),
        ):
            await client.say("RSET")
            await client.say(f"MAIL FROM:<{OUTSIDE}>")
            for recipient in recipients:
                assert (await client.say(f"RCPT TO:<{recipient}>"))[:3] == "250"
            await client.say("DATA")
            assert (await client.say(b"A: b\r\n\r\n" + b"x" * length + b"\r\n."))[:9] == expected
