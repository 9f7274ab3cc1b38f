"""Mail by REST: found, read, tagged, moved and deleted, as IMAP sees it too."""

import http.client
import imaplib
import smtplib
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import pytest

from tests.support.jmap import append, flags, letter
from tests.support.rest import ADA, API, BOB, Rest, asked
from tests.support.server import PASSWORD, ServerProcess, until


@pytest.fixture
def imap(server: ServerProcess) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(ADA, PASSWORD)
    yield client
    client.logout()


def box(ada: Rest, role: str) -> Any:
    (found,) = [one for one in ada.get("/mailboxes")["items"] if one["role"] == role]
    return found


def subjects(ada: Rest, query: str) -> list[str]:
    return [one["subject"] for one in ada.get(f"/emails?{query}")["items"]]


def test_mail_is_found_by_what_a_search_box_takes(ada: Rest, imap: imaplib.IMAP4) -> None:
    append(imap, letter("Invoice four"))
    append(imap, letter("Lunch"), "INBOX", "\\Seen")
    append(imap, letter("Draft of it"), "Drafts", "\\Draft")
    assert subjects(ada, "q=subject:invoice") == ["Invoice four"]
    assert set(subjects(ada, "q=from:bob+-in:drafts")) == {"Invoice four", "Lunch"}
    assert subjects(ada, "q=is:read") == ["Lunch"]
    assert subjects(ada, "q=in:drafts+filename:pdf") == ["Draft of it"]
    assert subjects(ada, "q=body:Gr%C3%BC%C3%9Fe+older_than:2d") == []
    assert subjects(ada, f"mailbox={box(ada, 'drafts')['id']}") == ["Draft of it"]
    found = ada.get("/emails?q=lunch+OR+invoice+-tag:x")
    assert found["understood"] == '(text:"lunch" OR text:"invoice") AND NOT tag:"x"'
    assert found["total"] == 2
    line = found["items"][0]
    assert line["from"] == [{"email": BOB, "name": "Bob Ray"}]
    assert (line["has_attachment"], "Grüße" in line["preview"]) == (True, True)
    assert found["chips"]["kind"] == "all"
    assert [part["kind"] for part in found["chips"]["parts"]] == ["any", "not"]
    deep = ada.get("/emails?q=" + "(" * 30 + "+lunch")  # as words
    assert deep["chips"]["parts"][-1]["value"] == "lunch"
    assert ada.ask("GET", "/emails?mailbox=F1-999999").status == 404


@pytest.mark.parametrize("zone", ["Nowhere/City", "Europe", "/etc/passwd"])
def test_mail_is_found_in_a_time_zone_that_there_is_not(ada: Rest, zone: str) -> None:
    assert ada.ask("PATCH", "/preferences", {"time_zone": zone}).status == 200
    assert ada.ask("GET", "/emails?q=after:2020-01-01").status == 200
    assert ada.ask("PATCH", "/preferences", {"time_zone": None}).status == 200


def test_pages_go_on_behind_the_last_that_was_shown(ada: Rest, imap: imaplib.IMAP4) -> None:
    for number in range(5):
        append(imap, letter(f"Paged {number}"))
    first = ada.get("/emails?q=subject:paged&limit=2")
    assert [one["subject"] for one in first["items"]] == ["Paged 4", "Paged 3"]
    append(imap, letter("Paged 5"))
    assert ada.ask("DELETE", f"/emails/{first['items'][0]['id']}?for_good=true").status == 204
    second = ada.get(f"/emails?q=subject:paged&limit=2&cursor={first['next']}")
    assert [one["subject"] for one in second["items"]] == ["Paged 2", "Paged 1"]
    last = ada.get(f"/emails?q=subject:paged&limit=2&cursor={second['next']}")
    assert ([one["subject"] for one in last["items"]], last["next"]) == (["Paged 0"], None)


def test_an_email_is_read_tagged_moved_and_deleted(
    server: ServerProcess, ada: Rest, bob: Rest, imap: imaplib.IMAP4
) -> None:
    data = letter("One of them")
    number = append(imap, data)
    whole = ada.get(f"/emails/{number}")
    assert (whole["subject"], whole["text"]) == ("One of them", "Grüße aus dem Text\n")
    assert [(one["name"], one["size"]) for one in whole["attachments"]] == [("é.pdf", 5)]
    assert ada.get(f"/threads/{whole['thread']}")["emails"] == [number]
    changed = ada.ask("PATCH", f"/emails/{number}", {"seen": True, "add": ["work"]})
    assert (changed.status, changed.body["keywords"]) == (200, ["$seen", "work"])
    assert flags(imap, "INBOX", number) == {"\\Seen", "work"}
    assert ada.ask("PATCH", f"/emails/{number}", {"add": ["no keyword"]}).status == 422
    trash = box(ada, "trash")["id"]
    assert ada.ask("PATCH", f"/emails/{number}", {"mailbox": "F1-424242"}).status == 404
    many = {"ids": [number], "flagged": True, "remove": ["work"]}
    assert ada.ask("PATCH", "/emails", many).status == 204
    assert flags(imap, "INBOX", number) == {"\\Seen", "\\Flagged"}
    assert bob.ask("GET", f"/emails/{number}").status == 404
    assert bob.ask("DELETE", f"/emails/{number}").status == 404
    assert ada.ask("DELETE", f"/emails/{number}").status == 204
    assert ada.get(f"/emails/{number}")["mailboxes"] == [trash]
    assert flags(imap, "INBOX", number) is None
    assert ada.ask("DELETE", f"/emails/{number}").status == 204
    assert ada.get(f"/emails/{number}", 404)["status"] == 404


