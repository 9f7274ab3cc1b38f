"""New Emails by JMAP: drafts of every shape, imports, parses (RFC 8621 §4.6 to §4.9)."""

import imaplib
import threading
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from tests.support.http_api import ask
from tests.support.jmap import Jmap, append, basic, flags, letter
from tests.support.server import ServerProcess
from tests.web.jmap.test_blob import fetched, upload

WHOLE = ["bodyValues", "textBody", "htmlBody", "attachments", "bodyStructure"]


@pytest.fixture(scope="module")
def drafts(jmap: Jmap) -> str:
    (found,) = [
        one for one in jmap.call("Mailbox/get", ids=None)["list"] if one["role"] == "drafts"
    ]
    return str(found["id"])


def create(jmap: Jmap, drafts: str, **properties: Any) -> Any:
    """What was created, or why not."""
    made = {"mailboxIds": {drafts: True}, **properties}
    found = jmap.call("Email/set", create={"new": made})
    return (found["created"] or {}).get("new") or found["notCreated"]["new"]


def part(text: str = "Hello\n", kind: str = "text/plain") -> dict[str, Any]:
    """Properties of a body of one text."""
    name = "htmlBody" if kind == "text/html" else "textBody"
    return {name: [{"partId": "1", "type": kind}], "bodyValues": {"1": {"value": text}}}


def source(server: ServerProcess, jmap: Jmap, blob: str) -> EmailMessage:
    status, data = fetched(server, jmap, blob)
    assert status == 200
    return message_from_bytes(data, policy=default)


def test_a_draft(server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4, drafts: str) -> None:
    made = create(
        jmap,
        drafts,
        keywords={"$draft": True, "$Seen": True, "work": True},
        receivedAt="2026-07-10T01:05:08Z",
        sentAt="2026-07-10T11:05:08+10:00",
        messageId=["own@example.test"],
        inReplyTo=["a@x.test"],
        references=["a@x.test", "b@x.test"],
        subject="Größe der Welt",
        to=[
            {"name": "Jürgen, der 1.", "email": "j@bücher.test"},
            {"name": None, "email": "b@x.test"},
        ],
        bcc=[{"email": "hidden@x.test"}],
        **{"from": [{"name": "Ada", "email": "ada@example.test"}], "header:X-Plain:asText": "é"},
        **part("Grüße\nund mehr\n"),
    )
    assert set(made) == {"id", "blobId", "threadId", "size"}
    email = jmap.get("Email", made["id"])
    assert email["mailboxIds"] == {drafts: True}
    assert email["keywords"] == {"$draft": True, "$seen": True, "work": True}
    assert (email["receivedAt"], email["sentAt"]) == (
        "2026-07-10T01:05:08Z",
        "2026-07-10T11:05:08+10:00",
    )
    assert email["subject"] == "Größe der Welt" and email["messageId"] == ["own@example.test"]
    assert email["references"] == ["a@x.test", "b@x.test"] and email["inReplyTo"] == ["a@x.test"]
    assert email["to"] == [
        {"name": "Jürgen, der 1.", "email": "j@xn--bcher-kva.test"},
        {"name": None, "email": "b@x.test"},
    ]
    assert email["bcc"] == [{"name": None, "email": "hidden@x.test"}]
    assert (email["size"], email["threadId"]) == (made["size"], made["threadId"])
    assert email["preview"].startswith("Grüße und mehr")
    assert flags(imap, "Drafts", made["id"]) == {"\\Draft", "\\Seen", "work"}
    mail = source(server, jmap, made["blobId"])
    assert mail["X-Plain"] == "é" and len(mail.as_bytes()) > 100
    assert jmap.get("Email", made["id"], "bodyValues", "textBody")["textBody"][0]["type"] == (
        "text/plain"
    )


def test_what_the_server_adds(server: ServerProcess, jmap: Jmap, drafts: str) -> None:
    first, second = (create(jmap, drafts, subject="s") for _ in range(2))
    mails = [source(server, jmap, one["blobId"]) for one in (first, second)]
    ids = {mail["Message-ID"] for mail in mails}
    assert len(ids) == 2 and all(one.endswith("@example.test>") for one in ids)
    assert abs(mails[0]["Date"].datetime.timestamp() - time.time()) < 60
    assert mails[0]["MIME-Version"] == "1.0" and mails[0].get_content().strip() == ""


