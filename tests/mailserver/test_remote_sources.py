"""A source of accounts where the AuthService is a process of its own: the first login on the web
makes the account there, and its mailboxes here.
"""

import imaplib
import sqlite3
from collections.abc import Iterator

import pytest

from auth.password import hash_password
from tests.support.http_api import post
from tests.support.server import PASSWORD, ServerProcess, configuration, until
from tests.support.service_process import ServiceProcess

ADA = "ada@example.test"
EXTRA = """\
[[auth.source]]
kind = "sql"
name = "portal"
database = "sqlite:users.db"
query = "SELECT hash, quota FROM users WHERE email = :address"
recheck = "1s"
cache = "0s"
[services]
remote = ["auth"]
"""


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("remote")
    change(
        str(folder / "users.db"),
        "CREATE TABLE users (email TEXT, hash TEXT, quota TEXT)",
        f"INSERT INTO users VALUES ('{ADA}', '{hash_password(PASSWORD, 4)}', '3M')",
    )
    with ServerProcess(folder, configuration(extra=EXTRA)) as running:
        yield running


def change(file: str, *statements: str) -> None:
    with sqlite3.connect(file) as connection:
        for one in statements:
            connection.execute(one)
    connection.close()


def quota_in_imap(server: ServerProcess) -> bytes:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=30)
    try:
        client.login(ADA, PASSWORD)
        assert client.select("INBOX")[0] == "OK"
        return bytes(client.getquotaroot("INBOX")[1][1][0])
    finally:
        client.shutdown()


def test_the_first_login_on_the_web_makes_the_account(server: ServerProcess) -> None:
    asked = {"username": ADA, "password": PASSWORD}
    with ServiceProcess(server):
        until(lambda: post(server, "/login", asked).status == 200)
        assert post(server, "/login", asked | {"password": "wrong"}).status == 401
        assert server.perform("account.show", address=ADA)["source"] == "portal"
        assert b"STORAGE 0 3072" in quota_in_imap(server)
        change(str(server.folder / "users.db"), "UPDATE users SET quota = '5M'")
        assert post(server, "/login", asked).status == 200
        until(lambda: b"STORAGE 0 5120" in quota_in_imap(server))
        change(str(server.folder / "users.db"), "DELETE FROM users")
        until(lambda: not server.perform("account.show", address=ADA)["enabled"])
        assert post(server, "/login", asked).status == 401
