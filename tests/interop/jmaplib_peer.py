"""A day of jmaplib, run as a program of its own in var/peers: one step an object of JMAP.

    jmaplib_peer.py URL CA USER PASSWORD OTHER-USER

Prints one JSON object: by the name of each step "ok", or what went wrong.
"""

import json
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import httpx
from jmap.auth import BasicAuth
from jmap.client import JMAPClient
from jmap.push import EventSourceClient, WebSocketClient

URL, CA, USER, PASSWORD, OTHER = sys.argv[1:]
STEPS: list[Callable[["Day"], None]] = []


def step(function: Callable[["Day"], None]) -> Callable[["Day"], None]:
    STEPS.append(function)
    return function


class Day:
    """What the steps share."""

    def __init__(self) -> None:
        self.client = self.connect()
        self.boxes: dict[str, str] = {}
        self.emails: list[str] = []
        self.blob = ""

    def connect(self, user: str = USER) -> JMAPClient:
        context = ssl.create_default_context(cafile=CA)
        http = httpx.Client(verify=context, follow_redirects=True, timeout=20)
        return JMAPClient.connect(URL, auth=BasicAuth(user, PASSWORD), http=http)

    @property
    def account(self) -> str:
        return str(self.client.session.primary_accounts["urn:ietf:params:jmap:mail"])

    def call(self, namespace: str, kind: str, method: str, **arguments: Any) -> Any:
        """The result of one call by itself."""
        with self.client.batch() as batch:
            handle = getattr(getattr(getattr(batch, namespace), kind), method)(**arguments)
        return handle.result

    def made(self, namespace: str, kind: str, **object_: Any) -> str:
        """The id of an object that is created."""
        done = self.call(namespace, kind, "set", create={"new": object_})
        assert not done.not_created, done.not_created
        id_ = done.created_id("new")
        assert id_ is not None
        return str(id_)

    def changes(self, namespace: str, kind: str, since: str) -> Any:
        return self.call(namespace, kind, "changes", since_state=since)


def draft(day: Day, subject: str, **more: Any) -> dict[str, Any]:
    return {
        "mailboxIds": {day.boxes["drafts"]: True},
        "keywords": {"$draft": True, "$seen": True},
        "from": [{"name": "Ada", "email": USER}],
        "to": [{"name": None, "email": OTHER}],
        "subject": subject,
        "bodyValues": {"t": {"value": "Grüße\n"}},
        "textBody": [{"partId": "t", "type": "text/plain"}],
        **more,
    }


@step
def core(day: Day) -> None:
    assert day.client.echo(hello=["Grüße"]) == {"hello": ["Grüße"]}


@step
def mailbox(day: Day) -> None:
    found = day.call("mail", "mailbox", "get", ids=None)
    day.boxes = {box.role: str(box.id) for box in found.items if box.role}
    assert {"inbox", "drafts", "sent", "trash", "junk"} <= set(day.boxes)
    box = day.made("mail", "mailbox", name="Project", parentId=day.boxes["archive"])
    done = day.call("mail", "mailbox", "set", update={box: {"name": "Plan"}})
    assert box in done.updated and not done.not_updated
    told = day.changes("mail", "mailbox", found.state)
    assert box in told.created and not told.has_more_changes
    query = day.call("mail", "mailbox", "query", filter={"name": "plan"}, calculate_total=True)
    assert query.ids == [box] and query.total == 1
    day.boxes["plan"] = box


@step
def blob(day: Day) -> None:
    uploaded = day.client.upload(b"bytes of a file", content_type="application/pdf")
    day.blob = str(uploaded.blob_id)
    assert (uploaded.size, uploaded.type) == (15, "application/pdf")
    assert day.client.download(day.blob) == b"bytes of a file"
    create = {"b": {"data": [{"data:asText": "text and "}, {"blobId": day.blob}]}}
    done = day.call("blob", "blob", "upload", create=create)
    made = done.created["b"]
    id_ = made["id"] if isinstance(made, dict) else made.id
    names = ["data:asText", "digest:sha-256", "size"]
    (got,) = day.call("blob", "blob", "get", ids=[id_], properties=names, offset=9).items
    told = got if isinstance(got, dict) else got.model_dump(by_alias=True)
    assert told["data:asText"] == "bytes of a file" and told["size"] == 24, told