def test_all_shapes_of_a_body(server: ServerProcess, jmap: Jmap, drafts: str) -> None:
    picture = upload(server, jmap, b"\x89PNG" * 500, "image/png").body["blobId"]
    pdf = upload(server, jmap, bytes(range(256)) * 5000, "application/pdf").body["blobId"]
    made = create(
        jmap,
        drafts,
        textBody=[{"partId": "t"}],
        htmlBody=[{"partId": "h"}],
        bodyValues={"t": {"value": "text"}, "h": {"value": "<img src=cid:p@x>"}},
        attachments=[
            {"blobId": picture, "type": "image/png", "cid": "p@x", "name": "bild.png"},
            {"blobId": pdf, "type": "application/pdf", "name": "Größe.pdf", "size": 5},
            {"blobId": pdf, "type": "application/pdf", "language": ["de"], "location": "x.pdf"},
        ],
    )
    mail = source(server, jmap, made["blobId"])
    assert [one.get_content_type() for one in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
        "application/pdf",
    ]
    email = jmap.get("Email", made["id"], "attachments", "textBody", "htmlBody", "hasAttachment")
    told = [(one["name"], one["size"], one["disposition"]) for one in email["attachments"]]
    assert ("Größe.pdf", 1_280_000, "attachment") in told and email["hasAttachment"]
    attached = [one for one in email["attachments"] if one["type"] == "application/pdf"]
    assert attached[1]["language"] == ["de"] and attached[1]["location"] == "x.pdf"
    (image,) = [one for one in email["attachments"] if one["type"] == "image/png"]
    assert (image["cid"], image["disposition"], image["name"]) == ("p@x", "inline", "bild.png")
    assert fetched(server, jmap, attached[0]["blobId"]) == (200, bytes(range(256)) * 5000)


def test_a_body_structure(server: ServerProcess, jmap: Jmap, drafts: str) -> None:
    original = create(jmap, drafts, subject="first", **part("inner"))
    attached = {"disposition": "attachment"}
    made = create(
        jmap,
        drafts,
        subject="second",
        bodyStructure={
            "type": "multipart/mixed",
            "header:X-Structure": " yes",
            "subParts": [
                {"partId": "h", "type": "text/html", "header:X-Part:asText": "part"},
                {
                    "blobId": original["blobId"],
                    "type": "message/rfc822",
                    "disposition": "attachment",
                },
                {"partId": "c", "type": "text/csv", "name": "a b.csv", **attached},
            ],
        },
        bodyValues={"h": {"value": "<p>x</p>"}, "c": {"value": "a;b\n"}},
    )
    email = jmap.get("Email", made["id"], "bodyStructure", "header:X-Structure:asRaw")
    structure = email["bodyStructure"]
    assert [one["type"] for one in structure["subParts"]] == [
        "text/html",
        "message/rfc822",
        "text/csv",
    ]
    assert email["header:X-Structure:asRaw"] == " yes"
    assert structure["subParts"][2]["name"] == "a b.csv"
    # the message inside, and its part, are blobs too
    inside = structure["subParts"][1]["blobId"]
    found = jmap.call("Email/parse", blobIds=[inside], properties=["subject", "textBody", "id"])
    parsed = found["parsed"][inside]
    assert parsed["subject"] == "first" and parsed["id"] is None
    assert fetched(server, jmap, parsed["textBody"][0]["blobId"]) == (200, b"inner")


def test_address_groups_and_raw_fields(server: ServerProcess, jmap: Jmap, drafts: str) -> None:
    group = [
        {"name": "Team ü", "addresses": [{"name": "A", "email": "a@x.test"}]},
        {"name": None, "addresses": [{"name": None, "email": "b@x.test"}]},
    ]
    made = create(
        jmap,
        drafts,
        **{
            "header:To:asGroupedAddresses": group,
            "header:X-Many:asText:all": ["one", "two"],
            "header:List-Post:asURLs": ["mailto:a@x.test"],
            "header:Subject": " as it\r\n stands",
            "header:Resent-Date:asDate": "2026-01-02T03:04:05Z",
        },
    )
    asked = ["header:To:asGroupedAddresses", "header:X-Many:asText:all", "subject", "to"]
    email = jmap.get("Email", made["id"], *asked)
    assert email["header:To:asGroupedAddresses"] == group
    assert email["header:X-Many:asText:all"] == ["one", "two"]
    assert email["subject"] == "as it stands"
    assert [one["email"] for one in email["to"]] == ["a@x.test", "b@x.test"]
    mail = source(server, jmap, made["blobId"])
    assert mail["List-Post"] == "<mailto:a@x.test>"


