"""`mailserver explain` on messages that real clients brought: taken, refused, forwarded, moved,
expunged; with an index and a history in SQLite and in PostgreSQL.
"""

import asyncio
import imaplib
import smtplib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailserver import control
from tests.support.directories import own_database
from tests.support.server import PASSWORD, ServerProcess, configuration, serving, until
from tests.support.smtp_sink import Sink

EVE, ALIAS, BOB = "eve@example.test", "all@example.test", "bob@world.test"
FRIEND = "friend@elsewhere.test"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            text = configuration(database=database)
            with ServerProcess(tmp_path_factory.mktemp("explain"), text) as running:
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture
def ada(server: ServerProcess) -> str:
    """A fresh account."""
    number = len(perform(server, "account.list"))
    address = f"ada{number}@example.test"
    perform(server, "account.add", address=address, password=PASSWORD)
    return address


def perform(server: ServerProcess, operation: str, **args: object) -> Any:
    return asyncio.run(control.call(server.data, operation, args, lambda *_: None))


def message(name: str, subject: str = "hello") -> str:
    return (
        f"From: {FRIEND}\r\nMessage-ID: <{name}@elsewhere.test>\r\nSubject: {subject}\r\n\r\nx\r\n"
    )


def send(server: ServerProcess, text: str, *recipients: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), "mail.elsewhere.test", 20) as client:
        refused: dict[str, tuple[int, bytes]] = client.sendmail(FRIEND, recipients, text)
        return refused


def explain(server: ServerProcess, **names: object) -> dict[str, Any]:
    """What is told of the one message of that name."""
    (one,) = perform(server, "explain", **names)
    assert isinstance(one, dict)
    return one


def lines(one: dict[str, Any], what: str) -> list[str]:
    return [line["text"] for line in one["happenings"] if line["what"] == what]


def imap(server: ServerProcess, user: str, *commands: tuple[str, ...]) -> None:
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20) as client:
        client.login(user, PASSWORD)
        for verb, *arguments in commands:
            if verb == "SELECT":
                assert client.select(arguments[0])[0] == "OK"
            elif verb == "EXPUNGE":
                assert client.expunge()[0] == "OK"
            else:
                assert client.uid(verb, *arguments)[0] == "OK"


def test_the_way_of_a_message_from_its_peer_to_the_last_client_action(
    server: ServerProcess,
    ada: str,
) -> None:
    send(server, message("one"), ada)
    junk = (("SELECT", "INBOX"), ("STORE", "1", "+FLAGS", "\\Seen"), ("MOVE", "1", "Junk"))
    imap(server, ada, *junk)
    imap(server, ada, ("SELECT", "Junk"), ("STORE", "1", "+FLAGS", "$Junk"))
    told = explain(server, id="<one@elsewhere.test>")
    assert told["message_id"] == "<one@elsewhere.test>"
    (who,) = lines(told, "connected")
    assert who.startswith("127.0.0.1 port ")
    assert "said mail.elsewhere.test, without TLS" in who
    (taken,) = lines(told, "taken")
    assert taken.startswith(f"Taken from <{FRIEND}> for <{ada}>: ")
    assert "Subject: hello" in taken and f"250 2.0.0 Ok, id {told['id']}" in taken
    assert lines(told, "delivered") == [f"Delivered into INBOX of <{ada}> as UID 1"]
    assert lines(told, "flags") == [
        f"Flags changed in INBOX of <{ada}>",
        f"Flags changed in Junk of <{ada}>",
    ]
    assert lines(told, "moved") == [f"Moved from INBOX to Junk of <{ada}>, UID 1"]
    assert lines(told, "present") == [f"Is in Junk of <{ada}> as UID 1, flags \\Seen $Junk"]
    times = [line["at"] for line in told["happenings"]]
    assert times == sorted(times)
    stages = {line["stage"] for line in told["happenings"] if line["what"] == "filters"}
    assert {"mail", "rcpt", "data"} <= stages
    named = [name for line in told["happenings"] for name, _ in line.get("filters", ())]
    assert {"syntax", "ratelimit", "spf"} <= set(named)
    (found,) = [line for line in told["happenings"] if line.get("filter") == "dkim"]
    assert found["symbols"] == ["R_DKIM_NA"] and found["milliseconds"] >= 0
    # the same by the id of the 250, and by where it is
    assert explain(server, id=told["id"]) | {"happenings": 0} == told | {"happenings": 0}
    assert explain(server, account=ada, mailbox="Junk", uid=1)["id"] == told["id"]
    plain = server.command("explain", "one@elsewhere.test").stdout.splitlines()
    assert plain[0] == f"message {told['id']} <one@elsewhere.test>"
    assert len(plain) == len(told["happenings"]) + 1


