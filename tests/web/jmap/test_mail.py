"""JMAP beside IMAP on one account: what one changes the other tells, through real connections."""

import http.client
import imaplib
import re
from typing import Any

import pytest

from tests.support.http_api import ask
from tests.support.jmap import ADA, BOB, CORE, MAIL, Jmap, append, basic, flags, letter
from tests.support.server import ServerProcess


def test_the_session_says_where_and_what(server: ServerProcess, jmap: Jmap) -> None:
    session = jmap.session
    assert session["username"] == ADA
    assert {CORE, MAIL} <= set(session["capabilities"])
    account = session["accounts"][jmap.account]
    assert (account["name"], account["isPersonal"], account["isReadOnly"]) == (ADA, True, False)
    assert session["apiUrl"].startswith(f"http://127.0.0.1:{server.port('http')}/jmap/")
    found = jmap.request(["Core/echo", {"hello": [1]}, "a"])
    assert found.body["methodResponses"] == [["Core/echo", {"hello": [1]}, "a"]]
    assert found.body["sessionState"] == session["state"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param(basic(password="wrong"), id="wrong"),
        pytest.param({"Authorization": "Bearer nothing"}, id="token"),
        pytest.param({"Authorization": "Basic !"}, id="no-base64"),
        pytest.param({"Authorization": f"Basic {'a' * 9000}"}, id="long"),
    ],
)
def test_strangers_are_asked_who_they_are(server: ServerProcess, headers: dict[str, str]) -> None:
    for path in ("/jmap/session", "/jmap/download/A1/B1/x"):
        found = ask(server, "GET", path, None, headers)
        assert (found.status, found.kind) == (401, "application/problem+json")
        assert found.fields["www-authenticate"].startswith("Basic ")


def test_what_is_no_request_is_a_problem_by_name(jmap: Jmap, server: ServerProcess) -> None:
    for body, kind in (
        (b"{", "notJSON"),
        (b"[]", "notRequest"),
        (b'{"using":["urn:x"],"methodCalls":[]}', "unknownCapability"),
    ):
        found = ask(server, "POST", "/jmap/api", body, basic())
        assert (found.status, found.kind) == (400, "application/problem+json")
        assert found.body["type"] == f"urn:ietf:params:jmap:error:{kind}"
    large = ask(server, "POST", "/jmap/api", b" " * (10 * 1024 * 1024 + 1), basic())
    assert (large.status, large.body["limit"]) == (413, "maxSizeRequest")
    assert jmap.call("Email/nothing") == {"error": "unknownMethod"}
    assert jmap.call("Email/get", ids=None, accountId="A999") == {"error": "accountNotFound"}
    assert jmap.call("Email/get", ids=["a"], more=1) == {"error": "invalidArguments"}
    assert jmap.call("Email/get", ids=["a"], properties=["x"]) == {"error": "invalidArguments"}
    many = [f"M{number:x}" for number in range(1, 1003)]
    assert jmap.call("Email/get", ids=many) == {"error": "requestTooLarge"}


