"""/sendEmail over real connections: a letter with attachments is queued and saved once."""

import email
import imaplib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.support.http_api import Answer, answer_of, ask
from tests.support.jmap import ADA, BOB, Jmap, basic
from tests.support.sending_site import sending_site
from tests.support.server import PASSWORD, ServerProcess, until
from tests.support.smtp_sink import Sink

Site = tuple[ServerProcess, Sink]
FAR, HIDDEN = "far@world.test", "hidden@world.test"
KINDS = ["sqlite", "postgresql"]
BOUNDARY = "xyzzy"


@pytest.fixture(scope="module", params=KINDS)
def site(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Site]:
    with sending_site(tmp_path_factory.mktemp("send"), request.param, ADA, BOB) as found:
        yield found


def token(server: ServerProcess, **more: Any) -> dict[str, str]:
    made = server.perform("token.add", address=ADA, name="t", **more)
    return {"Authorization": f"Bearer {made['secret']}"}


@pytest.fixture(scope="module")
def bearer(site: Site) -> dict[str, str]:
    return token(site[0])


def post(server: ServerProcess, body: Any, headers: dict[str, str]) -> Answer:
    return ask(server, "POST", "/sendEmail", body, headers)


def form(parts: list[tuple[str, bytes]]) -> bytes:
    """Each with its header behind `form-data`."""
    lines = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
        for head, data in parts
    ]
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


def post_form(server: ServerProcess, data: bytes, headers: dict[str, str]) -> Answer:
    connection = HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    try:
        connection.request("POST", "/api/v1/sendEmail", data, {**kind, **headers})
        return answer_of(connection.getresponse())
    finally:
        connection.close()


def mails(server: ServerProcess, mailbox: str, address: str = ADA) -> list[EmailMessage]:
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10) as client:
        client.login(address, PASSWORD)
        if client.select(mailbox)[1] == [b"0"]:
            return []
        found = client.fetch("1:*", "(BODY.PEEK[])")[1]
    octets = [part[1] for part in found if isinstance(part, tuple)]
    return [email.message_from_bytes(one, policy=default) for one in octets]


def sent(sink: Sink, subject: str) -> list[EmailMessage]:
    found = [email.message_from_bytes(one.data, policy=default) for one in sink.received]
    return [one for one in found if one["Subject"] == subject]


def test_a_letter_with_files_is_sent_and_saved(site: Site, bearer: dict[str, str]) -> None:
    server, sink = site
    letter = {
        "to": [f"Far Away <{FAR}>", BOB],
        "bcc": HIDDEN,
        "subject": "Grüße",
        "text": "Hallo\n",
        "html": "<p>Hallo</p>",
    }
    large = bytes(range(256)) * 8000  # above what is held in memory
    data = form(
        [
            ('name="message"', json.dumps(letter).encode()),
            ('name="a"; filename="a.bin"\r\nContent-Type: application/x-a', large),
            ('name="b"; filename="é.txt"', b"text"),
        ]
    )
    answer = post_form(server, data, bearer)
    assert answer.status == 202, answer.body
    until(lambda: sent(sink, "Grüße") and mails(server, "INBOX", BOB))
    (mail,) = sent(sink, "Grüße")
    assert mail["Message-ID"] == f"<{answer.body['message_id']}>"
    assert (mail["To"], mail["Bcc"]) == (f"Far Away <{FAR}>, {BOB}", None)
    assert {FAR, HIDDEN} == set(sink.received[-1].recipients)
    files = {one.get_filename(): one for one in mail.iter_attachments()}
    assert set(files) == {"a.bin", "é.txt"}
    assert files["a.bin"].get_payload(decode=True) == large
    assert files["a.bin"].get_content_type() == "application/x-a"
    body = mail.get_body(("plain",))
    assert body is not None and body.get_content().split() == ["Hallo"]
    (kept,) = mails(server, "Sent")
    assert (kept["Bcc"], kept["Message-ID"]) == (HIDDEN, mail["Message-ID"])
    assert kept["DKIM-Signature"] == mail["DKIM-Signature"]
    jmap = Jmap(server, basic())
    found = jmap.get("Email", answer.body["email_id"], "keywords", "subject")
    assert found["keywords"] == {"$seen": True}
    one = jmap.get("EmailSubmission", answer.body["id"])
    assert one["emailId"] == answer.body["email_id"]
    assert one["identityId"] == jmap.call("Identity/get", ids=None)["list"][0]["id"]
    assert set(one["envelope"]) == {"mailFrom", "rcptTo"}
    assert list((server.data / "tmp").iterdir()) == []


