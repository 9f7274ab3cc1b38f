"""Mail that an alias sends elsewhere: our sender, an ARC set, and the way back of a report."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import dkim
import pytest

from config.clock import SystemClock
from config.logging import Logger
from filters.authentication.results import (
    DkimResult,
    DmarcResult,
    Identity,
    Outcome,
    Result,
    SpfResult,
)
from filters.context import Context
from filters.filter import Filter
from filters.forwarding import is_forged
from filters.notice_limits import NoticeLimits
from filters.signing.keyring import Keyring
from filters.verdict import Verdict
from storage.answered import DAY, Answered
from storage.directory_values import Resolution, Status
from storage.dkim_keys import DkimKeys
from tests.smtp.test_submission import logged_in
from tests.support.directories import MovedClock, make_settings
from tests.support.smtp_receiving import ADA, OUTSIDE, Receiving, plain_logger, receiving

AWAY, PLUS = "away@example.test", ADA.replace("@", "+x@")
LONG = "bounces+12345678-abcdefgh-away=example.test@em1234.mail.sender.test"
TEXT = b"From: friend@elsewhere.test\r\nTo: away@example.test\r\nSubject: x\r\n\r\nhello\r\n."
SPF = SpfResult(Outcome.PASS, Identity.MAIL_FROM, "elsewhere.test")
FORGED = SpfResult(Outcome.FAIL, Identity.MAIL_FROM, "elsewhere.test")


@dataclass
class Telling(Filter):
    results: tuple[Result, ...] = (SPF,)
    name = "telling"

    async def data(self, context: Context) -> Verdict:
        return Verdict(results=self.results)


async def forwarded(running: Receiving, sender: str = OUTSIDE, *more: str) -> Any:
    """The delivery of a message to the alias."""
    client = await running.client()
    await client.begin(sender, AWAY, *more)
    assert (await client.say(TEXT))[:3] == "250"
    return running.store.delivered[-1]


async def came_back(running: Receiving, sender: str) -> Any:
    """The delivery of a report to a rewritten sender."""
    client = await running.client()
    await client.begin("", sender)
    assert (await client.say(b"Subject: failed\r\n\r\nsorry\r\n."))[:3] == "250"
    return running.store.delivered[-1]


@pytest.mark.parametrize("sender", [OUTSIDE, LONG, '"a b"@elsewhere.test'])
async def test_a_report_finds_its_way_back(tmp_path: Path, sender: str) -> None:
    async with receiving(tmp_path) as running:
        delivery = await forwarded(running, sender)
        assert [one.address for one in delivery.queued] == ["friend@far.test"]
        local, _, domain = delivery.sender.partition("@")
        assert local.startswith("SRS0=") and domain == "example.test" and len(local) <= 64
        assert (await forwarded(running, sender)).sender == delivery.sender
        back = await came_back(running, delivery.sender.lower())
        assert ([one.address.lower() for one in back.queued], back.sender) == ([sender], "")
        assert not back.local
        await running.delivery.deliver_notice(delivery.sender, b"Subject: x\r\n\r\ntext\r\n")
        assert [one.address for one in running.store.delivered[-1].queued] == [sender]


async def test_only_reports_come_back_and_only_by_our_hand(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        made = (await forwarded(running)).sender
        client = await running.client()
        await client.greet()
        assert (await client.say(f"MAIL FROM:<{OUTSIDE}>"))[:3] == "250"
        assert (await client.say(f"RCPT TO:<{made}>"))[:9] == "550 5.7.1"
        await client.say("RSET")
        assert (await client.say("MAIL FROM:<>"))[:3] == "250"
        for wrong in (
            made.replace("elsewhere", "bank"),
            "SRS0=aaaaaaaa=aa=bank.test=ceo@example.test",
            "SRS1=aaaaaaaa=bank.test==x=y=z.test=u@example.test",
        ):
            assert (await client.say(f"RCPT TO:<{wrong}>"))[:9] == "550 5.1.1"
        assert (await client.say(f"RCPT TO:<{made.replace('example', 'other')}>"))[:3] == "550"


async def test_local_copies_keep_the_sender(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        delivery = await forwarded(running, OUTSIDE, ADA)
        assert delivery.local_prefix == f"Return-Path: <{OUTSIDE}>\r\n".encode()
        assert delivery.sender.startswith("SRS0=")


async def test_what_is_not_rewritten(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        assert (await forwarded(running, "")).sender == ""
        assert (await forwarded(running, "ben@example.test")).sender == "ben@example.test"
        client = await running.client("submissions")
        await logged_in(client)
        for line in (f"MAIL FROM:<{ADA}>", f"RCPT TO:<{AWAY}>", "DATA"):
            await client.say(line)
        assert (await client.say(b"Subject: x\r\n\r\nhello\r\n."))[:3] == "250"
        assert running.store.delivered[-1].sender == ADA


async def test_forwarding_without(tmp_path: Path) -> None:
    off: dict[str, Any] = {"forwarding": {"srs": False, "arc": False}}
    async with receiving(tmp_path, own_filters=[Telling()], **off) as running:
        assert (await forwarded(running)).sender == OUTSIDE
        assert b"ARC-Seal" not in running.body


async def test_an_arc_set_says_what_was_found(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[Telling()]) as running:
        await forwarded(running)
        header = running.body.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
        log = plain_logger()
        keys = Keyring(DkimKeys(running.directory.database), SystemClock(), running.offload, log)
        rsa = (await keys.signing("example.test"))[0]
        records = {f"{rsa.name}.".encode(): rsa.record.encode()}
        verdict, _, why = dkim.arc_verify(
            running.body, dnsfunc=lambda name, timeout=5: records.get(name)
        )
        assert verdict == dkim.CV_Pass, why
        names = [line.partition(b":")[0] for line in header.split(b"\r\n") if line[:1] != b"\t"]
        assert names[:4] == [
            b"Received",
            b"ARC-Seal",
            b"ARC-Message-Signature",
            b"ARC-Authentication-Results",
        ]
        assert b"i=1; mx.example.test;\r\n\tspf=pass" in header and b"d=example.test" in header
        client = await running.client()
        await client.begin(OUTSIDE, ADA)
        assert (await client.say(TEXT))[:3] == "250"
        assert b"ARC-Seal" not in running.store.bodies[-1]


async def test_forged_mail_is_not_reported(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[Telling((FORGED,))]) as running:
        delivery = await forwarded(running)
        assert [one.notify for one in delivery.queued] == ["NEVER"]


def test_forged_or_not() -> None:
    failed = DmarcResult(Outcome.FAIL, "elsewhere.test")
    passed = DmarcResult(Outcome.PASS, "elsewhere.test")
    signed = DkimResult(Outcome.PASS, "elsewhere.test")
    assert not is_forged(()) and not is_forged((SPF,)) and not is_forged((FORGED, signed))
    assert is_forged((FORGED,)) and is_forged((SPF, failed)) and not is_forged((FORGED, passed))


LIST = b"List-Id: <l.elsewhere.test>\r\nList-Post: <mailto:Friend%40elsewhere.test>\r\n" + TEXT
REPORT = b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n" + TEXT


@pytest.mark.parametrize(
    ("text", "sender", "notify"),
    [
        (TEXT, OUTSIDE, ""),
        (LIST, OUTSIDE, "NEVER"),  # a report would go to everybody on the list
        (LIST, "l-bounces+away=example.test@elsewhere.test", "FAILURE"),  # it wants to hear
        (b"Precedence: bulk\r\n" + TEXT, OUTSIDE, "FAILURE"),
        (REPORT, OUTSIDE, "NEVER"),
        (TEXT, "mailer-daemon@elsewhere.test", "NEVER"),
        (TEXT, "no-reply@elsewhere.test", ""),
        (REPORT.replace(b"delivery-status", b"tlsrpt"), OUTSIDE, ""),
    ],
)
async def test_who_hears_of_forwarded_mail(
    tmp_path: Path, text: bytes, sender: str, notify: str
) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin(sender, AWAY)
        assert (await client.say(text))[:3] == "250"
        assert [one.notify for one in running.store.delivered[-1].queued] == [notify]


@pytest.mark.parametrize("forged", [False, True])
async def test_success_is_not_told_to_forged_senders(tmp_path: Path, forged: bool) -> None:
    found = Telling((FORGED if forged else SPF,))
    async with receiving(tmp_path, own_filters=[found]) as running:
        client = await running.client()
        await client.greet()
        await client.say(f"MAIL FROM:<{OUTSIDE}>")
        await client.say(f"RCPT TO:<{ADA}> NOTIFY=SUCCESS")
        await client.say("DATA")
        assert (await client.say(TEXT))[:3] == "250"
        assert [one.sender for one in running.store.delivered] == [OUTSIDE, ""][: 2 - forged]


async def test_reports_to_one_address_are_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few: dict[str, Any] = {
        "forwarding": {"reports_per_hour": 2},
        "submission": {"reports_per_hour": 4},
    }
    async with receiving(tmp_path, **few) as running:
        for _ in range(5):
            await running.delivery.deliver_notice(OUTSIDE, b"Subject: x\r\n\r\ntext\r\n")
        for _ in range(3):
            await running.delivery.deliver_notice(ADA, b"Subject: x\r\n\r\ntext\r\n")
            await running.delivery.deliver_notice(PLUS, b"Subject: x\r\n\r\ntext\r\n")
        told = [bool(one.queued) for one in running.store.delivered]
        assert (told.count(True), told.count(False)) == (2, 4)
        running.forwarding.limits.close()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line[:1] == "{"]
    first = [one["recipient"] for one in lines if one["event"] == "notice not sent, too many"]
    assert first == [OUTSIDE, ADA]
    sums = [(one["recipient"], one["count"]) for one in lines if one["event"] == "notices withheld"]
    assert sums == [(OUTSIDE, 3), (ADA, 2)]


async def test_what_was_withheld_is_told_with_the_next(tmp_path: Path) -> None:
    log, clock = Recorded(), MovedClock()
    settings = make_settings(tmp_path, forwarding={"reports_per_hour": 1})
    limits = NoticeLimits(settings, clock, cast(Logger, log))
    nobody = Resolution(Status.NOT_OURS)
    told = [limits.may_tell(OUTSIDE, nobody) for _ in range(4)]
    assert told == [True, False, False, False]
    clock.seconds += 3600
    assert limits.may_tell(OUTSIDE.upper(), nobody)
    assert log.lines == [("notice not sent, too many", None), ("notices withheld", 3)]
    limits.reload(make_settings(tmp_path, forwarding={"reports_per_hour": 0}))
    assert all(limits.may_tell(OUTSIDE, nobody) for _ in range(99))


class Recorded:
    """Keeps what is logged as a warning."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Any]] = []

    def warning(self, event: str, **values: Any) -> None:
        self.lines.append((event, values.get("count")))


async def test_nobody_is_answered_twice(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        clock = MovedClock()
        answered = Answered(running.directory.database, clock)
        account = await running.directory.account(ADA)
        assert account is not None
        assert await answered.may_answer(account.id, OUTSIDE, 7 * DAY)
        assert not await answered.may_answer(account.id, OUTSIDE.upper(), 7 * DAY)
        assert await answered.may_answer(account.id, OUTSIDE, 7 * DAY, about="another")
        assert await answered.may_answer(account.id, "x@far.test", 7 * DAY)
        clock.seconds += 7 * DAY
        assert await answered.may_answer(account.id, OUTSIDE, 7 * DAY)
        assert not await answered.may_answer(account.id, OUTSIDE, 7 * DAY)
        await running.directory.delete_account(ADA)
