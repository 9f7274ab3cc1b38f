"""SPF in the serving process: from MAIL to the log, the stored message and the refusal."""

import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dns_server import DnsServer
from tests.support.dns_thread import dns_in_thread
from tests.support.server import ServerProcess, configuration, until

USER = "user@example.test"
MESSAGE = "From: a@friend.test\r\nSubject: x\r\n\r\ntext\r\n"


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    with dns_in_thread() as server:
        server.set("friend.test", "TXT", '"v=spf1 include:hosts.friend.test -all"')
        server.set("hosts.friend.test", "TXT", '"v=spf1 ip4:127.0.0.0/8 ~all"')
        server.set("helo.test", "TXT", '"v=spf1 a ~all"')
        server.set("helo.test", "A", "127.0.0.1")
        server.set("bank.test", "TXT", '"v=spf1 ip4:192.0.2.1 -all exp=why.bank.test"')
        server.set("why.bank.test", "TXT", '"%{c} is no host of %{o}, says %{r}"')
        server.failing.add("broken.test")
        yield server


def serving(folder: Path, dns: DnsServer, extra: str = "") -> ServerProcess:
    strangers = f'[dns]\nnameservers = ["{dns.endpoint}"]\n[filters]\nlocal_networks = []\n'
    return ServerProcess(folder, configuration(extra=strangers + extra))


def send(server: ServerProcess, sender: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), "helo.test", timeout=20) as client:
        client.sendmail(sender, [USER], MESSAGE)


def accepted(server: ServerProcess, sender: str) -> list[str]:
    """What the log tells of the accepted message."""
    found: list[dict[str, Any]] = []

    def told() -> bool:
        found[:] = [one for one in server.events("accepted") if one["sender"] == sender]
        return bool(found)

    until(told)
    return [line for line in found[0]["authentication"] if line.startswith("spf=")]


def stored(server: ServerProcess) -> str:
    (path,) = (server.data / "mail").rglob("new/*")
    return " ".join(path.read_text().split())


def test_results_are_told_in_the_log_and_in_the_message(tmp_path: Path, dns: DnsServer) -> None:
    with serving(tmp_path, dns) as server:
        server.add_account(USER)
        send(server, "a@friend.test")
        assert accepted(server, "a@friend.test") == [
            "spf=pass helo=helo.test (helo.test has a)",
            "spf=pass mailfrom=friend.test (friend.test has include:hosts.friend.test)",
        ]
        told = stored(server)
        assert "Authentication-Results: mx.example.test; spf=pass" in told
        assert "smtp.mailfrom=friend.test" in told
        send(server, "a@bank.test")
        (_, failed) = accepted(server, "a@bank.test")
        assert failed == "spf=fail mailfrom=bank.test (bank.test has -all)"
        send(server, "a@broken.test")
        (_, undecided) = accepted(server, "a@broken.test")
        assert undecided.startswith("spf=temperror mailfrom=broken.test")


def test_a_fail_is_refused_where_that_is_configured(tmp_path: Path, dns: DnsServer) -> None:
    with serving(tmp_path, dns, "[spf]\nreject = true\n") as server:
        server.add_account(USER)
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            send(server, "a@bank.test")
        assert refused.value.smtp_code == 550
        assert refused.value.smtp_error.startswith(
            b"5.7.23 SPF: bank.test says that 127.0.0.1 does not send its mail; "
            b"it explains: 127.0.0.1 is no host of bank.test, says mx.example.test"
        )
        until(lambda: server.events("refused"))
        (event,) = server.events("refused")
        assert "R_SPF_FAIL" in event["symbols"]
        send(server, "a@friend.test")
