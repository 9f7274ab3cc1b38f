"""Accounts of somebody else's database, SQLite and PostgreSQL, as users of this server see them."""

import asyncio
import imaplib
import os
import smtplib
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from auth.password import hash_password
from tests.support.programs import unavailable
from tests.support.server import PASSWORD, ServerProcess, configuration, until

TABLES = """
CREATE TABLE users (email VARCHAR(200) PRIMARY KEY, hash VARCHAR(200), full_name VARCHAR(200),
    quota VARCHAR(20), active BOOLEAN, boss BOOLEAN);
CREATE TABLE aliases (email VARCHAR(200), target VARCHAR(200));
"""
SOURCE = """
[[auth.source]]
kind = "sql"
name = "portal"
domains = ["portal.test"]
database_file = "portal-database"
query = '''SELECT hash, full_name AS name, quota, active AS enabled, boss AS admin
    FROM users WHERE email = :address AND email LIKE '%@' || :domain'''
recipient_query = '''SELECT users.email AS address, users.full_name AS name, users.quota AS quota,
    users.active AS enabled, users.boss AS admin
    FROM users LEFT JOIN aliases ON aliases.target = users.email
    WHERE users.email = :address OR aliases.email = :address GROUP BY users.email'''
recheck = "1s"
cache = "1s"
cache_unknown = "200ms"
[limits]
connections_per_minute_per_address = 0
"""


class Portal:
    """The other database; `run` as its owner."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, *statements: str) -> None:
        kind, _, file = self.url.partition(":")
        if kind == "sqlite":
            with sqlite3.connect(file) as connection:
                for one in statements:
                    connection.executescript(one)
            connection.close()
        else:
            asyncio.run(self._run(statements))

    async def _run(self, statements: tuple[str, ...]) -> None:
        connection = await asyncpg.connect(self.url)
        for one in statements:
            await connection.execute(one)
        await connection.close()

    def add(self, address: str, password: str = PASSWORD, **columns: str) -> None:
        values = {"hash": f"'{hash_password(password, 4)}'", "active": "TRUE"} | columns
        names = ", ".join(("email", *values))
        self.run(f"INSERT INTO users ({names}) VALUES ('{address}', {', '.join(values.values())})")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def portal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Portal]:
    if request.param == "sqlite":
        made = Portal(f"sqlite:{tmp_path_factory.mktemp('portal') / 'users & others.db'}")
        made.run(TABLES)
        yield made
        return
    server = os.environ.get("MAILSERVER_TEST_POSTGRES")
    if server is None:
        unavailable("MAILSERVER_TEST_POSTGRES is not set: scripts/test starts PostgreSQL")
    name = f"portal_{uuid.uuid4().hex}"
    Portal(server).run(f"CREATE DATABASE {name}")
    made = Portal(f"{server.rpartition('/')[0]}/{name}")
    made.run(TABLES)
    yield made
    Portal(server).run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def server(portal: Portal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("server")
    (folder / "portal-database").write_text(portal.url)
    config = configuration(domains=("portal.test",), extra=SOURCE)
    with ServerProcess(folder, config) as running:
        yield running


def login(server: ServerProcess, user: str, password: str = PASSWORD) -> str:
    """ "" when it is taken, else what the server says."""
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=30)
    try:
        client.login(user, password)
    except imaplib.IMAP4.error as error:
        return str(error)
    finally:
        client.shutdown()
    return ""


def rcpt(server: ServerProcess, address: str) -> int:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=30) as client:
        client.ehlo("friend.test")
        client.mail("friend@elsewhere.test")
        return client.rcpt(address)[0]


def shown(server: ServerProcess, address: str) -> dict[str, object]:
    return dict(server.perform("account.show", address=address))


def test_rows_are_accounts(server: ServerProcess, portal: Portal) -> None:
    portal.add("Ada@portal.test".lower(), full_name="'Ada L.'", quota="'5M'", boss="TRUE")
    portal.run("INSERT INTO aliases VALUES ('sales@portal.test', 'ada@portal.test')")
    assert rcpt(server, "sales@portal.test") == 250
    assert login(server, "ADA@portal.test") == ""
    assert login(server, "ada") == ""  # one domain is served
    assert "AUTHENTICATIONFAILED" in login(server, "ada@portal.test", "wrong")
    found = shown(server, "ada@portal.test")
    assert found["source"] == "portal" and found["name"] == "Ada L."
    assert found["quota"] == 5 * 1024**2 and found["admin"] is True
    assert rcpt(server, "nobody@portal.test") == 550
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.login("ada@portal.test", PASSWORD)
        assert client.mail("sales@portal.test")[0] == 250


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("' OR '1'='1", id="or"),
        pytest.param("x'; DROP TABLE users; --@portal.test", id="drop"),
        pytest.param("%@portal.test", id="like"),
        pytest.param(":address@portal.test", id="parameter"),
        pytest.param('"\' OR 1=1 --"@portal.test', id="quoted"),
    ],
)
def test_no_name_is_a_part_of_the_statement(
    server: ServerProcess, portal: Portal, name: str
) -> None:
    address = f"u{uuid.uuid4().hex}@portal.test"
    portal.add(address)
    assert login(server, '"' + name.replace("\\", r"\\").replace('"', r"\"") + '"') != ""
    assert login(server, address) == ""


def test_a_changed_password_and_a_disabled_row(server: ServerProcess, portal: Portal) -> None:
    portal.add("bob@portal.test")
    assert login(server, "bob@portal.test") == ""
    changed = hash_password("another one", 4)
    portal.run(f"UPDATE users SET hash = '{changed}' WHERE email = 'bob@portal.test'")
    assert login(server, "bob@portal.test", "another one") == ""
    until(lambda: "AUTHENTICATIONFAILED" in login(server, "bob@portal.test"), pause=0.3)
    portal.run("UPDATE users SET active = FALSE WHERE email = 'bob@portal.test'")
    until(lambda: not shown(server, "bob@portal.test")["enabled"])
    assert "AUTHENTICATIONFAILED" in login(server, "bob@portal.test", "another one")
    assert rcpt(server, "bob@portal.test") == 550


def test_without_a_hash_nobody_logs_in(server: ServerProcess, portal: Portal) -> None:
    portal.add("clear@portal.test", hash="'correct horse'")
    portal.add("none@portal.test", hash="NULL")
    for address in ("clear@portal.test", "none@portal.test"):
        assert "AUTHENTICATIONFAILED" in login(server, address)
        assert "AUTHENTICATIONFAILED" in login(server, address, '""')


def test_a_broken_database_is_a_temporary_failure(server: ServerProcess, portal: Portal) -> None:
    portal.add("eve@portal.test")
    assert login(server, "eve@portal.test") == ""
    portal.run("ALTER TABLE users RENAME TO gone")
    try:
        until(lambda: "UNAVAILABLE" in login(server, "eve@portal.test"), pause=0.3)
        assert rcpt(server, "eve@portal.test") == 250
        assert rcpt(server, f"{uuid.uuid4().hex}@portal.test") == 451
        checked = server.command("check", "--json", expect=None).stdout
        assert "account source portal" in checked and portal.url not in checked
    finally:
        portal.run("ALTER TABLE gone RENAME TO users")
    until(lambda: login(server, "eve@portal.test") == "")
    assert shown(server, "eve@portal.test")["enabled"] is True