@step
def email_create(day: Day) -> None:
    attachment = {"blobId": day.blob, "type": "application/pdf", "name": "é.pdf"}
    day.emails.append(day.made("mail", "email", **draft(day, "first", attachments=[attachment])))
    (got,) = day.call(
        "mail",
        "email",
        "get",
        ids=[day.emails[0]],
        properties=["subject", "to", "hasAttachment", "attachments", "textBody", "bodyValues"],
        fetchTextBodyValues=True,
    ).items
    assert (got.subject, got.has_attachment, got.attachments[0].name) == ("first", True, "é.pdf")
    assert [value.value for value in got.body_values.values()] == ["Grüße\n"]
    assert day.client.download(got.attachments[0].blob_id) == b"bytes of a file"


@step
def email_query(day: Day) -> None:
    filter_ = {"inMailbox": day.boxes["drafts"], "text": "grüße"}
    sort = [{"property": "receivedAt", "isAscending": False}]
    with day.client.batch() as batch:
        found = batch.mail.email.query(filter=filter_, sort=sort, limit=10, calculate_total=True)
        snippets = batch.mail.search_snippet.get(filter=filter_, email_ids=found.ref_ids())
    assert found.result.ids == day.emails and found.result.total == 1
    (snippet,) = snippets.result.items
    assert "<mark>" in (snippet.preview or ""), snippet
    day.emails.append(day.made("mail", "email", **draft(day, "second")))
    told = day.call(
        "mail",
        "email",
        "query_changes",
        since_query_state=found.result.query_state,
        filter=filter_,
        sort=sort,
    )
    assert [(one.id, one.index) for one in told.added] == [(day.emails[1], 0)], told


@step
def email_set(day: Day) -> None:
    state = day.call("mail", "email", "get", ids=[]).state
    patch = {"keywords/$flagged": True, f"mailboxIds/{day.boxes['plan']}": True}
    done = day.call("mail", "email", "set", update={day.emails[1]: patch}, if_in_state=state)
    assert day.emails[1] in done.updated
    told = day.changes("mail", "email", state)
    assert told.updated == [day.emails[1]]
    done = day.call("mail", "email", "set", destroy=[day.emails[1]])
    assert done.destroyed == [day.emails[1]]


@step
def email_import(day: Day) -> None:
    data = b"From: Bob <bob@x.test>\r\nSubject: imported\r\nMessage-ID: <i@x.test>\r\n\r\nhello\r\n"
    uploaded = day.client.upload(data, content_type="message/rfc822")
    parsed = day.call("mail", "email", "parse", blob_ids=[uploaded.blob_id])
    assert parsed.parsed[uploaded.blob_id].subject == "imported", parsed
    emails = {
        "i": {
            "blobId": uploaded.blob_id,
            "mailboxIds": {day.boxes["inbox"]: True},
            "keywords": {"$seen": True},
            "receivedAt": "2026-01-02T03:04:05Z",
        }
    }
    done = day.call("mail", "email", "import_", emails=emails)
    assert not done.not_created, done
    made = done.created["i"]
    day.emails[1] = str(made["id"] if isinstance(made, dict) else made.id)
    (got,) = day.call("mail", "email", "get", ids=[day.emails[1]], properties=["blobId"]).items
    assert day.client.download(got.blob_id) == data


@step
def thread(day: Day) -> None:
    names = ["threadId"]
    (got,) = day.call("mail", "email", "get", ids=[day.emails[1]], properties=names).items
    (found,) = day.call("mail", "thread", "get", ids=[got.thread_id]).items
    assert found.email_ids == [day.emails[1]]


@step
def identity(day: Day) -> None:
    found = day.call("submission", "identity", "get", ids=None)
    (own,) = [one for one in found.items if not one.may_delete]
    assert own.email == USER
    made = day.made("submission", "identity", name="Ada L.", email=USER, textSignature="-- \nA")
    assert made in day.changes("submission", "identity", found.state).created
    day.boxes["identity"] = str(own.id)