def test_a_key_sends_once(site: Site, bearer: dict[str, str]) -> None:
    server, sink = site
    letter = {"to": FAR, "subject": "once", "text": "x"}
    headers = {**bearer, "Idempotency-Key": "k-1"}
    first, second = post(server, letter, headers), post(server, letter, headers)
    assert (first.status, second.status) == (202, 202)
    assert first.body == second.body
    Jmap(server, basic()).call("EmailSubmission/set", destroy=[first.body["id"]])
    assert post(server, letter, headers).body == first.body
    third = post(server, letter, {**bearer, "Idempotency-Key": "k-2"})
    assert third.body["id"] != first.body["id"]
    until(lambda: server.json("queue", "list") == [])
    assert len(sent(sink, "once")) == 2
    assert len([one for one in mails(server, "Sent") if one["Subject"] == "once"]) == 2


def test_one_key_at_the_same_time_sends_once(site: Site, bearer: dict[str, str]) -> None:
    server, sink = site
    letter = {"to": FAR, "subject": "race", "text": "x"}
    headers = {**bearer, "Idempotency-Key": "race"}
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: post(server, letter, headers), range(6)))
    assert [one.status for one in found] == 6 * [202]
    assert len({one.body["id"] for one in found}) == 1
    until(lambda: server.json("queue", "list") == [])
    assert len(sent(sink, "race")) == 1
    assert len([one for one in mails(server, "Sent") if one["Subject"] == "race"]) == 1


def test_blobs_are_attached_and_those_of_others_are_not(site: Site, bearer: dict[str, str]) -> None:
    server, sink = site
    jmap = Jmap(server, basic())
    made = jmap.request(
        [
            "Blob/upload",
            {"accountId": jmap.account, "create": {"a": {"data": [{"data:asText": "hi"}]}}},
            "c",
        ]
    ).body["methodResponses"][0][1]["created"]["a"]["id"]
    letter: dict[str, Any] = {"to": FAR, "subject": "blob", "text": "x"}
    letter["attachments"] = [{"blob_id": made, "name": "hi.txt", "type": "text/plain"}]
    assert post(server, letter, bearer).status == 202
    until(lambda: sent(sink, "blob"))
    (file,) = sent(sink, "blob")[0].iter_attachments()
    assert (file.get_filename(), file.get_payload(decode=True)) == ("hi.txt", b"hi")
    other = server.perform("token.add", address=BOB, name="t")["secret"]
    foreign = post(server, letter, {"Authorization": f"Bearer {other}"})
    assert (foreign.status, foreign.body["reason"]) == (422, "invalidEmail")
    letter["attachments"] = [{"drive_id": "nothing"}]
    assert post(server, letter, bearer).status == 422


def test_a_file_of_the_drive_is_attached(site: Site, bearer: dict[str, str]) -> None:
    server, sink = site
    connection = HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    try:
        connection.request("POST", "/api/v1/drive/items?name=plan.txt", b"the plan", bearer)
        made = answer_of(connection.getresponse())
    finally:
        connection.close()
    assert made.status == 201, made.body
    files = [{"drive_id": made.body["id"]}]
    letter = {"to": FAR, "subject": "drive", "text": "x", "attachments": files}
    assert post(server, letter, bearer).status == 202
    until(lambda: sent(sink, "drive"))
    (file,) = sent(sink, "drive")[0].iter_attachments()
    assert (file.get_filename(), file.get_payload(decode=True)) == ("plan.txt", b"the plan")


@pytest.mark.parametrize(
    ("letter", "status", "reason"),
    [
        pytest.param({"to": "x@"}, 422, "invalidRecipients", id="no-address"),
        pytest.param({"to": "no@example.test"}, 422, "invalidRecipients", id="nobody"),
        pytest.param({"subject": "x"}, 422, "noRecipients", id="no-recipients"),
        pytest.param({"to": FAR, "from": BOB}, 403, "forbiddenMailFrom", id="foreign"),
        pytest.param(
            {"to": FAR, "send_at": "2999-01-01T00:00:00Z"}, 403, "forbiddenToSend", id="late"
        ),
        pytest.param({"to": 1}, 400, None, id="number"),
        pytest.param({"too": FAR}, 400, None, id="unknown"),
        pytest.param({"to": [9000 * "x, "] * 40}, 413, None, id="too-many-addresses"),
        pytest.param({"to": 9000 * "x, "}, 422, "invalidRecipients", id="many-addresses"),
        pytest.param({"to": FAR, "subject": "a\r\nBcc: x@y.z"}, 202, None, id="injected"),
    ],
)
def test_what_cannot_be_sent_says_why(
    site: Site, bearer: dict[str, str], letter: dict[str, Any], status: int, reason: str | None
) -> None:
    server, _ = site
    answer = post(server, letter, bearer)
    assert (answer.status, answer.body.get("reason")) == (status, reason)
    if status != 202:
        assert answer.kind == "application/problem+json"


