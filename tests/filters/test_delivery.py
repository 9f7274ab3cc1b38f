"""Delivery: notices, the queue's side, quarantine and headers of a verdict, failures as answers."""

from dataclasses import replace
from pathlib import Path

import pytest

from filters.context import Kind, Message, Recipient
from filters.envelope import Envelope, make_trace
from filters.verdict import Action, Verdict
from storage.errors import StoreUnavailable
from storage.values import Content
from tests.support.smtp_receiving import ADA, OUTSIDE, Receiving, receiving

BODY = b"Subject: x\r\n\r\ntext\r\n"
NOTICE = b"From: <MAILER-DAEMON@mx.example.test>\r\nSubject: Undelivered\r\n\r\nsorry\r\n"


def message(body: bytes = BODY) -> Message:
    return Message(Content(len(body), b"d" * 16, data=body), body[: body.index(b"\r\n\r\n") + 2])


async def envelope(running: Receiving, *recipients: str) -> Envelope:
    resolved = [Recipient(one, await running.directory.resolve(one)) for one in recipients]
    return Envelope(Kind.MX, OUTSIDE, tuple(resolved), make_trace(), 1_700_000_000.25)


async def test_a_verdict_is_carried_out(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        verdict = Verdict(
            Action.JUNK, headers=(b"X-Spam: yes\r\n",), keywords=frozenset(["junkish"])
        )
        sent = await envelope(running, ADA)
        (outcome,) = await running.delivery.accept(sent, message(), verdict)
        assert (outcome.recipient, outcome.code, outcome.status) == (ADA, 250, "2.0.0")
        delivery = running.store.delivered[0]
        assert delivery.local[0].mailbox == "Junk"
        assert delivery.local[0].flags.keywords == {"junkish"}
        assert delivery.received_at == sent.received_at and delivery.trace == sent.trace
        lines = running.body.split(b"\r\n")
        assert lines[-4] == b"Subject: x" and lines[-5] == b"X-Spam: yes"
        assert b"\tTue, 14 Nov 2023 22:13:20 +0000" in lines


async def test_failures_are_answers_for_each_recipient(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        running.store.failure = StoreUnavailable("read-only")
        sent = await envelope(running, ADA, "away@example.test")
        outcomes = await running.delivery.accept(sent, message())
        assert [(one.code, one.status) for one in outcomes] == [(451, "4.3.0")] * 2


async def test_a_notice_reaches_a_mailbox(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await running.delivery.deliver_notice(ADA, NOTICE)
        delivery = running.store.delivered[0]
        assert delivery.sender == "" and delivery.queued == ()
        assert running.body == b"Return-Path: <>\r\n" + NOTICE


async def test_a_notice_for_the_outside_is_queued(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await running.delivery.deliver_notice(OUTSIDE, NOTICE)
        delivery = running.store.delivered[0]
        assert [(one.address, one.notify) for one in delivery.queued] == [(OUTSIDE, "NEVER")]
        assert running.body == NOTICE


async def test_a_notice_about_a_message_with_requiretls_asks_for_it_too(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await running.delivery.deliver_notice(OUTSIDE, NOTICE)
        await running.delivery.deliver_notice(OUTSIDE, NOTICE, require_tls=True)
        assert [each.require_tls for each in running.store.delivered] == [False, True]


async def test_what_was_asked_for_is_not_limited_in_number(tmp_path: Path) -> None:
    async with receiving(tmp_path, forwarding={"reports_per_hour": 2}) as running:
        for _ in range(5):
            await running.delivery.deliver_notice(OUTSIDE, NOTICE, asked_for=True)
        assert len(running.store.delivered) == 5
        for _ in range(5):
            await running.delivery.deliver_notice(OUTSIDE, NOTICE)
        assert len(running.store.delivered) < 10


@pytest.mark.parametrize("recipient", ["nobody@example.test", "gone@example.test"])
async def test_a_notice_for_nobody_is_dropped(tmp_path: Path, recipient: str) -> None:
    async with receiving(tmp_path) as running:
        await running.delivery.deliver_notice(recipient, NOTICE)
        assert running.store.delivered == []


async def test_a_notice_that_cannot_be_stored_says_so(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        running.store.failure = StoreUnavailable("closing")
        with pytest.raises(StoreUnavailable):
            await running.delivery.deliver_notice(ADA, NOTICE)


async def test_whom_an_account_writes_to_is_a_correspondent(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        account = await running.directory.account(ADA)
        assert account is not None
        met = running.directory.contacts.correspondents
        received = await envelope(running, ADA, OUTSIDE)
        await running.delivery.accept(received, message())
        assert await met.listed(account.id) == []
        submitted = replace(received, kind=Kind.SUBMISSION, sender=ADA, account=account.id)
        await running.delivery.accept(submitted, message())
        # what waited for its time, and is delivered, was counted already
        await running.delivery.accept(replace(submitted, kind=Kind.LOCAL), message())
        running.store.failure = StoreUnavailable("read-only")
        await running.delivery.accept(submitted, message())
        assert [(one.address, one.count) for one in await met.listed(account.id)] == [(OUTSIDE, 1)]
