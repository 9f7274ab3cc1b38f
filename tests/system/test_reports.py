"""A day of reports through a serving process: counted, sent to a real peer, read back, listed."""

import asyncio
import smtplib
import sqlite3
from contextlib import closing
from pathlib import Path

from message.dmarc_report import parse_report
from message.report_archive import attachments
from tests.support.dns_server import DnsServer, dns_server
from tests.support.server import ServerProcess, configuration
from tests.support.smtp_sink import Sink, smtp_sink

USER, READER = "user@example.test", "reports@example.test"
FORGED = b"From: a@reject.test\r\nSubject: forged\r\n\r\ntext\r\n"


def settings(dns: DnsServer, sink: Sink) -> str:
    return configuration(
        extra=f'[dns]\nnameservers = ["{dns.endpoint}"]\n[filters]\nlocal_networks = []\n'
        f'[outbound]\nsmarthost = "smtp://{sink.endpoint}"\n[reports]\naddress = "{READER}"\n'
    )


def send(server: ServerProcess, message: bytes, recipient: str) -> int:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), "client.test", timeout=20) as client:
        client.ehlo()
        client.docmd("MAIL FROM:<>")
        assert client.docmd(f"RCPT TO:<{recipient}>")[0] == 250
        return client.data(message)[0]


def yesterday(server: ServerProcess) -> None:
    """What was counted today was counted two days ago."""
    with closing(sqlite3.connect(server.data / "config.db")) as database:
        changed = database.execute("UPDATE config_report_count SET day = day - 2")
        assert changed.rowcount == 1
        database.commit()


def count(server: ServerProcess) -> None:
    """A day passes."""
    with server:
        server.add_account(USER)
        for _ in range(3):
            assert send(server, FORGED, USER) == 550
    yesterday(server)


def listed(server: ServerProcess, report: bytes) -> None:
    """Our own report comes back as another operator's would."""
    assert send(server, report, READER) == 250
    assert send(server, b"Subject: hello\r\n\r\ntext\r\n", READER) == 550
    (row,) = server.json("report", "list")
    assert (row["kind"], row["domain"], row["messages"]) == ("dmarc", "reject.test", 3)
    shown = server.json("report", "show", row["id"])
    assert shown["sources"] == [{"source": "127.0.0.1", "messages": 3, "failed": 3}]
    assert shown["rows"][0]["disposition"] == "reject"
    assert "127.0.0.1\t3\t3" in server.command("report", "show", row["id"]).stdout
    server.command("report", "delete", row["id"])
    assert server.json("report", "list") == []


async def test_a_report_is_sent_and_one_is_received(tmp_path: Path) -> None:
    async with dns_server() as dns, smtp_sink(Sink()) as sink:
        dns.set("_dmarc.reject.test", "TXT", '"v=DMARC1; p=reject; rua=mailto:rua@reject.test"')
        server = ServerProcess(tmp_path, settings(dns, sink))
        await asyncio.to_thread(count, server)
        await asyncio.to_thread(server.start)
        try:
            await sink.wait(1, 30)
            (received,) = sink.received
            assert (received.sender, received.recipients) == ("", ["rua@reject.test"])
            assert b"\r\nFrom: <postmaster@example.test>\r\n" in received.data
            assert b"d=example.test" in received.data.partition(b"\r\n\r\n")[0]
            (document,) = attachments(received.data)
            (record,) = parse_report(document).records
            assert (record.count, record.disposition) == (3, "reject")
            await asyncio.to_thread(listed, server, received.data)
        finally:
            await asyncio.to_thread(server.stop)
        with closing(sqlite3.connect(server.data / "config.db")) as database:
            assert database.execute("SELECT count(*) FROM config_report_count").fetchone() == (0,)