def test_a_header_cannot_be_injected(site: Site, bearer: dict[str, str]) -> None:
    server, sink = site
    letter = {"to": FAR, "subject": "in\r\nX-Evil: 1", "text": "injected"}
    assert post(server, letter, bearer).status == 202
    until(lambda: server.json("queue", "list") == [])
    assert not any(b"\nX-Evil" in one.data for one in sink.received)


def test_a_full_disk_is_told_as_such(site: Site, bearer: dict[str, str]) -> None:
    server, _ = site
    spool, aside = server.data / "tmp", server.data / "aside"
    letter = {"to": FAR, "subject": "large", "text": "long line\n" * 200_000}
    spool.rename(aside)
    try:
        answer = post(server, letter, bearer)
    finally:
        aside.rename(spool)
    assert (answer.status, answer.body["reason"]) == (503, "later")
    assert post(server, letter, bearer).status == 202


def test_who_may_not_send_does_not(site: Site, bearer: dict[str, str]) -> None:
    server, _ = site
    letter = {"to": FAR, "subject": "x", "text": "x"}
    assert post(server, letter, {}).status == 401
    assert post(server, letter, basic()).status == 401
    assert post(server, letter, {"Authorization": "Bearer x"}).status == 401
    assert post(server, letter, token(server, agent=True)).status == 403
    assert post(server, letter, token(server, read_only=True)).status == 403
    assert ask(server, "GET", "/sendEmail", None, bearer).status == 405


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"--other--\r\n", id="other-boundary"),
        pytest.param(form([('name="a"', b"x")]), id="no-message"),
        pytest.param(form([('name="message"', b"[]")]), id="no-object"),
        pytest.param(form([('name="message"', b'{"to":"x@y.z"}')])[:-20], id="cut"),
        pytest.param(f"--{BOUNDARY}\r\nA: b\r\n\r\nx\r\n--{BOUNDARY}--".encode(), id="no-name"),
    ],
)
def test_what_is_no_form_is_refused(site: Site, bearer: dict[str, str], data: bytes) -> None:
    answer = post_form(site[0], data, bearer)
    assert (answer.status, answer.kind) == (400, "application/problem+json")


def test_an_undo_window_lets_it_be_taken_back(site: Site, bearer: dict[str, str]) -> None:
    server, sink = site
    web = token(server, protocols=["web"])
    for wrong in (31, -1, "5", True):
        refused = ask(server, "PATCH", "/api/v1/preferences", {"undo_seconds": wrong}, web)
        assert refused.status == 422
    chosen = ask(server, "PATCH", "/api/v1/preferences", {"undo_seconds": 2}, web)
    assert (chosen.status, chosen.body["undo_seconds"]) == (200, 2)
    letters = [{"to": FAR, "subject": subject, "text": "x"} for subject in ("undone", "let go")]
    undone, let_go = (post(server, one, bearer).body["id"] for one in letters)
    jmap = Jmap(server, basic())
    assert jmap.get("EmailSubmission", undone, "undoStatus")["undoStatus"] == "pending"
    done = jmap.call("EmailSubmission/set", update={undone: {"undoStatus": "canceled"}})
    assert done["updated"] == {undone: None}
    until(lambda: sent(sink, "let go"))
    assert jmap.get("EmailSubmission", let_go, "undoStatus")["undoStatus"] == "final"
    late = jmap.call("EmailSubmission/set", update={let_go: {"undoStatus": "canceled"}})
    assert late["notUpdated"][let_go]["type"] == "cannotUnsend"
    assert not sent(sink, "undone")
    ask(server, "PATCH", "/api/v1/preferences", {"undo_seconds": None}, web)


def test_a_time_to_be_sent_at_is_kept(site: Site, bearer: dict[str, str]) -> None:
    server, sink = site
    at = datetime.now(UTC) + timedelta(hours=1)
    letter = {"to": FAR, "subject": "in an hour", "text": "x", "send_at": at.isoformat()}
    one = post(server, letter, bearer).body["id"]
    jmap = Jmap(server, basic())
    found = jmap.get("EmailSubmission", one, "undoStatus", "sendAt")
    assert found["undoStatus"] == "pending"
    assert found["sendAt"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")
    jmap.call("EmailSubmission/set", update={one: {"undoStatus": "canceled"}})
    assert not sent(sink, "in an hour")