@step
def submission(day: Day) -> None:
    state = day.call("submission", "email_submission", "get", ids=[]).state
    sent = {f"mailboxIds/{day.boxes['drafts']}": None, f"mailboxIds/{day.boxes['sent']}": True}
    with day.client.batch() as batch:
        done = batch.submission.email_submission.set(
            create={"s": {"emailId": day.emails[0], "identityId": day.boxes["identity"]}},
            onSuccessUpdateEmail={"#s": {**sent, "keywords/$draft": None}},
        )
    assert not done.result.not_created, done.result.not_created
    id_ = done.result.created_id("s")
    assert id_ in day.changes("submission", "email_submission", state).created
    (got,) = day.call("submission", "email_submission", "get", ids=[id_]).items
    assert got.undo_status in ("final", "pending") and got.email_id == day.emails[0]
    names = ["mailboxIds", "keywords"]
    (mail,) = day.call("mail", "email", "get", ids=[day.emails[0]], properties=names).items
    assert set(mail.mailbox_ids) == {day.boxes["sent"]} and "$draft" not in mail.keywords


@step
def submission_undo(day: Day) -> None:
    email = day.made("mail", "email", **draft(day, "taken back"))
    held = {
        "mailFrom": {"email": USER, "parameters": {"HOLDFOR": "600"}},
        "rcptTo": [{"email": OTHER, "parameters": None}],
    }
    id_ = day.made(
        "submission",
        "email_submission",
        emailId=email,
        identityId=day.boxes["identity"],
        envelope=held,
    )
    done = day.call(
        "submission", "email_submission", "set", update={id_: {"undoStatus": "canceled"}}
    )
    assert not done.not_updated, done.not_updated
    query = day.call("submission", "email_submission", "query", filter={"undoStatus": "canceled"})
    assert query.ids == [id_]


@step
def vacation(day: Day) -> None:
    away = {"isEnabled": True, "subject": "Away", "textBody": "Back on Monday"}
    done = day.call("vacation", "vacation_response", "set", update={"singleton": away})
    assert not done.not_updated, done.not_updated
    (got,) = day.call("vacation", "vacation_response", "get", ids=None).items
    assert (got.is_enabled, got.subject, got.text_body) == (True, "Away", "Back on Monday")
    off = {"singleton": {"isEnabled": False}}
    assert not day.call("vacation", "vacation_response", "set", update=off).not_updated


@step
def sieve(day: Day) -> None:
    text = b'require "fileinto";\r\nfileinto "Archive";\r\n'
    uploaded = day.client.upload(text, content_type="application/sieve")
    checked = day.call("sieve", "sieve_script", "validate", blob_id=uploaded.blob_id)
    assert checked.error is None, checked
    script = day.made("sieve", "sieve_script", name="mine", blobId=uploaded.blob_id)
    (got,) = day.call("sieve", "sieve_script", "get", ids=[script]).items
    assert (got.name, got.is_active) == ("mine", False)
    assert day.client.download(got.blob_id) == text
    wrong = day.client.upload(b"nonsense;", content_type="application/sieve")
    assert day.call("sieve", "sieve_script", "validate", blob_id=wrong.blob_id).error is not None
    assert day.call("sieve", "sieve_script", "set", destroy=[script]).destroyed == [script]


@step
def quota(day: Day) -> None:
    found = day.call("quota", "quota", "get", ids=None)
    assert found.state is not None and all(one.used >= 0 for one in found.items)
    asked = day.call("quota", "quota", "query")
    assert sorted(asked.ids) == sorted(str(one.id) for one in found.items)


