"""Webhooks: new mail, what was delivered and what bounced, signed, again until it is taken."""

import asyncio
import base64
import hashlib
import hmac
import json
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.directories import own_database
from tests.support.https_server import Asked, HttpsServer
from tests.support.https_thread import https_in_thread
from tests.support.sending_site import running_sink
from tests.support.server import PASSWORD, ServerProcess, configuration, until
from tests.support.smtp_sink import Sink

ADA, BOB = "ada@example.test", "bob@example.test"
ALLOWED = '[push]\nnetworks = ["127.0.0.0/8"]\n'
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsServer]:
    folder = tmp_path_factory.mktemp("hooks")
    with https_in_thread(folder / "ca.pem", "127.0.0.1") as running:
        running.ca_file = folder / "ca.pem"  # type: ignore[attr-defined]
        yield running


def serving(folder: Path, web: HttpsServer, database: str, extra: str) -> ServerProcess:
    environment = {"SSL_CERT_FILE": str(web.ca_file)}  # type: ignore[attr-defined]
    return ServerProcess(folder, configuration(database=database, extra=extra), environment)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with running_sink() as running:
        running.refuse["nobody@else.test"] = "550 5.1.1 nobody here"
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory,
    web: HttpsServer,
    sink: Sink,
    request: pytest.FixtureRequest,
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            folder = tmp_path_factory.mktemp("server")
            with serving(folder, web, database, ALLOWED + sink.as_smarthost) as running:
                for address in (ADA, BOB):
                    running.perform("account.add", address=address, password=PASSWORD)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture(autouse=True)
def answering(web: HttpsServer) -> None:
    web.serve(b"")
    web.asked.clear()


def reach(web: HttpsServer, path: str) -> list[Asked]:
    return [one for one in web.asked if one.path == path]


def hook(server: ServerProcess, web: HttpsServer, path: str, *events: str) -> Any:
    url = f"https://127.0.0.1:{web.port}{path}"
    return server.perform("webhook.add", address=ADA, url=url, events=list(events))


def deliver(server: ServerProcess, subject: str) -> None:
    text = f"From: Carol <carol@else.test>\r\nTo: {ADA}\r\nSubject: {subject}\r\n\r\nx\r\n"
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=30) as client:
        client.sendmail("carol@else.test", [ADA], text.encode())


def submit(server: ServerProcess, to: str, subject: str) -> None:
    text = f"From: {ADA}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nx\r\n"
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.login(ADA, PASSWORD)
        client.sendmail(ADA, [to], text.encode())


