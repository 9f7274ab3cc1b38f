"""The VacationResponse by JMAP, and the answers that go out for it (RFC 8621 §8)."""

import email
import imaplib
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP, default
from typing import Any

import pytest

from tests.support.jmap import ADA, BOB, Jmap, basic
from tests.support.sending_site import sending_site
from tests.support.server import PASSWORD, ServerProcess, until
from tests.support.smtp_sink import Sink

Site = tuple[ServerProcess, Sink]
ONE = "singleton"
OPEN = "[filters]\npipeline = []\n"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("vacation")
    with sending_site(folder, request.param, ADA, BOB, extra=OPEN) as found:
        yield found


@pytest.fixture(scope="module")
def jmap(site: Site) -> Jmap:
    return Jmap(site[0], basic())


def send(server: ServerProcess, sender: str, **fields: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, ADA
    mail["Subject"] = "Lunch?"
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("hi\n")
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10) as client:
        client.sendmail(sender, [ADA], mail.as_bytes(policy=SMTP))


def set_(jmap: Jmap, **patch: Any) -> Any:
    return jmap.call("VacationResponse/set", update={ONE: patch})


def answers(sink: Sink, to: str) -> list[EmailMessage]:
    found = [one for one in sink.received if one.recipients == [to]]
    return [email.message_from_bytes(one.data, policy=default) for one in found]


def count(server: ServerProcess) -> int:
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        return int(client.select()[1][0] or 0)


def test_it_answers_once_while_it_is_on(site: Site, jmap: Jmap) -> None:
    server, sink = site
    before = jmap.call("VacationResponse/get", ids=None)
    (found,) = before["list"]
    assert found == {
        "id": ONE,
        "isEnabled": False,
        "fromDate": None,
        "toDate": None,
        "subject": None,
        "textBody": None,
        "htmlBody": None,
    }
    send(server, "early@world.test")
    done = set_(jmap, isEnabled=True, textBody="Bin weg — äh\n", subject="Away")
    assert done["updated"] == {ONE: None} and done["newState"] != before["state"]
    for _ in range(2):
        send(server, "far@world.test")
    send(server, "list@world.test", List_Id="<l.world.test>")
    until(lambda: answers(sink, "far@world.test"))
    until(lambda: count(server) == 4)
    until(lambda: server.json("queue", "list") == [])
    (mail,) = answers(sink, "far@world.test")
    assert (mail["Subject"], mail["Auto-Submitted"]) == ("Away", "auto-replied (vacation)")
    assert mail.get_content().strip() == "Bin weg — äh"
    assert ADA in mail["From"]
    assert not answers(sink, "early@world.test") and not answers(sink, "list@world.test")
    set_(jmap, isEnabled=False)
    send(server, "later@world.test")
    until(lambda: count(server) == 5)
    assert not answers(sink, "later@world.test")


def test_html_goes_out_beside_its_text_and_a_script_goes_on(site: Site, jmap: Jmap) -> None:
    server, sink = site
    with_flag = b'require ["imap4flags"]; addflag "$work"; keep;'
    blob = upload(jmap, with_flag)
    made = jmap.call(
        "SieveScript/set",
        create={"a": {"name": "own", "blobId": blob}},
        onSuccessActivateScript="#a",
    )
    assert made["created"]["a"]["isActive"] is True
    set_(jmap, isEnabled=True, textBody=None, htmlBody="<p>Gone <b>fishing</b></p>", subject=None)
    before = count(server)
    send(server, "html@world.test")
    until(lambda: answers(sink, "html@world.test"))
    (mail,) = answers(sink, "html@world.test")
    assert mail["Subject"] == "Auto: Lunch?"
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and html is not None
    assert "fishing" in plain.get_content() and "<b>fishing</b>" in html.get_content()
    until(lambda: count(server) == before + 1)
    found = jmap.call("Email/query", filter={"hasKeyword": "$work"})
    assert len(found["ids"]) == 1
    jmap.call("SieveScript/set", onSuccessDeactivateScript=True)
    set_(jmap, isEnabled=False)


def upload(jmap: Jmap, data: bytes) -> str:
    made = {"data": [{"data:asText": data.decode()}]}
    found = jmap.call("Blob/upload", create={"a": made})
    return str(found["created"]["a"]["id"])


def test_dates_bound_it(site: Site, jmap: Jmap) -> None:
    server, sink = site
    set_(jmap, isEnabled=True, fromDate="2999-01-01T00:00:00Z", toDate=None)
    before = count(server)
    send(server, "future@world.test")
    set_(jmap, fromDate=None, toDate="2020-01-01T00:00:00Z")
    send(server, "past@world.test")
    set_(jmap, fromDate="2020-01-01T00:00:00Z", toDate="2999-01-01T00:00:00Z")
    send(server, "now@world.test")
    until(lambda: answers(sink, "now@world.test") and count(server) == before + 3)
    assert not answers(sink, "future@world.test") and not answers(sink, "past@world.test")
    set_(jmap, isEnabled=False)


def test_what_it_cannot_be_is_refused(site: Site, jmap: Jmap) -> None:
    server, _ = site

    def refused(**patch: Any) -> Any:
        return set_(jmap, **patch)["notUpdated"][ONE]

    assert refused(isEnabled=1)["properties"] == ["isEnabled"]
    assert refused(fromDate="tomorrow")["properties"] == ["fromDate"]
    assert refused(subject="a\nb")["properties"] == ["subject"]
    assert refused(textBody=65537 * "x")["properties"] == ["textBody"]
    assert refused(other=1)["properties"] == ["other"]
    made = jmap.call("VacationResponse/set", create={"a": {}}, destroy=[ONE])
    assert made["notCreated"]["a"]["type"] == "singleton"
    assert made["notDestroyed"][ONE]["type"] == "singleton"
    assert jmap.call("VacationResponse/get", ids=["x"])["notFound"] == ["x"]
    assert jmap.call("VacationResponse/changes", sinceState="1") == {"error": "unknownMethod"}
    made = server.perform("account.app-password.add", address=ADA, name="f", folders=["INBOX"])
    part = Jmap(server, basic(ADA, made["secret"]))
    assert set_(part, isEnabled=True)["notUpdated"][ONE]["type"] == "forbidden"
