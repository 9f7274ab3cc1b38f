"""Messages that a filter puts into quarantine: kept from their recipients and through a kill,
listed, shown without danger, released, deleted; by administrators and by users.
"""

import asyncio
import imaplib
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.load import load
from mailserver import control
from mailserver.checks import quarantine_line
from mailserver.operations.errors import OperationError
from tests.support.directories import own_database
from tests.support.server import PASSWORD, ServerProcess, configuration

FRIEND = "friend@elsewhere.test"
FILTER = """
from filters.own.api import Context, Message, Verdict, quarantine


def check(message: Message, context: Context) -> Verdict | None:
    return quarantine("it is bad") if "bad" in message.subject else None
"""
NASTY = "\x1b]0;gotcha\x07\x1b[2J"


def serve(folder: Path, database: str = "sqlite") -> ServerProcess:
    (folder / "own").mkdir(parents=True)
    (folder / "own" / "bad.py").write_text(FILTER)
    extra = '[filters]\nown = "own"\n[quarantine]\nusers = true\n'
    return ServerProcess(folder, configuration(database=database, extra=extra))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            with serve(tmp_path_factory.mktemp("quarantine"), database) as running:
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture
def ada(server: ServerProcess) -> str:
    """A fresh account."""
    return account(server, "ada")


def account(server: ServerProcess, name: str) -> str:
    address = f"{name}{len(perform(server, 'account.list'))}@example.test"
    perform(server, "account.add", address=address, password=PASSWORD)
    return address


def perform(server: ServerProcess, operation: str, **args: object) -> Any:
    return asyncio.run(control.call(server.data, operation, args, lambda *_: None))


def send(server: ServerProcess, name: str, *recipients: str, body: str = "text") -> str:
    """The id of the 250."""
    text = f"From: {FRIEND}\r\nMessage-ID: <{name}@x.test>\r\nSubject: bad {name}\r\n\r\n{body}\r\n"
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), "mail.elsewhere.test", 20) as client:
        client.ehlo()
        client.mail(FRIEND)
        for recipient in recipients:
            client.rcpt(recipient)
        code, reply = client.data(text.encode())
    assert code == 250, reply
    return reply.decode().rpartition("id ")[2]


def mail(server: ServerProcess, user: str, mailbox: str = "INBOX") -> list[bytes]:
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20) as client:
        client.login(user, PASSWORD)
        client.select(mailbox)
        if client.search(None, "ALL")[1] == [b""]:
            return []
        found = client.fetch("1:*", "(BODY.PEEK[])")[1]
    return [part[1] for part in found if isinstance(part, tuple)]


def listed(server: ServerProcess, to: str, **args: object) -> list[dict[str, Any]]:
    rows = perform(server, "quarantine.list", **args)
    return [row for row in rows if to in row["recipients"]]


def told(server: ServerProcess, name: str) -> dict[str, str]:
    (one,) = perform(server, "explain", id=f"<{name}@x.test>")
    return {line["what"]: line["text"] for line in one["happenings"]}


def test_kept_shown_and_released(server: ServerProcess, ada: str) -> None:
    trace = send(server, "one", ada, body=f"hello {NASTY} there")
    assert mail(server, ada) == mail(server, ada, "Junk") == []
    (row,) = listed(server, ada)
    assert (row["id"], row["sender"], row["subject"]) == (trace, FRIEND, "bad one")
    assert "it is bad" in row["reason"] and row["message_id"] == "<one@x.test>"
    lines = told(server, "one")
    assert lines["quarantined"].startswith(f"Kept in quarantine as {trace} because of own: ")
    assert "delivered" not in lines
    shown = server.command("quarantine", "show", trace).stdout
    assert "hello ?]0;gotcha??[2J there" in shown and "Subject: bad one" in shown
    assert all(char.isprintable() or char == "\n" for char in shown)
    server.command("quarantine", "release", trace)
    (text,) = mail(server, ada)
    assert text.index(b"Received: from mail.elsewhere.test") < text.index(b"X-Quarantine-Released")
    assert f"hello {NASTY} there".encode() in text
    assert not listed(server, ada) and mail(server, ada, "Junk") == []
    lines = told(server, "one")
    assert lines["released"].startswith("Released from quarantine by ")
    assert lines["delivered"] == f"Delivered into INBOX of <{ada}> as UID 1"
    assert "no message" in server.command("quarantine", "release", trace, expect=1).stderr


def test_large_and_headless_messages_come_out_as_they_went_in(
    server: ServerProcess, ada: str
) -> None:
    body = "".join(f"line {number}\r\n" for number in range(200_000)).rstrip()
    trace = send(server, "large", ada, body=body)
    perform(server, "quarantine.release", id=trace)
    (text,) = mail(server, ada)
    assert text.endswith(f"\r\n\r\n{body}\r\n".encode())


def test_deleted_for_good(server: ServerProcess, ada: str) -> None:
    trace = send(server, "gone", ada)
    server.command("quarantine", "delete", trace)
    assert not listed(server, ada) and mail(server, ada) == []
    assert told(server, "gone")["deleted"].startswith("Deleted from quarantine by ")
    assert not (server.data / "quarantine" / "new" / trace).exists()


def test_users_reach_what_is_kept_from_them_alone(server: ServerProcess, ada: str) -> None:
    eve = account(server, "eve")
    trace = send(server, "both", ada, eve)
    alone = send(server, "alone", ada)
    (mine,) = listed(server, eve, account=eve)
    assert (mine["id"], mine["recipients"]) == (trace, [eve])
    for operation in ("show", "release", "delete"):
        with pytest.raises(OperationError, match=f"no message {alone} in quarantine"):
            perform(server, f"quarantine.{operation}", id=alone, account=eve)
    assert perform(server, "quarantine.release", id=trace, account=eve)["recipients"] == [eve]
    assert len(mail(server, eve)) == 1 and mail(server, ada) == []
    with pytest.raises(OperationError, match="no message"):
        perform(server, "quarantine.show", id=trace, account=eve)
    # the other recipient's copy is still kept
    assert {row["id"]: row["recipients"] for row in listed(server, ada)} == {
        trace: [ada],
        alone: [ada],
    }
    perform(server, "quarantine.delete", id=trace, account=ada)
    assert [row["id"] for row in listed(server, ada)] == [alone]


def test_a_kill_behind_250_keeps_it_and_a_lost_history_too(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        ada = account(server, "ada")
        trace = send(server, "kept", ada)
        server.kill()
        for path in server.data.glob("history.db*"):
            path.unlink()
        server.start()
        (row,) = listed(server, ada)
        assert (row["id"], row["subject"]) == (trace, "bad kept")
        check = quarantine_line(load(server.config))
        assert check["ok"] and str(check["detail"]).startswith("1 messages, ")
        server.stop()
        # and without a server
        server.command("quarantine", "release", trace)
        assert server.json("quarantine", "list") == []
        (path,) = server.data.glob("mail/**/new/*")
        assert b"Subject: bad kept" in path.read_bytes()