def test_a_message_that_a_client_expunged(server: ServerProcess, ada: str) -> None:
    send(server, message("gone"), ada)
    send(server, message("lost"), ada)
    deleted = ("STORE", "1", "+FLAGS", "\\Deleted")
    imap(server, ada, ("SELECT", "INBOX"), deleted, ("EXPUNGE",))
    told = explain(server, id="gone@elsewhere.test")
    assert told["happenings"][-1]["text"] == f"Expunged from INBOX of <{ada}>"
    assert not lines(told, "present")
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20) as client:
        client.login(ada, PASSWORD)
        client.create("Old")
        client.select("INBOX")
        client.uid("MOVE", "2", "Old")
        client.delete("Old")
    told = explain(server, id="lost@elsewhere.test")
    assert [line["text"] for line in told["happenings"][-2:]] == [
        f"Moved from INBOX to Old (deleted) of <{ada}>, UID 1",
        f"Expunged from Old (deleted) of <{ada}>",
    ]


def test_refusals_by_the_id_of_their_reply(server: ServerProcess, ada: str) -> None:
    refused = send(server, message("half"), ada, "nobody@example.test")
    reply = refused["nobody@example.test"][1].decode()
    name = reply.rpartition("(id ")[2].rstrip(")")
    by_refusal, by_message = explain(server, id=name), explain(server, id="half@elsewhere.test")
    assert by_refusal["id"] == by_message["id"]
    (text,) = lines(by_message, "refused")
    assert text.startswith(f"Refused at RCPT from <{FRIEND}> for <nobody@example.test>: 550 ")
    assert text.endswith(f"(id {name})")
    assert len(lines(by_message, "connected")) == 1
    loop = "Received: from x by y\r\n" * 200 + message("round")
    with pytest.raises(smtplib.SMTPDataError) as caught:
        send(server, loop, ada)
    assert caught.value.smtp_code == 554
    (text,) = lines(explain(server, id="round@elsewhere.test"), "not taken")
    assert f"for <{ada}>" in text and "554 5.4.6 Mail loop detected" in text


def test_a_refusal_of_content_that_a_user_submits(server: ServerProcess, ada: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=20) as client:
        client.login(ada, PASSWORD)
        foreign = f"From: {EVE}\r\nMessage-ID: <mask@x.test>\r\n\r\nx\r\n"
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail(ada, [BOB], foreign)
    told = explain(server, id="mask@x.test")
    (who,) = lines(told, "connected")
    assert "connected by submission, said " in who and f"logged in as {ada}" in who
    (text,) = lines(told, "refused")
    assert text.startswith(f"Refused at DATA from <{ada}> for <{BOB}>, From: {EVE}: 550 5.7.1 ")


def test_several_messages_of_one_message_id(server: ServerProcess, ada: str) -> None:
    for _ in range(2):
        send(server, message("twice"), ada)
    found = perform(server, "explain", id="twice@elsewhere.test")
    assert [lines(one, "delivered") for one in found] == [
        [f"Delivered into INBOX of <{ada}> as UID {uid}"] for uid in (1, 2)
    ]
    printed = server.command("explain", "twice@elsewhere.test").stdout
    assert printed.count("<twice@elsewhere.test>\n") == 2 and "\n\nmessage " in printed


def test_a_message_id_without_brackets(server: ServerProcess, ada: str) -> None:
    send(server, message("bare").replace("<bare@elsewhere.test>", "bare@elsewhere.test"), ada)
    assert lines(explain(server, id="bare@elsewhere.test"), "delivered")


def test_what_nobody_knows_of(server: ServerProcess, ada: str) -> None:
    done = server.command("explain", "never@elsewhere.test", expect=1)
    assert "nothing is recorded of never@elsewhere.test" in done.stderr
    server.command("explain", expect=2)
    server.command("explain", "x", "--account", ada, "--uid", "1", expect=2)


@pytest.fixture
async def forwarding(tmp_path: Path, sink: Sink) -> AsyncIterator[ServerProcess]:
    async with serving(tmp_path, sink.as_smarthost, aliases={ALIAS: BOB}) as running:
        yield running


def deferred(told: dict[str, Any]) -> dict[str, Any] | None:
    """The attempt is made, and its result recorded."""
    return told if any("deferred" in text for text in lines(told, "waiting")) else None


async def test_attempts_of_forwarded_mail(forwarding: ServerProcess, sink: Sink) -> None:
    sink.refuse[BOB] = "450 4.2.0 greylisted"

    def scenario() -> None:
        send(forwarding, message("on"), ALIAS)
        told = until(lambda: deferred(explain(forwarding, id="on@elsewhere.test")))
        (first,) = lines(told, "attempt")
        assert first.startswith(f"Attempt 1 for <{BOB}>: ")
        assert "450 4.2.0 greylisted" in first and first.endswith("; tried again later")
        (row,) = forwarding.json("queue", "list")
        assert lines(told, "queued") == [f"Put into the queue as message {row['id']} for <{BOB}>"]
        (waits,) = lines(told, "waiting")
        assert waits.startswith(f"Waits in the queue for <{BOB}>: deferred, next attempt ")
        assert explain(forwarding, id=row["id"])["id"] == told["id"]
        del sink.refuse[BOB]
        forwarding.command("queue", "retry")
        until(lambda: not forwarding.json("queue", "list"))
        told = explain(forwarding, id="on@elsewhere.test")
        assert not lines(told, "waiting")
        second = lines(told, "attempt")[1]
        assert second.startswith(f"Attempt 2 for <{BOB}>: ") and second.endswith("; handed on")
        assert "250 2.0.0 taken" in second

    await asyncio.to_thread(scenario)