TEXT_PART = {"partId": "1", "type": "text/plain"}
VALUES = {"1": {"value": "x"}}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "headers": ({"headers": []}, "headers"),
    "server-set": ({"size": 5}, "size"),
    "unknown": ({"colour": 1}, "colour"),
    "twice": ({"subject": "a", "header:subject:asText": "b"}, "header:subject:asText"),
    "form": ({"header:From:asDate": "2026-01-02T03:04:05Z"}, "header:From:asDate"),
    "content": ({"header:Content-Type": "text/html"}, "header:content-type"),
    "both-bodies": ({"bodyStructure": TEXT_PART, "textBody": [TEXT_PART]}, "textBody"),
    "two-texts": ({"textBody": [TEXT_PART, TEXT_PART]}, "textBody"),
    "text-type": ({"textBody": [{**TEXT_PART, "type": "text/html"}]}, "textBody"),
    "html-type": ({"htmlBody": [TEXT_PART]}, "htmlBody"),
    "both-ids": ({"bodyStructure": {**TEXT_PART, "blobId": "Sx"}}, "bodyStructure"),
    "no-id": ({"bodyStructure": {"type": "text/plain"}}, "bodyStructure"),
    "no-value": ({"bodyStructure": {"partId": "2"}}, "bodyStructure"),
    "charset": ({"bodyStructure": {**TEXT_PART, "charset": "utf-8"}}, "bodyStructure"),
    "size": ({"bodyStructure": {**TEXT_PART, "size": 1}}, "bodyStructure"),
    "encoding": (
        {"bodyStructure": {**TEXT_PART, "header:Content-Transfer-Encoding": " 8bit"}},
        "bodyStructure",
    ),
    "same-field": (
        {"bodyStructure": {**TEXT_PART, "header:Content-Type": " text/html"}},
        "bodyStructure",
    ),
    "part-headers": ({"bodyStructure": {**TEXT_PART, "headers": []}}, "bodyStructure"),
    "given-above": (
        {"subject": "a", "bodyStructure": {**TEXT_PART, "header:Subject:asText": "b"}},
        "bodyStructure",
    ),
    "empty-multipart": ({"bodyStructure": {"type": "multipart/mixed"}}, "bodyStructure"),
    "parts-of-a-leaf": ({"bodyStructure": {**TEXT_PART, "subParts": [TEXT_PART]}}, "bodyStructure"),
    "truncated": ({"bodyValues": {"1": {"value": "x", "isTruncated": True}}}, "bodyValues/1"),
    "problem": ({"bodyValues": {"1": {"value": "x", "isEncodingProblem": 1}}}, "bodyValues/1"),
    "no-text": ({"bodyValues": {"1": {}}}, "bodyValues/1"),
    "address": ({"to": [{"email": "a@x\r\nBcc: b"}]}, "to"),
    "injection": ({"header:X-A": " a\r\nBcc: b@x.test"}, "header:X-A"),
    "date": ({"sentAt": "yesterday"}, "sentAt"),
    "id": ({"messageId": ["no at"]}, "messageId"),
    "received": ({"receivedAt": "2026-01-02T03:04:05+01:00"}, "receivedAt"),
    "mailbox": ({"mailboxIds": {"F1-999": True}}, "mailboxIds"),
    "no-mailbox": ({"mailboxIds": {}}, "mailboxIds"),
    "keyword": ({"keywords": {"a b": True}}, "keywords"),
    "cid": ({"attachments": [{"partId": "1", "cid": "a\r\nb"}]}, "attachments"),
    "type": ({"attachments": [{"partId": "1", "type": "a/b\r\nBcc: x"}]}, "attachments"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_created(jmap: Jmap, drafts: str, name: str) -> None:
    properties, wrong = BAD[name]
    found = create(jmap, drafts, **{"bodyValues": VALUES, **properties})
    assert found["type"] == "invalidProperties", found
    assert wrong in found["properties"]


def test_blobs_that_are_not_there(jmap: Jmap, drafts: str) -> None:
    missing = ["S" + "0" * 64, "B123456-1"]
    attached = [{"blobId": one, "type": "application/pdf"} for one in missing]
    found = create(jmap, drafts, attachments=attached)
    assert found["type"] == "blobNotFound" and sorted(found["notFound"]) == sorted(missing)


def test_too_many_keywords(jmap: Jmap, drafts: str) -> None:
    found = create(jmap, drafts, keywords={f"k{number}": True for number in range(101)})
    assert found["type"] == "tooManyKeywords"


def test_in_two_mailboxes_at_once(jmap: Jmap, drafts: str) -> None:
    ids = jmap.call("Mailbox/set", create={"m": {"name": "Second"}})["created"]
    other = ids["m"]["id"]
    found = jmap.call("Email/set", create={"e": {"mailboxIds": {drafts: True, other: True}}})
    id_ = found["created"]["e"]["id"]
    assert jmap.get("Email", id_, "mailboxIds")["mailboxIds"] == {drafts: True, other: True}


def test_no_room(server: ServerProcess, jmap: Jmap, drafts: str) -> None:
    server.perform("account.set", address="ada@example.test", quota=1000)
    try:
        assert create(jmap, drafts, **part("x" * 5000))["type"] == "overQuota"
        blob = upload(server, jmap, letter("too much")).body["blobId"]
        asked = {"blobId": blob, "mailboxIds": {drafts: True}}
        found = jmap.call("Email/import", emails={"i": asked})
        assert found["notCreated"]["i"]["type"] == "overQuota"
    finally:
        server.perform("account.set", address="ada@example.test", quota=0)


def test_imports(server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4, drafts: str) -> None:
    data = letter("imported", Received="from x by y; Fri, 27 Nov 2026 10:00:00 +0000")
    blob = upload(server, jmap, data, "message/rfc822").body["blobId"]
    text = upload(server, jmap, b"no message at all").body["blobId"]
    asked: dict[str, Any] = {"mailboxIds": {drafts: True}}
    found = jmap.call(
        "Email/import",
        emails={
            "one": {"blobId": blob, **asked, "keywords": {"$seen": True}},
            "two": {"blobId": blob, **asked, "receivedAt": "2020-01-02T03:04:05Z"},
            "text": {"blobId": text, **asked},
            "none": {"blobId": "Sx", **asked},
            "nowhere": {"blobId": blob},
        },
    )
    assert found["oldState"] != found["newState"]
    one, two = found["created"]["one"], found["created"]["two"]
    assert one["id"] != two["id"] and set(one) == {"id", "blobId", "threadId", "size"}
    assert {id_: why["type"] for id_, why in found["notCreated"].items()} == {
        "text": "invalidEmail",
        "none": "invalidProperties",
        "nowhere": "invalidProperties",
    }
    email = jmap.get("Email", one["id"], "subject", "receivedAt", "keywords")
    assert email["subject"] == "imported" and email["receivedAt"] == "2026-11-27T10:00:00Z"
    assert email["keywords"] == {"$seen": True}
    assert jmap.get("Email", two["id"], "receivedAt")["receivedAt"] == "2020-01-02T03:04:05Z"
    assert flags(imap, "Drafts", one["id"]) == {"\\Seen"}
    stale = jmap.call("Email/import", emails={}, ifInState="0")
    assert stale["error"] == "stateMismatch"


def test_parses(server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    blob = upload(server, jmap, letter("parsed")).body["blobId"]
    text = upload(server, jmap, b"\r\nno message").body["blobId"]
    found = jmap.call("Email/parse", blobIds=[blob, text, "Snone"], fetchTextBodyValues=True)
    assert (found["notParsable"], found["notFound"]) == ([text], ["Snone"])
    email = found["parsed"][blob]
    assert email["subject"] == "parsed" and email["hasAttachment"] is True
    assert "Grüße aus dem Text" in str(email["bodyValues"])
    (attachment,) = email["attachments"]
    assert fetched(server, jmap, attachment["blobId"]) == (200, b"\x00\x01PDF")
    asked = ["id", "threadId", "mailboxIds", "keywords", "receivedAt", "size", "blobId"]
    email = jmap.call("Email/parse", blobIds=[blob], properties=asked)["parsed"][blob]
    assert email.pop("blobId") == blob and email.pop("size") == len(letter("parsed"))
    assert set(email.values()) == {None}
    refused = jmap.call("Email/parse", blobIds=[blob], properties=["header:From:asDate"])
    assert refused["error"] == "invalidArguments"
    own = jmap.get("Email", append(imap, letter("own")), "blobId")["blobId"]
    found = jmap.call("Email/parse", blobIds=[own], properties=["subject"])
    assert found["parsed"][own] == {"subject": "own"}


def test_copies_go_to_other_accounts(jmap: Jmap) -> None:
    asked = {"accountId": jmap.account, "create": {}}
    same = jmap.call("Email/copy", fromAccountId=jmap.account, **asked)
    assert same["error"] == "invalidArguments"
    assert jmap.call("Email/copy", fromAccountId="A99", **asked)["error"] == "fromAccountNotFound"


def test_a_large_message_holds_nobody_up(server: ServerProcess, jmap: Jmap, drafts: str) -> None:
    large = upload(server, jmap, bytes(range(256)) * 90_000).body["blobId"]
    made: list[Any] = []
    attached = [{"blobId": large, "type": "application/zip", "name": "a.zip"}]
    thread = threading.Thread(
        target=lambda: made.append(create(jmap, drafts, attachments=attached))
    )
    thread.start()
    answered = 0
    while thread.is_alive():
        asked = {"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, "0"]]}
        assert ask(server, "POST", "/jmap/api", asked, basic()).status == 200
        answered += 1
    thread.join()
    assert answered > 3 and made[0]["size"] > 30_000_000
