"""What commands do about mailboxes that are shared, known devices, waiting sign-ups, and all tokens
of an account at once; with a server on both kinds of database, and without one.
"""

import asyncio
import contextlib
import imaplib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailserver.operations.errors import OperationError
from tests.support.directories import own_database
from tests.support.http_api import ask, code_of
from tests.support.server import PASSWORD, ServerProcess, configuration

BOUND = 10.0
_numbers = itertools.count(1)


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            text = configuration(database=database).replace("[auth]", '[auth]\nsignup = "open"')
            with ServerProcess(tmp_path_factory.mktemp("access"), text) as running:
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


def made(server: ServerProcess) -> str:
    """The address of a new account."""
    address = f"b{next(_numbers)}@example.test"
    server.perform("account.add", address=address, password=PASSWORD)
    return address


@contextlib.contextmanager
def imap(server: ServerProcess, address: str, password: str = PASSWORD) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=30)
    try:
        client.login(address, password)
        yield client
    finally:
        client.shutdown()


def rights(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["identifier"]: row["rights"] for row in rows}


def test_a_mailbox_is_shared_by_command_as_by_setacl(server: ServerProcess) -> None:
    owner, reader = made(server), made(server)
    box = {"address": owner, "mailbox": "INBOX"}
    theirs = f'"Other Users/{owner}/INBOX"'
    with imap(server, reader) as client:
        assert client.select(theirs, readonly=True)[0] == "NO"
        given = server.perform("account.share.set", identifier=reader, rights="lr", **box)
        assert rights(given) == {owner: "lrswipkxtea", reader: "lr"}
        assert client.select(theirs, readonly=True)[0] == "OK"
        client.unselect()
        server.perform("account.share.set", identifier=reader, rights="+st", by="root", **box)
        assert b"lrst" in client.myrights(theirs)[1][0]
        with imap(server, owner) as mine:
            assert mine.setacl("INBOX", reader, "-r")[0] == "OK"
        assert rights(server.perform("account.share.list", **box))[reader] == "lst"
        (only, _) = server.perform("account.share.list", address=owner)
        assert only["mailbox"] == "INBOX"
        server.perform("account.share.delete", identifier=reader, **box)
        assert client.select(theirs, readonly=True)[0] == "NO"
    assert server.perform("account.share.list", address=owner) == []
    found = server.perform("audit.list", address=owner)
    told = [entry["detail"] for entry in found if entry["kind"] == "rights changed"]
    assert sorted(told) == [
        f"INBOX: {reader} +st, by root",
        f"INBOX: {reader} -r",
        f"INBOX: {reader} lr",
        f"INBOX: {reader} removed",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"rights": "lr?"},
        {"identifier": "nobody@example.test"},
        {"identifier": "-"},
        {"mailbox": "None"},
        {"address": "nobody@example.test"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_not_shared(server: ServerProcess, wrong: dict[str, str]) -> None:
    owner = made(server)
    args = {"address": owner, "mailbox": "INBOX", "identifier": "anyone", "rights": "lr", **wrong}
    with pytest.raises(OperationError):
        server.perform("account.share.set", **args)
    assert server.perform("account.share.list", address=owner) == []


def test_known_devices_are_forgotten(server: ServerProcess) -> None:
    address = made(server)
    assert server.perform("account.device.list", address=address) == []
    with imap(server, address):
        pass
    (device,) = server.perform("account.device.list", address=address)
    assert device["network"] == "127.0.0.0/24"
    server.perform("account.device.forget", address=address, network=device["network"])
    assert server.perform("account.device.list", address=address) == []
    with pytest.raises(OperationError):
        server.perform("account.device.forget", address=address, network=device["network"])
    with imap(server, address):
        pass
    assert len(server.perform("account.device.list", address=address)) == 1


def test_all_tokens_end_at_once(server: ServerProcess) -> None:
    address, other = made(server), made(server)
    for _ in range(2):
        token = server.perform("token.add", address=address, name="Script")["secret"]
        password = server.perform("account.app-password.add", address=address, name="Phone")
    server.perform("token.add", address=other, name="Script")
    with imap(server, address, token) as client, imap(server, address, password["secret"]) as phone:
        gone = server.perform("token.revoke-all", address=address)
        assert len(gone) == 2 and all(one["kind"] == "token" for one in gone)
        client.sock.settimeout(BOUND)
        assert client.readline().startswith(b"* BYE")
        assert phone.noop()[0] == "OK"
        assert len(server.perform("account.app-password.revoke-all", address=address)) == 2
        phone.sock.settimeout(BOUND)
        assert phone.readline().startswith(b"* BYE")
    assert server.perform("token.list", address=address) == []
    assert len(server.perform("token.list", address=other)) == 1


def test_waiting_sign_ups_are_seen_and_ended(server: ServerProcess) -> None:
    name = f"new{next(_numbers)}"
    body = {"username": name, "password": PASSWORD + " battery", "phone": "+43123456789"}
    assert ask(server, "POST", "/register", body).status == 202
    (waiting,) = [
        one
        for one in server.perform("account.sign-up.list")
        if one["address"] == f"{name}@example.test"
    ]
    assert (waiting["target"], waiting["tries"]) == ("+43123456789", 0)
    assert "code" not in waiting
    code = code_of(server, body["phone"])
    server.perform("account.sign-up.delete", id=waiting["id"])
    given = {"username": name, "code": code}
    assert ask(server, "POST", "/verify", given).status == 400
    with pytest.raises(OperationError):
        server.perform("account.sign-up.delete", id=waiting["id"])


@pytest.mark.timeout(300)
def test_the_same_without_a_server(tmp_path: Path) -> None:
    alone = ServerProcess(tmp_path, configuration())
    ada, ben = "ada@example.test", "ben@example.test"
    for address in (ada, ben):
        alone.add_account(address)
    alone.command("account", "share", "set", ada, "INBOX", ben, "lrs")
    alone.command("account", "share", "set", ada, "INBOX", ben, "-s")
    assert rights(alone.json("account", "share", "list", ada))[ben] == "lr"
    alone.command("account", "share", "delete", ada, "INBOX", ben)
    assert alone.json("account", "share", "list", ada) == []
    assert alone.json("account", "device", "list", ada) == []
    alone.command("account", "device", "forget", ada, "192.0.2.0/24", expect=1)
    assert alone.json("account", "sign-up", "list") == []
    alone.command("account", "sign-up", "delete", "7", expect=1)
    alone.command("token", "add", ada, "--name", "Script")
    alone.command("token", "revoke", ada, expect=2)
    alone.command("token", "revoke", ada, "--all")
    assert alone.json("token", "list", ada) == []
    alone.command("account", "app-password", "revoke", ada, "--all")
