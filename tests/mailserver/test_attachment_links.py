"""Large attachments of sent mail become links, by SMTP as mail programs send it, by JMAP and by
/sendEmail.
"""

import asyncio
import email
import imaplib
import random
import re
import smtplib
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import dkim
import pytest

from tests.support.drive import ADA, BOB, get, items
from tests.support.http_api import ask
from tests.support.jmap import Jmap, append, basic
from tests.support.rest import Rest
from tests.support.server import PASSWORD, ServerProcess, configuration, until
from tests.support.smtp_sink import Sink, smtp_sink

FILE = random.Random(9).randbytes(200_000)
DRIVE = (
    '[drive]\nattachment_links = "always"\nlinks_above = "100K"\n[submission]\nsave_sent = true\n'
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("links"), configuration(extra=DRIVE)) as running:
        for address in (ADA, BOB):
            running.perform("account.add", address=address, password=PASSWORD)
        yield running


def letter(subject: str, data: bytes = FILE, to: str = BOB, **fields: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = ADA, to, subject
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Here it is.\n")
    mail.add_attachment(data, maintype="application", subtype="zip", filename="Fotos März.zip")
    mail.add_attachment(b"small", maintype="text", subtype="plain", filename="small.txt")
    return mail


def send(server: ServerProcess, subject: str, data: bytes = FILE, **more: str) -> None:
    mail = letter(subject, data, **more)
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.login(ADA, PASSWORD)
        client.send_message(mail)


def received(server: ServerProcess, user: str, box: str, subject: str) -> EmailMessage:
    def look() -> Any:
        client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
        try:
            client.login(user, PASSWORD)
            client.select(box)
            found = client.uid("SEARCH", "SUBJECT", f'"{subject}"')[1][0].split()
            return found and client.uid("FETCH", found[0].decode(), "(BODY[])")[1][0][1]
        finally:
            client.logout()

    return email.message_from_bytes(until(look), policy=default)


def names(mail: EmailMessage) -> list[str]:
    return [str(one.get_filename()) for one in mail.walk() if one.get_filename()]


def urls(mail: EmailMessage) -> list[str]:
    plain = [one.get_content() for one in mail.walk() if one.get_content_type() == "text/plain"]
    return re.findall(r"https://\S+", "\n".join(plain))


@pytest.mark.parametrize("times", [1, 15], ids=["in-memory", "spooled"])
def test_recipients_get_a_link(server: ServerProcess, times: int) -> None:
    data = FILE * times
    send(server, f"with a link {times}", data)
    mail = received(server, BOB, "INBOX", f"with a link {times}")
    assert names(mail) == ["small.txt"]
    (url,) = urls(mail)
    plain = [one.get_content() for one in mail.walk() if one.get_content_type() == "text/plain"]
    assert f"Fotos März.zip ({'200.0 KB' if times == 1 else '3.0 MB'})" in plain[1]
    assert get(server, url).body == data
    item = next(one for one in items(server) if not one["attachment"])
    assert (item["name"], item["folder"]) == ("Fotos März.zip", "Sent")


@pytest.mark.parametrize("times", [1, 15], ids=["in-memory", "spooled"])
def test_recipients_of_jmap_get_a_link(server: ServerProcess, times: int) -> None:
    data, subject = FILE * times, f"by JMAP {times}"
    made = submitted(server, letter(subject, data))
    assert made.get("created"), made
    mail = received(server, BOB, "INBOX", subject)
    assert names(mail) == ["small.txt"]
    (url,) = urls(mail)
    assert get(server, url).body == data
    assert len(names(received(server, ADA, "Drafts", subject))) == 2, "the client's own is whole"
    assert list((server.data / "tmp").iterdir()) == []


def submitted(server: ServerProcess, mail: EmailMessage) -> Any:
    with imaplib.IMAP4("127.0.0.1", server.port("imap")) as client:
        client.login(ADA, PASSWORD)
        draft = append(client, mail.as_bytes().replace(b"\n", b"\r\n"), "Drafts", "\\Draft")
    jmap = Jmap(server, basic())
    identity = jmap.call("Identity/get", ids=None)["list"][0]["id"]
    wish = {"identityId": identity, "emailId": draft}
    return jmap.call("EmailSubmission/set", create={"a": wish})


@pytest.mark.parametrize("times", [1, 15], ids=["in-memory", "spooled"])
def test_recipients_of_send_email_get_a_link(server: ServerProcess, times: int) -> None:
    data, subject = FILE * times, f"by HTTP {times}"
    ada = Rest(server, ADA)
    file = ada.ask("POST", f"/drive/items?name=plan{times}.bin", data)
    assert file.status == 201, file.body
    files = [{"drive_id": file.body["id"]}]
    wish = {"to": BOB, "subject": subject, "text": "x", "attachments": files}
    bearer = server.perform("token.add", address=ADA, name="t")["secret"]
    answer = ask(server, "POST", "/sendEmail", wish, {"Authorization": f"Bearer {bearer}"})
    assert answer.status == 202, answer.body
    mail = received(server, BOB, "INBOX", subject)
    assert names(mail) == []
    (url,) = urls(mail)
    assert get(server, url).body == data
    assert urls(received(server, ADA, "Sent", subject)) == [url], "the copy is what was sent"
    assert list((server.data / "tmp").iterdir()) == []


def test_the_time_of_a_link_begins_when_the_mail_goes(server: ServerProcess) -> None:
    mail = letter("sent in a day")
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.login(ADA, PASSWORD)
        client.send_message(mail, mail_options=["HOLDFOR=86400"])
    links = server.perform("drive.links", address=ADA)
    (made,) = [one for one in links if one["note"] == "sent in a day"]
    begin, end = (datetime.fromisoformat(made[name]) for name in ("created", "expires"))
    assert timedelta(days=31) - timedelta(minutes=1) < end - begin < timedelta(days=31, minutes=1)


@pytest.mark.parametrize("way", ["SMTP", "JMAP"])
def test_what_is_refused_leaves_no_file(server: ServerProcess, way: str) -> None:
    mail = letter(f"in a round {way}")
    for number in range(120):
        mail["Received"] = f"from a{number}.test by b.test; Sat, 28 Nov 2026 10:00:00 +0000"
    before = [one["id"] for one in items(server) if not one["attachment"]]
    if way == "JMAP":
        assert "a" in submitted(server, mail)["notCreated"]
    else:
        with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
            client.login(ADA, PASSWORD)
            with pytest.raises(smtplib.SMTPDataError, match="loop"):
                client.send_message(mail)
    assert [one["id"] for one in items(server) if not one["attachment"]] == before


def test_the_copy_in_sent_has_the_same_link(server: ServerProcess) -> None:
    send(server, "kept in Sent")
    mail = received(server, ADA, "Sent", "kept in Sent")
    (url,) = urls(mail)
    assert urls(received(server, BOB, "INBOX", "kept in Sent")) == [url]
    assert get(server, url).body == FILE


def test_who_read_it_is_told_and_the_link_is_ended(server: ServerProcess) -> None:
    send(server, "followed and ended")
    (url,) = urls(received(server, BOB, "INBOX", "followed and ended"))
    get(server, url, User_Agent="Bob")
    ada = Rest(server, ADA)
    (link,) = [one for one in ada.get("/drive/links")["items"] if one["url"] == url]
    assert link["note"] == "followed and ended"
    (read,) = ada.get(f"/drive/links/{link['id']}/reads")["items"]
    assert read["agent"] == "Bob"
    assert ada.ask("DELETE", f"/drive/links/{link['id']}").status == 204
    assert get(server, url).status == 404


def test_one_message_goes_as_it_is(server: ServerProcess) -> None:
    send(server, "as it is", Attachment_Links="no")
    mail = received(server, BOB, "INBOX", "as it is")
    assert names(mail) == ["Fotos März.zip", "small.txt"]
    assert mail["Attachment-Links"] is None


def test_an_account_that_does_not_want_it(server: ServerProcess) -> None:
    ada = Rest(server, ADA)
    wish = ada.ask("PATCH", "/preferences", {"attachment_links": "off"})
    assert wish.status == 200, wish.body
    try:
        send(server, "not wanted")
        assert len(names(received(server, BOB, "INBOX", "not wanted"))) == 2
        send(server, "wanted this once", Attachment_Links="yes")
        assert names(received(server, BOB, "INBOX", "wanted this once")) == ["small.txt"]
    finally:
        ada.ask("PATCH", "/preferences", {"attachment_links": ""})


def test_what_finds_no_room_goes_as_it_is(server: ServerProcess) -> None:
    server.config.write_text(configuration(extra=DRIVE.replace("[sub", 'quota = "1K"\n[sub')))
    server.perform("reload")
    try:
        before = [one["id"] for one in items(server) if not one["attachment"]]
        send(server, "no room")
        assert len(names(received(server, BOB, "INBOX", "no room"))) == 2
        assert [one["id"] for one in items(server) if not one["attachment"]] == before
    finally:
        server.config.write_text(configuration(extra=DRIVE))
        server.perform("reload")


def test_it_is_off_where_nobody_said_otherwise(server: ServerProcess) -> None:
    server.config.write_text(configuration(extra='[drive]\nlinks_above = "100K"\n'))
    server.perform("reload")
    try:
        send(server, "by default", Attachment_Links="yes")
        assert len(names(received(server, BOB, "INBOX", "by default"))) == 2
    finally:
        server.config.write_text(configuration(extra=DRIVE))
        server.perform("reload")


async def test_what_leaves_is_signed_with_the_link_in_it(tmp_path: Path) -> None:
    sink = Sink()
    async with smtp_sink(sink):
        extra = f'{DRIVE}[outbound]\nsmarthost = "smtp://{sink.endpoint}"\n'

        def run() -> bytes:
            with ServerProcess(tmp_path, configuration(extra=extra)) as server:
                server.perform("account.add", address=ADA, password=PASSWORD)
                records = server.perform("domain.dns", domain="example.test")
                send(server, "to the outside", to="bob@there.test")
                until(lambda: sink.received)
                keys = {one["name"]: one["value"] for one in records}
                return str(keys[next(one for one in keys if "_domainkey" in one)]).encode()

        key = await asyncio.to_thread(run)
    data = sink.received[0].data
    mail = email.message_from_bytes(data, policy=default)
    assert names(mail) == ["small.txt"]
    assert len(urls(mail)) == 1
    assert dkim.verify(data, dnsfunc=lambda *_args, **_more: key)
