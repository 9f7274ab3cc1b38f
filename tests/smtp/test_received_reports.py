"""Mail to reports.address: reports are read and kept, whether or not anybody has the address."""

import gzip
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from filters.authentication.results import DmarcResult, Outcome
from filters.context import Context
from filters.filter import Filter
from filters.reporting.reader import ReportReader
from filters.verdict import Verdict
from message.dmarc_report import Metadata, Published, Record, write_report
from message.report_mail import ReportMail, build_report_mail
from storage.report_values import ListedReport
from storage.reports import Reports
from tests.support.smtp_receiving import ADA, OUTSIDE, Receiving, plain_logger, receiving

ADDRESS = "dmarc-reports@example.test"
HERE: dict[str, Any] = {"reports": {"address": ADDRESS}}


def report(report_id: str = "1", records: int = 1) -> bytes:
    """A mail with a report of so many rows."""
    row = Record("192.0.2.1", 3, "reject", "fail", "fail", "example.test")
    rows = [replace(row, source=str(IPv4Address(3 * 7_919 * n))) for n in range(records)]
    document = write_report(
        Metadata("Big Mail", "a@big.test", report_id, 86_400, 172_799),
        Published("example.test", "reject"),
        rows,
        "",
    )
    return build_report_mail(
        ReportMail(
            "a@big.test",
            ADDRESS,
            "Report Domain: example.test",
            f"{report_id}@big.test",
            datetime(2026, 1, 2, tzinfo=UTC),
            "text\n",
            gzip.compress(b"".join(document)),
            "big.test!example.test!86400!172799.xml.gz",
            "application/gzip",
        )
    )


class Passing(Filter):
    """Stands for DMARC."""

    name = "passing"

    async def data(self, context: Context) -> Verdict:
        return Verdict(results=(DmarcResult(Outcome.PASS, "big.test"),))


async def send(running: Receiving, message: bytes, *recipients: str) -> str:
    client = await running.client()
    await client.begin(OUTSIDE, *recipients)
    client.write(message + b"\r\n.\r\n")
    return await client.reply()


def use(running: Receiving) -> Reports:
    """Gives the delivery its reader, as the program does."""
    reports = Reports(running.directory.database)
    reader = ReportReader(reports, running.offload, running.directory._clock, plain_logger())
    running.delivery._reader = reader
    return reports


async def kept(reports: Reports) -> list[ListedReport]:
    return await reports.listed()


@pytest.mark.parametrize("padding", [0, 2_000_000])
async def test_an_address_that_nobody_has_reads_reports(tmp_path: Path, padding: int) -> None:
    """In memory and spooled."""
    async with receiving(tmp_path, own_filters=[Passing()], **HERE) as running:
        reports = use(running)
        mail = report() + (b"x" * 70 + b"\r\n") * (padding // 72)
        assert (await send(running, mail, ADDRESS.upper()))[:3] == "250"
        assert running.store.delivered == []
        (found,) = await kept(reports)
        assert (found.organisation, found.report_id, found.domain) == (
            "Big Mail",
            "1",
            "example.test",
        )
        assert (found.messages, found.failed, found.verified) == (3, 3, True)
        assert (await send(running, mail, ADDRESS))[:3] == "250"
        assert len(await kept(reports)) == 1
        assert list(running.store.spool_dir.iterdir()) == []


async def test_others_get_the_message_too(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[], **HERE) as running:
        reports = use(running)
        assert (await send(running, report(), ADA, ADDRESS))[:3] == "250"
        assert len(running.store.delivered) == 1
        assert [one.verified for one in await kept(reports)] == [False]
        assert (await send(running, b"Subject: x\r\n\r\nhello", ADA, ADDRESS))[:3] == "250"
        assert len(running.store.delivered) == 2


async def test_an_account_at_the_address_gets_everything(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[], reports={"address": ADA}) as running:
        reports = use(running)
        for message in (report(), b"Subject: x\r\n\r\nhello"):
            assert (await send(running, message, ADA))[:3] == "250"
        assert len(running.store.delivered) == 2 and len(await kept(reports)) == 1


async def test_what_is_no_report_is_refused_where_nobody_reads_it(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[], **HERE) as running:
        reports = use(running)
        for message in (b"Subject: x\r\n\r\nhello", report()[:-200]):
            answer = await send(running, message, ADDRESS)
            assert answer.startswith("550 5.6.1")
        assert await kept(reports) == [] and list(running.store.spool_dir.iterdir()) == []


async def test_without_the_setting_there_is_no_such_address(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[]) as running:
        client = await running.client()
        await client.greet()
        await client.say(f"MAIL FROM:<{OUTSIDE}>")
        assert (await client.say(f"RCPT TO:<{ADDRESS}>")).startswith("550 5.1.1")


async def test_a_large_report_is_read_beside_the_loop(tmp_path: Path) -> None:
    async with receiving(tmp_path, own_filters=[], **HERE) as running:
        reports = use(running)
        assert (await send(running, report(records=5_000), ADDRESS))[:3] == "250"
        (found,) = await kept(reports)
        assert found.messages == 15_000
