"""JMAP beside IMAP on one account: what one changes the other tells, through real connections."""

import asyncio
import base64
import http.client
import imaplib
import re
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from tests.support.directories import own_database
from tests.support.http_api import Answer, ask
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA, BOB = "ada@example.test", "bob@example.test"
CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            folder = tmp_path_factory.mktemp("jmap")
            with ServerProcess(folder, configuration(database=database)) as running:
                for address in (ADA, BOB):
                    running.perform("account.add", address=address, password=PASSWORD)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


def basic(user: str = ADA, password: str = PASSWORD) -> dict[str, str]:
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


class Jmap:
    """A client of one account."""

    def __init__(self, server: ServerProcess, headers: dict[str, str]) -> None:
        self._server, self._headers = server, headers
        found = ask(server, "GET", "/.well-known/jmap", None, headers)
        assert (found.status, found.kind) == (200, "application/json")
        self.session = found.body
        self.account = found.body["primaryAccounts"][MAIL]

    def request(self, *calls: list[Any]) -> Answer:
        path = self.session["apiUrl"].partition("//")[2].partition("/")[2]
        asked = {"using": [CORE, MAIL], "methodCalls": calls}
        return ask(self._server, "POST", f"/{path}", asked, self._headers)

    def call(self, name: str, **arguments: Any) -> Any:
        """The arguments of the one response."""
        found = self.request([name, {"accountId": self.account, **arguments}, "c"])
        assert found.status == 200, found.body
        ((kind, answer, _),) = found.body["methodResponses"]
        return answer if kind == name else {"error": answer["type"]}

    def get(self, kind: str, id_: str, *properties: str) -> Any:
        asked = {"properties": list(properties)} if properties else {}
        (found,) = self.call(f"{kind}/get", ids=[id_], **asked)["list"]
        return found


@pytest.fixture(scope="module")
def imap(server: ServerProcess) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(ADA, PASSWORD)
    yield client
    client.logout()


@pytest.fixture(scope="module")
def jmap(server: ServerProcess) -> Jmap:
    return Jmap(server, basic())


def append(imap: imaplib.IMAP4, data: bytes, mailbox: str = "INBOX", flags: str = "") -> str:
    """The EMAILID of the message."""
    kind, found = imap.append(mailbox, flags, "", data)
    assert kind == "OK"
    uid = found[0].split()[2].rstrip(b"]").decode()
    imap.select(mailbox)
    _, answer = imap.uid("FETCH", uid, "(EMAILID)")
    match = re.search(rb"EMAILID \((\w+)\)", answer[0])
    assert match is not None
    return match[1].decode()


def letter(subject: str, **fields: str) -> bytes:
    mail = EmailMessage()
    mail["From"] = "Bob Ray <bob@example.test>"
    mail["To"] = '"Ada, the first" <ada@example.test>, Team: carol@x.test;'
    mail["Subject"] = subject
    mail["Date"] = "Sat, 28 Nov 2026 10:00:00 +0200"
    mail["Message-ID"] = f"<{abs(hash(subject))}@x.test>"
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Grüße aus dem Text\n")
    mail.add_alternative("<p>Grüße aus dem <b>HTML</b></p>\n", subtype="html")
    mail.add_attachment(b"\x00\x01PDF", maintype="application", subtype="pdf", filename="é.pdf")
    return mail.as_bytes()


def test_the_session_says_where_and_what(server: ServerProcess, jmap: Jmap) -> None:
    session = jmap.session
    assert session["username"] == ADA
    assert set(session["capabilities"]) == {CORE, MAIL}
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


