"""Who may connect is one question for SMTP, IMAP and HTTP of a running server."""

import contextlib
import http.client
import imaplib
import smtplib
import socket
from collections.abc import Iterator

import pytest

from tests.support.server import PASSWORD, ServerProcess, configuration, until

LIMITS = "[limits]\nconnections_per_address = 3\nconnections_per_account = 1\n"
FEW = f"[filters]\nlocal_networks = []\n{LIMITS}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("admission"), configuration(extra=FEW)) as running:
        yield running


def healthz(server: ServerProcess) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=10)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_a_block_counts_at_once_and_everywhere(server: ServerProcess) -> None:
    opened = [
        socket.create_connection(("127.0.0.1", server.port(name)), 10) for name in ("smtp", "imap")
    ]
    assert [one.recv(4096)[:3] for one in opened] == [b"220", b"* O"]
    web = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=10)
    web.request("GET", "/healthz")
    web.getresponse().read()
    server.command("block", "add", "127.0.0.0/30", "--reason", "test")
    assert web.sock is not None
    with contextlib.suppress(ConnectionResetError):
        assert web.sock.recv(1) == b""
    web.close()
    assert [one.recv(4096)[:8] for one in opened] == [b"421 4.7.", b"* BYE Yo"]
    assert healthz(server) == (403, b"Your network is blocked\n")
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10)
    assert refused.value.smtp_code == 554
    with pytest.raises(imaplib.IMAP4.error):
        imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10)
    until(lambda: [one for one in server.events("refused") if one["part"] == "imap"])
    assert {one["part"] for one in server.events("refused")} == {"smtp", "imap"}
    server.command("block", "delete", "127.0.0.0/30")
    assert healthz(server)[0] == 200
    for one in opened:
        one.close()


def test_protocols_share_the_connections_of_an_address(server: ServerProcess) -> None:
    assert healthz(server)[0] == 200
    opened = [socket.create_connection(("127.0.0.1", server.port("imap"))) for _ in range(2)]
    assert [one.recv(4) for one in opened] == [b"* OK"] * 2
    mail = smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10)
    assert healthz(server) == (429, b"Too many connections from your address\n")
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10)
    assert refused.value.smtp_code == 421
    with pytest.raises(imaplib.IMAP4.error):
        imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10)
    mail.close()
    until(lambda: healthz(server)[0] == 200)
    for one in opened:
        one.close()


def test_protocols_share_the_connections_of_an_account(server: ServerProcess) -> None:
    address = "user@example.test"
    server.add_account(address)

    def log_in_to_submit() -> int:
        with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
            try:
                return client.login(address, PASSWORD)[0]
            except smtplib.SMTPAuthenticationError as error:
                return error.smtp_code

    assert log_in_to_submit() == 235

    def log_in_to_read() -> imaplib.IMAP4 | None:
        client = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10)
        try:
            client.login(address, PASSWORD)
        except imaplib.IMAP4.error:
            client.logout()
            return None
        return client

    reader = until(log_in_to_read)
    assert log_in_to_submit() == 454
    second = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10)
    with pytest.raises(imaplib.IMAP4.error, match=r"\[LIMIT\] Too many connections"):
        second.login(address, PASSWORD)
    reader.logout()
    until(lambda: log_in_to_submit() == 235)
    second.logout()
