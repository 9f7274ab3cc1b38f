"""What a login by token may do by JMAP, and what one request may cost (RFC 8620 §3.6)."""

import http.client
import imaplib
import re
import socket
from typing import Any

from tests.support.http_api import ask
from tests.support.jmap import ADA, Jmap, append, basic, flags, letter
from tests.support.server import ServerProcess


def token(server: ServerProcess, name: str, **terms: Any) -> Jmap:
    made = server.perform("token.add", address=ADA, name=name, protocols=["jmap"], **terms)
    return Jmap(server, {"Authorization": f"Bearer {made['secret']}"})


def copy_to(imap: imaplib.IMAP4, id_: str, mailbox: str) -> None:
    uid = imap.uid("SEARCH", "EMAILID", id_)[1][0].decode()
    assert imap.uid("COPY", uid, mailbox)[0] == "OK"


def test_copies_in_folders_out_of_sight_are_not_told_and_stay(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    imap.create("Secret/Open")
    one = append(imap, letter("Both"), "INBOX", "(Hidden)")
    copy_to(imap, one, "Secret/Open")
    imap.select("Secret/Open")
    uid = imap.uid("SEARCH", "EMAILID", one)[1][0].decode()
    imap.uid("STORE", uid, "FLAGS", "(Seen-there)")
    client = token(server, "Some", folders=["Secret/Open"])
    (box,) = client.call("Mailbox/get", ids=None)["list"]
    assert (box["name"], box["parentId"]) == ("Secret/Open", None)
    found = client.get("Email", one, "mailboxIds", "keywords")
    assert found == {"id": one, "mailboxIds": {box["id"]: True}, "keywords": {"seen-there": True}}
    done = client.call(
        "Email/set", update={one: {"mailboxIds": {box["id"]: True}, "keywords/$flagged": True}}
    )
    assert done["updated"] == {one: None}
    assert flags(imap, "INBOX", one) == {"Hidden"}
    assert client.call("Email/set", destroy=[one])["destroyed"] == [one]
    assert flags(imap, "Secret/Open", one) is None
    assert flags(imap, "INBOX", one) == {"Hidden"}
    assert client.call("Mailbox/changes", sinceState="1") == {"error": "cannotCalculateChanges"}


def test_an_agent_writes_drafts_alone_at_its_rate_and_is_logged(
    server: ServerProcess, imap: imaplib.IMAP4
) -> None:
    mail, draft = append(imap, letter("Mail")), append(imap, letter("Draft"), "Drafts")
    made = server.perform(
        "token.add", address=ADA, name="Robot", agent=True, rate=8, folders=["INBOX", "Drafts"]
    )
    headers = {"Authorization": f"Bearer {made['secret']}"}
    client = Jmap(server, headers)
    assert client.session["accounts"][client.account]["isReadOnly"] is False
    done = client.call(
        "Email/set", update={draft: {"keywords/$flagged": True}, mail: {"keywords/$seen": True}}
    )
    assert (done["updated"], done["notUpdated"][mail]["type"]) == ({draft: None}, "forbidden")
    assert client.call("Mailbox/set", create={"a": {"name": "x"}})["created"] is None
    blob = client.get("Email", mail, "blobId")["blobId"]
    path = f"/jmap/download/{client.account}/{blob}/x"
    assert ask(server, "GET", path, None, headers).status == 200
    answers = client.request(*[["Core/echo", {}, str(n)] for n in range(9)])
    kinds = [answer.get("type") for _, answer, _ in answers.body["methodResponses"]]
    assert kinds[0] is None
    assert kinds[-1] == "serverUnavailable"
    limited = ask(server, "GET", path, None, headers)
    assert (limited.status, limited.wait) == (429, 60)
    entries = server.perform("audit.list", address=ADA)
    acted = {entry["detail"] for entry in entries if entry["kind"] == "agent acted"}
    assert {"Email/set", "Mailbox/set", "Email/get", f"download {blob}"} <= acted


def test_a_session_behind_a_proxy_is_where_the_client_came_from(server: ServerProcess) -> None:
    named = {**basic(), "Host": "mail.example.test", "X-Forwarded-Proto": "https"}
    found = ask(server, "GET", "/jmap/session", None, named).body
    assert found["apiUrl"] == "https://mail.example.test/jmap/api"


def test_other_methods_of_http_are_told_which_there_are(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    connection.request("HEAD", "/jmap/session", headers=basic())
    head = connection.getresponse()
    assert (head.status, head.headers["Content-Type"]) == (200, "application/json")
    connection.close()
    for method, path, allowed in (
        ("GET", "/jmap/api", {"POST"}),
        ("OPTIONS", "/jmap/api", {"POST"}),
        ("POST", "/jmap/session", {"GET", "HEAD"}),
    ):
        found = ask(server, method, path, None, basic())
        assert found.status == 405
        assert set(re.split(", *", found.fields["allow"])) == allowed


def test_both_ways_to_log_in_are_offered(server: ServerProcess) -> None:
    found = ask(server, "GET", "/jmap/session", None, {})
    assert re.findall(r"(\w+) realm=", found.fields["www-authenticate"]) == ["Basic", "Bearer"]


def test_what_references_multiply_is_stopped_before_it_is_there(jmap: Jmap) -> None:
    reference = {"resultOf": "0", "name": "Core/echo", "path": ""}
    found = jmap.request(
        ["Core/echo", {"x": "y" * 1_000_000}, "0"],
        ["Core/echo", {f"#{n}": reference for n in range(100)}, "1"],
    )
    (_, (kind, error, _)) = found.body["methodResponses"]
    assert (kind, error["type"]) == ("error", "requestTooLarge")


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_too_deep_to_be_repeated_is_refused(jmap: Jmap) -> None:
    assert jmap.request(["Core/echo", {"x": nested(90)}, "a"]).status == 200
    deep = jmap.request(["Core/echo", {"x": nested(300)}, "a"])
    assert (deep.status, deep.body["type"].rpartition(":")[2]) == (400, "notRequest")
    calls = [["Core/echo", {"x": nested(90)}, "0"]]
    for n in range(1, 64):
        reference = {"resultOf": str(n - 1), "name": "Core/echo", "path": ""}
        calls.append(["Core/echo", {"#x": reference}, str(n)])
    assert jmap.request(*calls).status == 200


def test_a_message_in_utf_7_spoils_no_answer(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    one = append(imap, b"Subject: odd\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+2AA-\r\n")
    (found,) = jmap.call("Email/get", ids=[one], fetchTextBodyValues=True)["list"]
    assert found["bodyValues"]["1"]["value"] == "\ufffd\n"


def test_all_emails_of_an_account_leave_out_what_is_deleted(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    one = append(imap, letter("Gone"), flags="(\\Deleted)")
    found = jmap.call("Email/get", ids=None, properties=["subject"])
    assert found["notFound"] == []
    assert one not in [email["id"] for email in found["list"]]


def test_many_bodies_are_too_much_for_one_request(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    text = b"Content-Type: text/plain\r\n\r\n" + b"many words\r\n" * 400_000
    ids = [append(imap, b"Subject: %d\r\n" % n + text) for n in range(8)]

    def asked(some: list[str]) -> list[Any]:
        wanted = {"ids": some, "fetchTextBodyValues": True, "properties": ["bodyValues"]}
        return ["Email/get", {"accountId": jmap.account, **wanted}, "a"]

    first, second = (
        one[1] for one in jmap.request(asked(ids[:4]), asked(ids)).body["methodResponses"]
    )
    assert len(first["list"]) == 4
    assert second["type"] == "requestTooLarge"
    for id_ in ids:
        jmap.call("Email/set", destroy=[id_])


def test_a_request_that_is_left_waiting_for_its_body_is_not_held_on_to(
    server: ServerProcess,
) -> None:
    body = b" " * (10 * 1024 * 1024 + 1)
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    fields = {**basic(), "Content-Type": "application/json"}
    connection.request("POST", "/jmap/api", body, fields)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (413, "close")
    connection.close()


def test_whole_objects_come_back_with_what_changed(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    one = append(imap, letter("Whole"), flags="(Kept)")
    found = jmap.get("Email", one, "keywords", "mailboxIds", "threadId", "size", "subject", "from")
    changed = {**found, "keywords": {"KEPT": True, "$seen": True}}
    assert jmap.call("Email/set", update={one: changed})["updated"] == {one: None}
    assert flags(imap, "INBOX", one) == {"Kept", "\\Seen"}
    other = jmap.call("Email/set", update={one: {**changed, "subject": "Other"}})
    assert other["notUpdated"][one]["properties"] == ["subject"]
    done = jmap.call("Email/set", update={one: {"keywords/$SEEN": None, "keywords/Kept": None}})
    assert done["updated"] == {one: None}
    assert flags(imap, "INBOX", one) == set()
    jmap.call("Email/set", update={one: {"keywords/a": True}})
    assert jmap.call("Email/set", update={one: {"keywords": None}})["updated"] == {one: None}
    assert flags(imap, "INBOX", one) == set()


def test_a_moved_email_keeps_what_any_copy_had(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    one = append(imap, letter("United"))
    copy_to(imap, one, "Archive")
    imap.select("Archive")
    uid = imap.uid("SEARCH", "EMAILID", one)[1][0].decode()
    imap.uid("STORE", uid, "+FLAGS", "(\\Seen Work)")
    trash = next(
        box["id"] for box in jmap.call("Mailbox/get", ids=None)["list"] if box["role"] == "trash"
    )
    jmap.call("Email/set", update={one: {"mailboxIds": {trash: True}}})
    assert flags(imap, "Trash", one) == {"\\Seen", "Work"}


def test_a_received_date_past_the_calendar_is_its_last(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    kind, found = imap.append(
        "INBOX", "", '"31-Dec-9999 23:59:59 -1200"', b"Subject: late\r\n\r\nx\r\n"
    )
    assert kind == "OK"
    uid = found[0].split()[2].rstrip(b"]").decode()
    imap.select("INBOX")
    line = imap.uid("FETCH", uid, "(EMAILID)")[1][0]
    match = re.search(rb"EMAILID \((\w+)\)", line)
    assert match is not None
    got = jmap.get("Email", match[1].decode(), "receivedAt")
    assert got["receivedAt"] == "9999-12-31T23:59:59Z"


def test_downloads_that_nobody_reads_leave_the_api_alone(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    one = append(imap, b"Subject: large\r\n\r\n" + b"many words\r\n" * 700_000)
    blob = jmap.get("Email", one, "blobId")["blobId"]
    line = f"GET /jmap/download/{jmap.account}/{blob}/x HTTP/1.1\r\nHost: x\r\n"
    head = f"{line}Authorization: {basic()['Authorization']}\r\n\r\n".encode()
    held = [socket.create_connection(("127.0.0.1", server.port("http")), 20) for _ in range(8)]
    for connection in held:
        connection.sendall(head)
    assert all(connection.recv(12) == b"HTTP/1.1 200" for connection in held)
    beyond = ask(server, "GET", f"/jmap/download/{jmap.account}/{blob}/x", None, basic())
    assert (beyond.status, beyond.body["limit"]) == (400, "maxConcurrentRequests")
    assert jmap.request(["Core/echo", {}, "a"]).status == 200
    for connection in held:
        connection.close()
    again = ask(server, "GET", f"/jmap/download/{jmap.account}/{blob}/x", None, basic())
    assert again.status == 200
    jmap.call("Email/set", destroy=[one])