def test_mailboxes_are_those_of_imap(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    before = jmap.call("Mailbox/get", ids=None)
    imap.create("Work/2026")
    imap.subscribe("Work/2026")
    found = {one["name"]: one for one in jmap.call("Mailbox/get", ids=None)["list"]}
    roles = {one["role"] for one in found.values() if one["role"]}
    assert roles == {"inbox", "drafts", "sent", "trash", "junk", "archive"}
    assert found["2026"]["parentId"] == found["Work"]["id"]
    assert found["Work"]["parentId"] is None
    assert found["2026"]["isSubscribed"] is True
    assert found["Inbox"]["myRights"]["mayAddItems"] is True
    assert found["Inbox"]["myRights"]["mayDelete"] is False
    changes = jmap.call("Mailbox/changes", sinceState=before["state"])
    assert set(changes["created"]) == {found["Work"]["id"], found["2026"]["id"]}
    assert (changes["updated"], changes["destroyed"]) == ([], [])
    imap.delete("Work/2026")
    after = jmap.call("Mailbox/changes", sinceState=changes["newState"])
    assert after["destroyed"] == [found["2026"]["id"]]
    assert jmap.call("Mailbox/changes", sinceState="x") == {"error": "cannotCalculateChanges"}


def names(imap: imaplib.IMAP4) -> set[str]:
    """What LIST gives."""
    _, found = imap.list()
    lines = [line for line in found if isinstance(line, bytes)]
    return {line.rpartition(b'"/" ')[2].strip(b'"').decode() for line in lines}


def test_mailboxes_are_made_renamed_and_deleted(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    made = jmap.call(
        "Mailbox/set",
        create={"a": {"name": "Projects"}, "b": {"name": "2027", "parentId": "#a"}},
    )
    assert made["notCreated"] is None
    above, below = made["created"]["a"], made["created"]["b"]
    assert (above["isSubscribed"], above["role"], above["totalEmails"]) == (True, None, 0)
    assert {"Projects", "Projects/2027"} <= names(imap)
    assert jmap.call("Mailbox/changes", sinceState=made["oldState"])["created"] == [
        above["id"],
        below["id"],
    ]
    moved = jmap.call(
        "Mailbox/set",
        ifInState=made["newState"],
        update={below["id"]: {"name": "Next", "parentId": None, "isSubscribed": False}},
    )
    assert moved["updated"] == {below["id"]: None}
    assert "Next" in names(imap)
    assert "Projects/2027" not in names(imap)
    found = jmap.get("Mailbox", below["id"], "name", "parentId", "isSubscribed")
    assert found == {"id": below["id"], "name": "Next", "parentId": None, "isSubscribed": False}
    append(imap, letter("Held"), "Next")
    imap.select("INBOX")
    assert jmap.call("Mailbox/set", ifInState=made["newState"]) == {"error": "stateMismatch"}
    held = jmap.call("Mailbox/set", destroy=[below["id"], above["id"]])
    assert held["notDestroyed"][below["id"]]["type"] == "mailboxHasEmail"
    assert held["destroyed"] == [above["id"]]
    gone = jmap.call("Mailbox/set", destroy=[below["id"]], onDestroyRemoveEmails=True)
    assert gone["destroyed"] == [below["id"]]
    assert names(imap).isdisjoint({"Next", "Projects"})


@pytest.mark.parametrize(
    ("made", "kind", "at"),
    [
        pytest.param({}, "invalidProperties", ["name"], id="no-name"),
        pytest.param({"name": "a/b"}, "invalidProperties", ["name"], id="slash"),
        pytest.param({"name": "a\x07"}, "invalidProperties", ["name"], id="control"),
        pytest.param({"name": "Sent"}, "invalidProperties", ["name"], id="exists"),
        pytest.param({"name": "inBOX"}, "invalidProperties", ["name"], id="inbox"),
        pytest.param({"name": "x", "role": "sent"}, "invalidProperties", ["role"], id="role-taken"),
        pytest.param({"name": "x", "role": "inbox"}, "invalidProperties", ["role"], id="role"),
        pytest.param({"name": "x", "parentId": "F1"}, "invalidProperties", ["parentId"], id="up"),
        pytest.param({"name": "x", "parentId": "#z"}, "invalidProperties", ["parentId"], id="ref"),
        pytest.param({"name": "x", "totalEmails": 5}, "invalidProperties", ["totalEmails"], id="n"),
        pytest.param(
            {"name": "x", "isSubscribed": 1}, "invalidProperties", ["isSubscribed"], id="s"
        ),
    ],
)
def test_a_mailbox_that_cannot_be_is_refused_alone(
    jmap: Jmap, made: dict[str, Any], kind: str, at: list[str]
) -> None:
    found = jmap.call("Mailbox/set", create={"a": made})
    assert found["created"] is None
    error = found["notCreated"]["a"]
    assert (error["type"], error["properties"]) == (kind, at)


def test_the_inbox_and_parents_stay(jmap: Jmap) -> None:
    boxes = jmap.call("Mailbox/get", ids=None)["list"]
    inbox = next(box["id"] for box in boxes if box["role"] == "inbox")
    made = jmap.call(
        "Mailbox/set", create={"a": {"name": "Up"}, "b": {"name": "Down", "parentId": "#a"}}
    )["created"]
    found = jmap.call(
        "Mailbox/set",
        update={
            inbox: {"name": "Other"},
            made["a"]["id"]: {"parentId": made["b"]["id"]},
            "F0-0": {"name": "x"},
        },
        destroy=[inbox, made["a"]["id"], "#none"],
    )
    refused = found["notUpdated"] | found["notDestroyed"]
    assert {id_: error["type"] for id_, error in refused.items()} == {
        inbox: "forbidden",
        made["a"]["id"]: "mailboxHasChild",
        "F0-0": "notFound",
        "#none": "notFound",
    }
    assert found["notUpdated"][made["a"]["id"]]["properties"] == ["parentId"]
    done = jmap.call("Mailbox/set", destroy=[made["b"]["id"], made["a"]["id"]])
    assert done["destroyed"] == [made["b"]["id"], made["a"]["id"]]


def test_mailboxes_count_emails_and_threads(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    imap.create("Counted")
    first = append(imap, letter("Counted"), "Counted")
    append(imap, letter("Re: Counted", In_Reply_To=f"<{abs(hash('Counted'))}@x.test>"), "Counted")
    append(imap, letter("Read"), "Counted", "\\Seen")
    imap.select("Counted")
    imap.uid("COPY", "1", "Counted")
    imap.uid("STORE", "3", "+FLAGS", "(\\Deleted)")
    boxes = {one["name"]: one for one in jmap.call("Mailbox/get", ids=None)["list"]}
    counted = boxes["Counted"]
    names = ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")
    assert [counted[name] for name in names] == [2, 2, 1, 1]
    mailboxes = jmap.get("Email", first, "mailboxIds")["mailboxIds"]
    assert mailboxes == {counted["id"]: True}


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


def flags(imap: imaplib.IMAP4, mailbox: str, id_: str) -> set[str] | None:
    """Of the message in a mailbox, None where it is not."""
    imap.select(mailbox)
    uid = imap.uid("SEARCH", "EMAILID", id_)[1][0]
    if not uid:
        return None
    line = imap.uid("FETCH", uid.decode(), "(FLAGS)")[1][0]
    return {one.decode() for one in imaplib.ParseFlags(line)} - {"\\Recent"}


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
    assert found["notUpdated"][one]["type"] == "forbidden"
    assert found["notDestroyed"][one]["type"] == "forbidden"
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
