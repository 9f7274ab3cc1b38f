"""What a reload changes is seen by the next client, without a restart."""

import imaplib
import smtplib
import socket
from collections.abc import Iterator

import pytest

from tests.support.server import PASSWORD, ServerProcess, configuration

ADA = "ada@example.test"
RULE = '[[tagging.rule]]\nheader = "List-Id"\ncontains = "PYTHON"\ntag = "lists"\n'
LISTED = "List-Id: <python.example>\r\nSubject: x\r\n\r\ntext\r\n"
STRANGERS = "[filters]\nlocal_networks = []\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("reload"), configuration()) as server:
        server.add_account(ADA)
        yield server


@pytest.fixture
def server(running: ServerProcess) -> Iterator[ServerProcess]:
    """The server; afterwards it has its first configuration again."""
    first = running.config.read_text()
    yield running
    running.config.write_text(first)
    running.command("reload")


def reload(server: ServerProcess, extra: str, *keys: str, text: str | None = None) -> None:
    server.config.write_text((text or server.config.read_text()) + extra)
    assert server.json("reload") == {"applied": list(keys), "restart": []}


def smtp(server: ServerProcess, name: str = "smtp") -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", server.port(name), timeout=10)


def imap(server: ServerProcess) -> imaplib.IMAP4:
    return imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10)


def send(server: ServerProcess, text: str = LISTED, recipient: str = ADA) -> None:
    with smtp(server) as client:
        client.sendmail("x@world.test", [recipient], text)


def last_flags(server: ServerProcess) -> bytes:
    with imap(server) as client:
        client.login(ADA, PASSWORD)
        client.select()
        line = client.fetch("*", "(FLAGS)")[1][0]
    assert isinstance(line, bytes)
    return line


def test_tagging_rules(server: ServerProcess) -> None:
    send(server)
    assert b"lists" not in last_flags(server)
    reload(server, RULE, "tagging.rule")
    send(server)
    assert b"lists" in last_flags(server)


def test_pipeline(server: ServerProcess) -> None:
    reload(server, f"{RULE}[filters]\npipeline = []\n", "filters.pipeline", "tagging.rule")
    send(server)
    assert b"lists" not in last_flags(server)


def test_blocklist(server: ServerProcess) -> None:
    reload(server, '[blocklist]\nnetworks = ["127.0.0.0/8"]\n', "blocklist.networks")
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        smtp(server)
    assert refused.value.smtp_code == 554


def test_message_size_is_announced_and_held_to(server: ServerProcess) -> None:
    reload(server, '[limits]\nmessage_size = "2K"\n', "limits.message_size")
    with smtp(server) as peer:
        peer.ehlo()
        assert peer.esmtp_features["size"] == "2048"
        assert peer.mail("x@world.test", ["size=3000"])[0] == 552
    with imap(server) as client:
        client.login(ADA, PASSWORD)
        assert "APPENDLIMIT=2048" in client.capabilities
        answer = client.append("INBOX", "", "", b"x" * 3000)
    assert answer == ("NO", [b"[TOOBIG] message larger than 2048 octets"])


def test_recipients(server: ServerProcess) -> None:
    reload(server, "[limits]\nrecipients = 1\n", "limits.recipients")
    with smtp(server) as client:
        refused = client.sendmail("x@world.test", [ADA, "postmaster@example.test"], LISTED)
    assert refused["postmaster@example.test"][0] == 452


def test_rate_and_local_networks(server: ServerProcess) -> None:
    limit = "[limits]\nmessages_per_minute_per_address = 1\n"
    keys = ("filters.local_networks", "limits.messages_per_minute_per_address")
    reload(server, STRANGERS + limit, *keys)
    send(server)
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(server)
    assert refused.value.smtp_code == 450


def test_connections(server: ServerProcess) -> None:
    limit = "[limits]\nconnections_per_address = 1\n"
    reload(server, STRANGERS + limit, "filters.local_networks", "limits.connections_per_address")
    with smtp(server), socket.create_connection(("127.0.0.1", server.port("smtp"))) as second:
        assert second.recv(100).startswith(b"421 4.7.0")


def test_domains(server: ServerProcess) -> None:
    text = server.config.read_text()
    more = text.replace('["example.test"]', '["example.test", "more.test"]')
    reload(server, "", "domains", text=more)
    server.add_account("eve@more.test")
    send(server, recipient="eve@more.test")
    reload(server, "", "domains", text=text)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(server, recipient="eve@more.test")


def test_plaintext_from(server: ServerProcess) -> None:
    text = server.config.read_text().replace('["127.0.0.0/8", "::1/128"]', "[]")
    reload(server, "", "auth.plaintext_from", text=text)
    with smtp(server, "submission") as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] == 538
    with imap(server) as reader:
        assert "LOGINDISABLED" in reader.capabilities
        with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
            reader.login(ADA, PASSWORD)
