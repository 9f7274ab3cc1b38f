"""Messages that a filter puts into quarantine: kept from their recipients and through a kill,
listed, shown without danger, released, deleted; by administrators and by users.
"""

import asyncio
import errno
import imaplib
import smtplib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.load import load
from config.logging import get_logger
from filters.context import Kind, Message, Recipient
from filters.envelope import Envelope
from filters.quarantining import Keeper
from filters.record import Recorder
from filters.verdict import Action, Verdict
from mailserver import control
from mailserver.checks import quarantine_line
from mailserver.operations.errors import OperationError
from mailserver.operations.quarantine import quarantine_release
from storage.values import Content
from tests.support.directories import own_database
from tests.support.server import PASSWORD, ServerProcess, configuration
from tests.support.services import open_test_services

FRIEND = "friend@elsewhere.test"
FILTER = """
from filters.own.api import Context, Message, Verdict, junk, quarantine, symbol


def check(message: Message, context: Context) -> Verdict | None:
    if "lottery" in message.subject:
        return junk("nobody wins") + symbol("LOTTERY", 2.5)
    return quarantine("it is bad") if "bad" in message.subject else None
"""
NASTY = "\x1b]0;gotcha\x07\x1b[2J"


def serve(folder: Path, database: str = "sqlite") -> ServerProcess:
    (folder / "own").mkdir(parents=True)
    (folder / "own" / "bad.py").write_text(FILTER)
    extra = '[filters]\nown = "own"\n[quarantine]\nusers = true\n'
    return ServerProcess(folder, configuration(database=database, lmtp=True, extra=extra))


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


def silent(*_: object) -> None:
    """What is told of progress."""


def perform(server: ServerProcess, operation: str, **args: object) -> Any:
    return asyncio.run(control.call(server.data, operation, args, silent))


def send(
    server: ServerProcess, name: str, *recipients: str, body: str = "text", how: str = "bad"
) -> str:
    """The id of the 250."""
    header = f"From: {FRIEND}\r\nMessage-ID: <{name}@x.test>\r\nSubject: {how} {name}\r\n"
    text = f"{header}\r\n{body}\r\n"
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
    assert lines["taken"].startswith(f"Given to delivery by this server, from <{FRIEND}> for ")
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


def test_what_is_junk_is_told_with_its_weights(server: ServerProcess, ada: str) -> None:
    send(server, "junk", ada, how="lottery")
    assert len(mail(server, ada, "Junk")) == 1 and not listed(server, ada)
    (one,) = perform(server, "explain", id="<junk@x.test>")
    texts = [line["text"] for line in one["happenings"]]
    assert any("LOTTERY +2.5" in text and "this belongs into Junk" in text for text in texts)
    assert f"Delivered into Junk of <{ada}> as UID 1" in texts


def test_deleted_for_good(server: ServerProcess, ada: str) -> None:
    trace = send(server, "gone", ada)
    server.command("quarantine", "delete", trace)
    assert not listed(server, ada) and mail(server, ada) == []
    assert told(server, "gone")["deleted"].startswith("Deleted from quarantine by ")
    assert not (server.data / "quarantine" / "new" / trace).exists()


def test_two_who_release_at_once_deliver_once(server: ServerProcess, ada: str) -> None:
    trace = send(server, "race", ada)

    async def release(_: int) -> list[str]:
        try:
            told = await control.call(server.data, "quarantine.release", {"id": trace}, silent)
            return list(told["recipients"])
        except OperationError as error:
            return [str(error)]

    async def all_at_once() -> list[list[str]]:
        return await asyncio.gather(*map(release, range(4)))

    told = sorted(asyncio.run(all_at_once()))
    assert told == sorted([[ada], *([[f"no message {trace} in quarantine"]] * 3)])
    assert len(mail(server, ada)) == 1