def test_a_message_comes_as_it_was(server: ServerProcess, ada: Rest, imap: imaplib.IMAP4) -> None:
    data = letter("Raw")
    number = append(imap, data)
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    fields = {"Authorization": f"Bearer {ada.token}"}
    connection.request("GET", f"{API}/emails/{number}/raw", None, fields)
    found = connection.getresponse()
    assert (found.status, found.headers["Content-Type"]) == (200, "message/rfc822")
    assert "sandbox" in found.headers["Content-Security-Policy"]
    assert "no-store" in found.headers["Cache-Control"]
    assert message_from_bytes(found.read())["Subject"] == "Raw"
    connection.close()
    assert ada.ask("GET", f"/emails/{number}/why").status == 404


def test_a_user_sees_why_a_message_is_here(server: ServerProcess, ada: Rest) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as smtp:
        smtp.sendmail("friend@elsewhere.test", [ADA], letter("Explained").replace(b"\n", b"\r\n"))

    def why() -> Any:
        found = ada.get("/emails?q=subject:explained")["items"]
        answer = ada.ask("GET", f"/emails/{found[0]['id']}/why") if found else None
        return answer.body if answer is not None and answer.status == 200 else None

    told = until(why)
    assert any("INBOX" in one["text"] for one in told["happenings"]), told


def test_agents_draft_and_do_no_more(server: ServerProcess, ada: Rest, imap: imaplib.IMAP4) -> None:
    number = append(imap, letter("For agents"))
    made = ada.ask("POST", "/tokens", {"name": "agent", "agent": True, "rate": 100})
    agent = made.body["secret"]
    assert asked(server, "GET", f"/emails/{number}", token=agent).status == 200
    assert asked(server, "PATCH", f"/emails/{number}", {"seen": True}, agent).status == 403
    assert asked(server, "DELETE", f"/emails/{number}", token=agent).status == 403
    assert asked(server, "GET", "/tags", token=agent).status == 401
    told = ada.get("/sign-ins")["items"]
    assert any("GET /emails/{id}" in one["detail"] for one in told)
    bound = ada.ask("POST", "/tokens", {"name": "b", "protocols": ["jmap"], "folders": ["Drafts"]})
    assert asked(server, "GET", f"/emails/{number}", token=bound.body["secret"]).status == 404
    seen = asked(server, "GET", "/mailboxes", token=bound.body["secret"]).body["items"]
    assert [one["role"] for one in seen] == ["drafts"]


def test_mailboxes_are_made_renamed_and_deleted(ada: Rest, bob: Rest, imap: imaplib.IMAP4) -> None:
    made = ada.ask("POST", "/mailboxes", {"name": "Projects"})
    assert (made.status, made.body["isSubscribed"]) == (201, True)
    below = ada.ask("POST", "/mailboxes", {"name": "One", "parentId": made.body["id"]})
    at = f"/mailboxes/{below.body['id']}"
    assert ada.ask("POST", "/mailboxes", {"name": "Projects"}).status == 422
    assert ada.ask("DELETE", f"/mailboxes/{made.body['id']}").status == 409
    seen = ada.ask("GET", at).fields["etag"]
    moved = ada.ask("PATCH", at, {"name": "Two", "parentId": None}, If_Match=seen)
    assert (moved.status, moved.body["name"], moved.body["parentId"]) == (200, "Two", None)
    assert ada.ask("PATCH", at, {"name": "Three"}, If_Match=seen).status == 412
    append(imap, letter("Kept"), "Two")
    imap.select("INBOX")  # who has a mailbox open that is deleted is sent away
    assert ada.ask("DELETE", at).status == 409
    assert bob.ask("DELETE", f"{at}?emails=true").status == 404
    assert ada.ask("DELETE", f"{at}?emails=true").status == 204
    assert imap.select("Two")[0] == "NO"
    inbox = box(ada, "inbox")["id"]
    assert ada.ask("DELETE", f"/mailboxes/{inbox}").status == 403
    assert ada.ask("DELETE", f"/mailboxes/{made.body['id']}").status == 204
