"""A login from a new network is told by mail, once, and not to whom doesn't want it."""

import email
import email.policy
import imaplib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auth.arrivals import Arrival
from filters.login_notice import build_notice
from storage.values import AccountId
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA = "ada@example.test"
SECONDS = 30
EXTRA = '[filters]\nlocal_networks = ["127.0.0.1/32"]\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("notice")
    with ServerProcess(folder, configuration(extra=EXTRA)) as running:
        running.add_account(ADA)
        yield running


def _messages(server: ServerProcess, source: str) -> list[str]:
    """Logs in from an address and reads all."""
    client = _From("127.0.0.1", server.port("imap"), source)
    client.login(ADA, PASSWORD)
    client.select()
    texts = []
    for number in client.search(None, "ALL")[1][0].split():
        data = client.fetch(number, "(BODY.PEEK[])")[1][0]
        assert isinstance(data, tuple)
        parsed = email.message_from_bytes(data[1], policy=email.policy.default)
        texts.append(f"{parsed['Subject']}\n{parsed.get_content()}")
    client.logout()
    return texts


class _From(imaplib.IMAP4):
    """Connects from an address of its own."""

    def __init__(self, host: str, port: int, source: str) -> None:
        self._source = source
        super().__init__(host, port)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (self._source, 0))


def _settled(server: ServerProcess, source: str, count: int) -> list[str]:
    """What is there once so many are, which may take as long as a delivery does."""
    end = time.monotonic() + SECONDS
    while len(found := _messages(server, source)) < count and time.monotonic() < end:
        time.sleep(0.05)
    assert len(found) >= count
    return found


def test_a_new_network_is_told_once(server: ServerProcess) -> None:
    assert _messages(server, "127.5.1.1") == [], "the first login is nothing new"
    assert _messages(server, "127.0.0.1") == [], "neither are local ones"
    assert _messages(server, "127.5.1.2") == [], "nor other addresses of a known network"
    _messages(server, "127.6.1.1")
    (told,) = _settled(server, "127.6.1.1", 1)
    assert told.startswith("New login to your mail account\n")
    assert "127.6.1.1" in told and "change your password" in told
    for source in ("127.7.1.1", "127.8.1.1", "127.9.1.1", "127.10.1.1"):
        _messages(server, source)
    assert len(_settled(server, "127.6.1.1", 3)) == 3, "at most three a day"


def test_the_notice_is_plain_and_complete() -> None:
    arrival = Arrival(AccountId(1), ADA, "2001:db8::1", "smtp", "Ünnamed\r\nBcc: x@y.test")
    built = build_notice(arrival, "mx.example.test", 1_700_000_000.0)
    parsed = email.message_from_bytes(built, policy=email.policy.default)
    assert parsed["Auto-Submitted"] == "auto-generated" and parsed["Bcc"] is None
    text = parsed.get_content()
    assert "14 November 2023, 22:13 (UTC)" in text and "2001:db8::1" in text
    assert max(map(len, built.split(b"\r\n"))) < 999 and built.isascii()