@step
def mdn(day: Day) -> None:
    data = (
        b"From: Bob <bob@x.test>\r\nSubject: receipt?\r\nMessage-ID: <r@x.test>\r\n"
        b"Disposition-Notification-To: " + OTHER.encode() + b"\r\n\r\nhello\r\n"
    )
    uploaded = day.client.upload(data, content_type="message/rfc822")
    emails = {"i": {"blobId": uploaded.blob_id, "mailboxIds": {day.boxes["inbox"]: True}}}
    made = day.call("mail", "email", "import_", emails=emails).created["i"]
    email = str(made["id"] if isinstance(made, dict) else made.id)
    send = {
        "m": {
            "forEmailId": email,
            "disposition": {
                "actionMode": "manual-action",
                "sendingMode": "mdn-sent-manually",
                "type": "displayed",
            },
        }
    }
    done = day.call("mdn", "mdn", "send", identity_id=day.boxes["identity"], send=send)
    assert not done.not_sent, done.not_sent
    assert (
        day.call("mail", "email", "get", ids=[email], properties=["keywords"])
        .items[0]
        .keywords.get("$mdnsent")
    )


@step
def contacts(day: Day) -> None:
    books = day.call("contacts", "address_book", "get", ids=None)
    assert any(book.is_default for book in books.items)
    book = day.made("contacts", "address_book", name="Friends")
    state = day.call("contacts", "contact_card", "get", ids=[]).state
    card = {
        "@type": "Card",
        "version": "1.0",
        "addressBookIds": {book: True},
        "name": {"full": "Carol Díaz"},
        "emails": {"e": {"address": "carol@x.test"}},
    }
    id_ = day.made("contacts", "contact_card", **card)
    assert day.changes("contacts", "contact_card", state).created == [id_]
    found = day.call("contacts", "contact_card", "query", filter={"email": "carol@x.test"})
    assert found.ids == [id_]
    patch = {"name": {"full": "Carol D."}}
    assert not day.call("contacts", "contact_card", "set", update={id_: patch}).not_updated
    (got,) = day.call("contacts", "contact_card", "get", ids=[id_]).items
    told = got if isinstance(got, dict) else got.model_dump(by_alias=True)
    assert told["name"]["full"] == "Carol D.", told
    refused = day.call("contacts", "address_book", "set", destroy=[book])
    assert book in refused.not_destroyed
    done = day.call("contacts", "address_book", "set", destroy=[book], onDestroyRemoveContents=True)
    assert done.destroyed == [book]


@step
def sharing(day: Day) -> None:
    found = day.call("principals", "principal", "query", filter={"email": OTHER})
    (principal,) = found.ids
    book = day.made("contacts", "address_book", name="Shared")
    patch = {f"shareWith/{principal}": {"mayRead": True}}
    done = day.call("contacts", "address_book", "set", update={book: patch})
    assert not done.not_updated, done.not_updated
    other = day.connect(OTHER)
    with other.batch() as batch:
        told = batch.principals.share_notification.get(ids=None)
    assert any(one.object_id == book for one in told.result.items), told.result.items
    assert day.account in other.session.accounts


def within(seconds: float, work: Callable[[], Any], stir: Callable[[], None]) -> Any:
    """What `work` gives, while `stir` changes things now and then."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    end = time.monotonic() + seconds
    while not found and time.monotonic() < end and thread.is_alive():
        stir()
        thread.join(0.3)
    assert found, "nothing was told"
    return found[0]


@step
def event_source(day: Day) -> None:
    events = EventSourceClient(day.connect(), types=["Email"], close_after_state=True, ping=5)
    told = within(15, lambda: list(events.events()), lambda: stir(day))
    states = [one for one in told if type(one).__name__ == "StateChange"]
    assert states and "Email" in states[0].changed[day.account], told


@step
def web_socket(day: Day) -> None:
    with WebSocketClient(day.connect()) as socket:
        with socket.batch() as batch:
            found = batch.mail.mailbox.get(ids=[day.boxes["inbox"]])
        assert [box.role for box in found.result.items] == ["inbox"]
        socket.enable_push(["Email"])
        change = within(15, lambda: next(socket.notifications()), lambda: stir(day))
        assert "Email" in change.changed[day.account]


def stir(day: Day) -> None:
    """Changes an Email."""
    for value in (True, None):
        day.call("mail", "email", "set", update={day.emails[1]: {"keywords/$answered": value}})


def main() -> None:
    day, results = Day(), {}
    for one in STEPS:
        try:
            one(day)
            results[one.__name__] = "ok"
        except Exception:
            results[one.__name__] = traceback.format_exc(limit=-2)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