def test_an_email_is_told_in_all_its_parts(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    data = letter("Grüße", X_Odd="  two   words ", List_Post="<mailto:l@x.test>, <https://x.test/>")
    one = append(imap, data, flags="(\\Flagged $Work)")
    found = jmap.get(
        "Email",
        one,
        *("subject", "from", "to", "sentAt", "messageId", "keywords", "hasAttachment", "preview"),
        *("header:To:asGroupedAddresses", "header:X-Odd", "header:X-Odd:asText", "cc"),
        *("header:List-Post:asURLs", "header:X-None:all", "threadId", "receivedAt", "size"),
    )
    assert found["subject"] == "Grüße"
    assert found["from"] == [{"name": "Bob Ray", "email": BOB}]
    to = [
        {"name": "Ada, the first", "email": ADA},
        {"name": None, "email": "carol@x.test"},
    ]
    assert found["to"] == to
    assert found["header:To:asGroupedAddresses"] == [
        {"name": None, "addresses": to[:1]},
        {"name": "Team", "addresses": to[1:]},
    ]
    assert found["sentAt"] == "2026-11-28T10:00:00+02:00"
    assert found["messageId"] == [f"{abs(hash('Grüße'))}@x.test"]
    assert found["keywords"] == {"$flagged": True, "$work": True}
    assert (found["hasAttachment"], found["cc"]) == (True, None)
    assert found["preview"].startswith("Grüße aus dem Text")
    assert found["header:X-Odd:asText"] == "two   words"
    assert found["header:X-Odd"].strip() == "two   words"
    assert found["header:List-Post:asURLs"] == ["mailto:l@x.test", "https://x.test/"]
    assert found["header:X-None:all"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["receivedAt"])
    assert jmap.get("Thread", found["threadId"]) == {"id": found["threadId"], "emailIds": [one]}


def test_bodies_and_their_octets(jmap: Jmap, imap: imaplib.IMAP4, server: ServerProcess) -> None:
    data = letter("Bodies")
    one = append(imap, data)
    (found,) = jmap.call(
        "Email/get",
        ids=[one],
        properties=["bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments", "blobId"],
        fetchTextBodyValues=True,
        fetchHTMLBodyValues=True,
        maxBodyValueBytes=20,
    )["list"]
    (text,), (html,), (file,) = found["textBody"], found["htmlBody"], found["attachments"]
    assert [part["type"] for part in (text, html, file)] == [
        "text/plain",
        "text/html",
        "application/pdf",
    ]
    assert (file["name"], file["size"], file["disposition"]) == ("é.pdf", 5, "attachment")
    values = found["bodyValues"]
    assert values[text["partId"]]["value"] == "Grüße aus dem Text"[:18]
    assert values[text["partId"]]["isTruncated"] is True
    assert values[html["partId"]]["value"] == "<p>Grüße aus dem "
    structure = found["bodyStructure"]
    assert structure["type"] == "multipart/mixed"
    assert [part["type"] for part in structure["subParts"]] == [
        "multipart/alternative",
        "application/pdf",
    ]

    def download(blob: str, headers: dict[str, str]) -> tuple[int, bytes, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
        path = f"/jmap/download/{jmap.account}/{blob}/a%20b.pdf?type=application/pdf"
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        kinds = response.headers["Content-Type"], response.headers["Content-Disposition"] or ""
        found = response.status, response.read(), *kinds
        connection.close()
        return found

    status, octets, kind, disposition = download(file["blobId"], basic())
    assert (status, octets, kind) == (200, b"\x00\x01PDF", "application/pdf")
    assert disposition == "attachment; filename*=UTF-8''a%20b.pdf"
    whole = download(found["blobId"], basic())[1]
    assert whole == re.sub(rb"\r?\n", b"\r\n", data)
    assert download(file["blobId"] + "9", basic())[0] == 404
    assert download(found["blobId"], basic(BOB))[0] == 404


def test_what_imap_does_jmap_tells(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    begun = jmap.call("Email/get", ids=[])["state"]
    one = append(imap, letter("Followed"))
    thread = jmap.get("Email", one, "threadId")["threadId"]
    came = jmap.call("Email/changes", sinceState=begun)
    assert (came["created"], came["updated"], came["destroyed"]) == ([one], [], [])
    assert jmap.call("Thread/changes", sinceState=begun)["created"] == [thread]
    uid = imap.uid("SEARCH", "EMAILID", one)[1][0].decode()
    imap.uid("STORE", uid, "+FLAGS", "(\\Seen)")
    imap.uid("MOVE", uid, "Archive")
    moved = jmap.call("Email/changes", sinceState=came["newState"])
    assert (moved["created"], moved["updated"], moved["destroyed"]) == ([], [one], [])
    archive = jmap.get("Email", one, "mailboxIds", "keywords")
    boxes = {box["id"]: box["role"] for box in jmap.call("Mailbox/get", ids=None)["list"]}
    assert [boxes[box] for box in archive["mailboxIds"]] == ["archive"]
    assert archive["keywords"] == {"$seen": True}
    imap.select("Archive")
    uid = imap.uid("SEARCH", "EMAILID", one)[1][0].decode()
    imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
    hidden = jmap.call("Email/changes", sinceState=moved["newState"])
    assert hidden["destroyed"] == [one]
    assert jmap.call("Email/get", ids=[one])["notFound"] == [one]
    imap.expunge()
    gone = jmap.call("Email/changes", sinceState=moved["newState"], maxChanges=1)
    assert gone["destroyed"] == [one]
    assert jmap.call("Thread/changes", sinceState=moved["newState"])["destroyed"] == [thread]


def test_what_jmap_does_imap_tells(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    one = append(imap, letter("Changed"), flags="(\\Flagged Old)")
    boxes = {box["role"]: box["id"] for box in jmap.call("Mailbox/get", ids=None)["list"]}
    done = jmap.call(
        "Email/set",
        update={
            one: {
                "keywords/$seen": True,
                "keywords/$flagged": None,
                "keywords/new": True,
                f"mailboxIds/{boxes['archive']}": True,
            }
        },
    )
    assert (done["updated"], done["notUpdated"]) == ({one: None}, None)
    for mailbox in ("INBOX", "Archive"):
        assert flags(imap, mailbox, one) == {"\\Seen", "Old", "new"}
    moved = jmap.call(
        "Email/set",
        update={one: {"mailboxIds": {boxes["trash"]: True}, "keywords": {"$answered": True}}},
    )
    assert moved["updated"] == {one: None}
    assert jmap.get("Email", one, "mailboxIds", "keywords") == {
        "id": one,
        "mailboxIds": {boxes["trash"]: True},
        "keywords": {"$answered": True},
    }
    assert flags(imap, "Trash", one) == {"\\Answered"}
    assert flags(imap, "INBOX", one) is None
    changes = jmap.call("Email/changes", sinceState=done["newState"])
    assert (changes["created"], changes["updated"]) == ([], [one])
    gone = jmap.call("Email/set", destroy=[one, one, "M0"])
    assert gone["destroyed"] == [one]
    assert gone["notDestroyed"]["M0"]["type"] == "notFound"
    assert flags(imap, "Trash", one) is None


@pytest.mark.parametrize(
    ("patch", "kind", "at"),
    [
        pytest.param({"subject": "x"}, "invalidProperties", ["subject"], id="immutable"),
        pytest.param({"keywords": {"a b": True}}, "invalidProperties", ["keywords"], id="space"),
        pytest.param({"keywords": {"(": True}}, "invalidProperties", ["keywords"], id="paren"),
        pytest.param({"keywords/x": False}, "invalidProperties", ["keywords"], id="false"),
        pytest.param({"mailboxIds": {}}, "invalidProperties", ["mailboxIds"], id="nowhere"),
        pytest.param(
            {"mailboxIds": {"F0-1": True}}, "invalidProperties", ["mailboxIds"], id="no-mailbox"
        ),
        pytest.param({"keywords": {}, "keywords/x": True}, "invalidPatch", None, id="overlap"),
    ],
)
def test_a_change_that_cannot_be_leaves_the_email(
    jmap: Jmap, imap: imaplib.IMAP4, patch: dict[str, Any], kind: str, at: list[str] | None
) -> None:
    one = append(imap, letter("Stays"), flags="(\\Flagged)")
    found = jmap.call("Email/set", update={one: patch})
    error = found["notUpdated"][one]
    assert (error["type"], error.get("properties")) == (kind, at)
    assert flags(imap, "INBOX", one) == {"\\Flagged"}


def test_a_login_that_reads_changes_nothing(server: ServerProcess, imap: imaplib.IMAP4) -> None:
    one = append(imap, letter("Read only"))
    made = server.perform("token.add", address=ADA, name="Eyes", protocols=["jmap"], read_only=True)
    client = Jmap(server, {"Authorization": f"Bearer {made['secret']}"})
    assert client.session["accounts"][client.account]["isReadOnly"] is True
    found = client.call("Email/set", update={one: {"keywords/$seen": True}}, destroy=[one])
    assert found == {"error": "accountReadOnly"}
    assert client.call("Mailbox/set", create={"a": {"name": "x"}}) == {"error": "accountReadOnly"}
    assert flags(imap, "INBOX", one) == set()


def test_tokens_and_app_passwords_see_what_they_are_for(
    server: ServerProcess, imap: imaplib.IMAP4
) -> None:
    here = append(imap, letter("Here"))
    there = append(imap, letter("There"), "Archive")
    made = server.perform(
        "token.add", address=ADA, name="Reader", protocols=["jmap"], folders=["Archive"]
    )
    client = Jmap(server, {"Authorization": f"Bearer {made['secret']}"})
    found = client.call("Email/get", ids=[here, there], properties=["subject"])
    assert [one["id"] for one in found["list"]] == [there]
    assert found["notFound"] == [here]
    assert [one["name"] for one in client.call("Mailbox/get", ids=None)["list"]] == ["Archive"]
    assert client.call("Email/changes", sinceState="1") == {"error": "cannotCalculateChanges"}
    made_there = client.call("Mailbox/set", create={"a": {"name": "Elsewhere"}})
    assert made_there["notCreated"]["a"]["type"] == "forbidden"
    server.perform("token.revoke", address=ADA, id=made["id"])
    assert client.request(["Core/echo", {}, "a"]).status == 401
    mail_only = server.perform("token.add", address=ADA, name="IMAP", protocols=["imap"])
    headers = {"Authorization": f"Bearer {mail_only['secret']}"}
    assert ask(server, "GET", "/jmap/session", None, headers).status == 401


def test_threads_change_with_what_is_in_them_alone(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    first = append(imap, letter("Threaded"))
    answers = f"<{abs(hash('Threaded'))}@x.test>"
    thread = jmap.get("Email", first, "threadId")["threadId"]

    def told(since: str) -> tuple[list[str], list[str], list[str], str]:
        found = jmap.call("Thread/changes", sinceState=since)
        return found["created"], found["updated"], found["destroyed"], found["newState"]

    state = jmap.call("Email/get", ids=[])["state"]
    second = append(imap, letter("Re: Threaded", In_Reply_To=answers))
    *changes, answered = told(state)
    assert changes == [[], [thread], []]
    uid = imap.uid("SEARCH", "EMAILID", first)[1][0].decode()
    imap.uid("MOVE", uid, "Archive")
    *changes, moved = told(answered)
    assert changes == [[], [], []]
    uid = imap.uid("SEARCH", "EMAILID", second)[1][0].decode()
    imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
    *changes, hidden = told(moved)
    assert changes == [[], [thread], []]
    imap.expunge()
    jmap.call("Email/set", destroy=[first])
    third = append(imap, letter("Re: Threaded", In_Reply_To=answers))
    *changes, _ = told(hidden)
    assert jmap.get("Email", third, "threadId")["threadId"] != thread or changes[1] == [thread]
    assert thread in [*changes[1], *changes[2]]
