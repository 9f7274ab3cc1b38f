"""How mail clients call themselves, in the list of logins."""

import http.client
import imaplib
import itertools
import json
import smtplib
from collections.abc import Iterator

import pytest

from tests.support.server import PASSWORD, ServerProcess, configuration, until

_numbers = itertools.count(1)
THUNDERBIRD = '("name" "Thunder\\"bird" "version" "140.1" "os" "Linux")'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("clients"), configuration()) as running:
        yield running


@pytest.fixture
def user(server: ServerProcess) -> str:
    """An account of the test's own."""
    address = f"user{next(_numbers)}@example.test"
    server.add_account(address)
    return address


def listed(server: ServerProcess, user: str, kind: str, protocol: str) -> set[str]:
    found = server.perform("audit.list", address=user)
    return {one["client"] for one in found if one["kind"] == kind and one["protocol"] == protocol}


def imap(server: ServerProcess) -> imaplib.IMAP4:
    imaplib.Commands.setdefault("ID", ("NONAUTH", "AUTH", "SELECTED"))
    return imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20)


def test_imap_before_and_behind_the_login(server: ServerProcess, user: str) -> None:
    with imap(server) as client:
        client._simple_command("ID", THUNDERBIRD)
        client.login(user, PASSWORD)
    until(lambda: listed(server, user, "login", "imap") == {'Thunder"bird 140.1'})
    with imap(server) as client:
        client.login(user, PASSWORD)
        for _ in range(2):
            client._simple_command("ID", '("name" "Apple Mail" "version" NIL)')
        client._simple_command("ID", "NIL")
    until(lambda: listed(server, user, "client named itself", "imap") == {"Apple Mail"})
    assert listed(server, user, "login", "imap") == {'Thunder"bird 140.1', ""}
    lines = server.command("audit", "list", user).stdout
    assert "Apple Mail" in lines


def test_what_was_said_in_the_clear_is_forgotten(server: ServerProcess, user: str) -> None:
    with imap(server) as client:
        client._simple_command("ID", '("name" "Eve" "version" "1")')
        client.starttls()
        client.login(user, PASSWORD)
    until(lambda: listed(server, user, "login", "imap") == {""})


def test_smtp(server: ServerProcess, user: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("submission"), "[192.0.2.99]", timeout=20) as client:
        client.login(user, PASSWORD)
    until(lambda: listed(server, user, "login", "smtp") == {"[192.0.2.99]"})


def test_failures_say_it_too(server: ServerProcess, user: str) -> None:
    with imap(server) as client:
        client._simple_command("ID", '("name" "Guesser")')
        with pytest.raises(imaplib.IMAP4.error):
            client.login(user, "wrong")
    until(lambda: listed(server, user, "login failed", "imap") == {"Guesser"})


def test_http(server: ServerProcess, user: str) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    body = json.dumps({"username": user, "password": PASSWORD})
    fields = {"Content-Type": "application/json", "User-Agent": "x" * 2000}
    client.request("POST", "/login", body, fields)
    assert client.getresponse().status == 200
    client.close()
    until(lambda: "x" * 200 in listed(server, user, "login", "web"))