def checked(asked: Asked, secret: str) -> Any:
    """The event, once its signature was checked as a receiver does."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    ident, at = asked.fields["webhook-id"], asked.fields["webhook-timestamp"]
    digest = hmac.new(key, f"{ident}.{at}.".encode() + asked.body, hashlib.sha256).digest()
    assert asked.fields["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert abs(int(at) - time.time()) < 60
    event = json.loads(asked.body)
    assert event["id"] == ident
    return event


def test_new_mail_is_told_and_signed(server: ServerProcess, web: HttpsServer) -> None:
    made = hook(server, web, "/new", "message.received")
    assert made["secret"].startswith("whsec_") and made["state"] == "on"
    deliver(server, "=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    (asked,) = until(lambda: reach(web, "/new"))
    event = checked(asked, made["secret"])
    assert (event["type"], event["account"]) == ("message.received", ADA)
    assert event["data"]["subject"] == "Grüße"
    assert event["data"]["from"] == "Carol <carol@else.test>"
    assert event["data"]["mailbox"] == "INBOX" and event["data"]["emailId"].startswith("M")
    (told,) = until(
        lambda: [
            one
            for one in server.perform("webhook.log", address=ADA, id=made["id"])
            if one["state"] == "told"
        ]
    )
    assert (told["answer"], told["tries"], told["id"]) == ("200", 1, event["id"])
    listed = server.perform("webhook.list", address=ADA)
    assert all("secret" not in one for one in listed)


def test_what_came_while_it_was_down_is_told_after(server: ServerProcess, web: HttpsServer) -> None:
    """The event is durable: the receiver fails, the server stops, and tells it after the start."""
    made = hook(server, web, "/later", "message.received")
    web.serve(b"", status="500 Broken")
    deliver(server, "Later")
    until(lambda: reach(web, "/later"))

    def log() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = server.perform("webhook.log", address=ADA, id=made["id"])
        return found

    until(lambda: log()[0]["tries"] == 1)
    assert log()[0]["state"] == "waiting"
    server.stop()
    web.serve(b"")
    server.start()
    until(lambda: log()[0]["state"] == "told")
    first, second = reach(web, "/later")[:2]
    assert checked(first, made["secret"])["id"] == checked(second, made["secret"])["id"]


def test_what_became_of_mail_that_was_sent_is_told(server: ServerProcess, web: HttpsServer) -> None:
    made = hook(server, web, "/sent", "message.delivered", "message.bounced")
    submit(server, "carol@else.test", "Arrives")
    submit(server, "nobody@else.test", "Comes back")
    both = until(lambda: len(found := reach(web, "/sent")) == 2 and found)
    events = {one["type"]: one for one in (checked(asked, made["secret"]) for asked in both)}
    arrived, returned = events["message.delivered"]["data"], events["message.bounced"]["data"]
    assert (arrived["from"], arrived["to"]) == (ADA, "carol@else.test")
    assert (returned["to"], returned["status"]) == ("nobody@else.test", "5.1.1")
    assert "nobody here" in returned["reply"]


def test_gone_switches_it_off_until_it_is_enabled(server: ServerProcess, web: HttpsServer) -> None:
    made = hook(server, web, "/gone")
    web.serve(b"", status="410 Gone")
    server.perform("webhook.test", address=ADA, id=made["id"])

    def state() -> str:
        every = server.perform("webhook.list", address=ADA)
        return next(str(one["state"]) for one in every if one["id"] == made["id"])

    until(lambda: state() != "on")
    assert "gone" in state()
    web.serve(b"")
    web.asked.clear()
    deliver(server, "Not told")
    server.perform("webhook.enable", address=ADA, id=made["id"])
    server.perform("webhook.test", address=ADA, id=made["id"])
    until(lambda: len(reach(web, "/gone")) >= 2)
    types = [json.loads(one.body)["type"] for one in reach(web, "/gone")]
    assert set(types) == {"webhook.test"}


def test_an_account_that_is_enabled_again_is_told_again(
    server: ServerProcess, web: HttpsServer
) -> None:
    made = hook(server, web, "/again", "message.received")
    server.perform("account.disable", address=ADA)
    try:
        server.perform("webhook.test", address=ADA, id=made["id"])
        server.perform("webhook.list", address=ADA)
    finally:
        server.perform("account.enable", address=ADA)
    deliver(server, "Again")
    until(lambda: len(reach(web, "/again")) == 2)
    kinds = [checked(asked, made["secret"])["type"] for asked in reach(web, "/again")]
    assert kinds == ["webhook.test", "message.received"]


def test_accounts_have_their_own(server: ServerProcess, web: HttpsServer) -> None:
    made = hook(server, web, "/own")
    for operation in ("webhook.delete", "webhook.log", "webhook.test", "webhook.enable"):
        with pytest.raises(Exception, match="no such webhook"):
            server.perform(operation, address=BOB, id=made["id"])
    server.perform("webhook.delete", address=ADA, id=made["id"])
    deliver(server, "Nobody")
    other = hook(server, web, "/other", "message.received")
    deliver(server, "Somebody")
    until(lambda: reach(web, "/other"))
    assert reach(web, "/own") == []
    server.perform("webhook.delete", address=ADA, id=other["id"])


@pytest.mark.parametrize(
    ("url", "events", "words"),
    [
        pytest.param("http://hook.test/", [], "https", id="plain"),
        pytest.param("https://a@hook.test/", [], "user name", id="user"),
        pytest.param("https://hook.test/", ["mail"], "no event", id="event"),
    ],
)
def test_what_makes_no_sense_is_refused(
    server: ServerProcess, url: str, events: list[str], words: str
) -> None:
    with pytest.raises(Exception, match=words):
        server.perform("webhook.add", address=ADA, url=url, events=events)


def test_private_addresses_are_not_asked(tmp_path: Path, web: HttpsServer) -> None:
    with serving(tmp_path / "s", web, "sqlite", "") as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]"):
            url = f"https://{host}:{web.port}/private"
            made = running.perform("webhook.add", address=ADA, url=url)
            running.perform("webhook.test", address=ADA, id=made["id"])
            (told,) = until(
                lambda made=made: [
                    one
                    for one in running.perform("webhook.log", address=ADA, id=made["id"])
                    if one["tries"]
                ]
            )
            assert "no address that may be asked" in told["answer"]
        assert reach(web, "/private") == []