def test_what_a_script_refuses_stays_for_its_recipient_alone(
    server: ServerProcess, ada: str
) -> None:
    eve = account(server, "eve")
    script = 'require "reject"; reject "not for me";'
    perform(server, "sieve.put", address=eve, name="no", text=script, activate=True)
    with smtplib.LMTP("127.0.0.1", server.port("lmtp"), timeout=20) as client:
        text = f"From: {FRIEND}\r\nSubject: bad script\r\n\r\nx\r\n"
        client.sendmail(FRIEND, [ada, eve], text)
        assert client.getreply()[0] == 250  # for the second recipient
    ((trace, left),) = [(row["id"], row["recipients"]) for row in listed(server, eve)]
    assert left == [ada, eve]
    for _ in range(2):
        with pytest.raises(OperationError, match=f"<{eve}>: 550 5.7.1 not for me"):
            perform(server, "quarantine.release", id=trace)
        assert [row["recipients"] for row in listed(server, eve)] == [[eve]]
        assert len(mail(server, ada)) == 1


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
        before = [send(server, f"kept{number}", ada) for number in range(5)]
        trace = send(server, "kept", ada)
        server.kill()
        for path in server.data.glob("history.db*"):
            path.unlink()
        rows = server.json("quarantine", "list")
        assert [row["id"] for row in rows] == [*before, trace]
        assert rows[-1]["subject"] == "bad kept"
        check = quarantine_line(load(server.config))
        assert check["ok"] and str(check["detail"]).startswith("6 messages, ")
        # nobody serves: the command delivers it itself
        server.command("quarantine", "release", trace)
        assert [row["id"] for row in server.json("quarantine", "list")] == before
        (one,) = server.json("explain", trace)
        texts = {line["what"]: line["text"] for line in one["happenings"]}
        assert texts["delivered"] == f"Delivered into INBOX of <{ada}> as UID 1"
        assert texts["present"] == f"Is in INBOX of <{ada}> as UID 1, without flags"
        assert texts["released"].endswith(f" for <{ada}>")


async def test_a_full_disk_is_no_250(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with open_test_services(tmp_path) as services:
        recorder = Recorder(services.clock, services.explain)
        keeper = Keeper("mx.example.test", services.quarantine, recorder, get_logger("test"))
        message = Message(Content(4, b"d" * 16, data=b"\r\nx\n"), b"")
        envelope = Envelope(Kind.MX, "x@y.test", (), "t1", services.clock.now())
        verdict = Verdict(Action.QUARANTINE)
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            assert (await keeper.keep(envelope, message, verdict))[0] == 452
        assert await services.quarantine.listed() == []
        assert (await keeper.keep(envelope, message, verdict))[0] == 250
        assert len(await services.quarantine.listed()) == 1


async def test_release_may_teach_that_it_is_no_spam(tmp_path: Path) -> None:
    async with open_test_services(tmp_path) as services:
        ada = await services.directory.add_account("ada@example.test", "x")
        await services.store.add_account(ada.id)
        data = b"From: x@y.test\r\nSubject: prize\r\n\r\nyou won the prize of words\r\n"
        found = await services.directory.resolve(ada.address)
        envelope = Envelope(
            Kind.MX, "x@y.test", (Recipient(ada.address, found),), "t1", services.clock.now()
        )
        recorder = Recorder(services.clock, services.explain)
        keeper = Keeper("mx.example.test", services.quarantine, recorder, get_logger("test"))
        message = Message(Content(len(data), b"d" * 16, data=data), data[:31])
        for trace, learn in (("t1", False), ("t2", True)):
            sent = replace(envelope, trace=trace)
            answer = await keeper.keep(sent, message, Verdict(Action.QUARANTINE))
            assert answer == (250, "2.0.0", f"Ok, id {trace}")
            await quarantine_release(services, {"id": trace, "learn": learn})
            assert (await services.learned.totals(ada.id)).own.ham == int(learn)
        assert (await services.store.mailbox(ada.id, "INBOX")).messages == 2
