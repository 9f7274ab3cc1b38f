"""Logins that see some folders alone find what is there alone, whatever others asked before."""

import imaplib
from typing import Any

from tests.support.jmap import ADA, Jmap, append, letter
from tests.support.server import ServerProcess

SORT = {"sort": [{"property": "subject"}]}


def token(server: ServerProcess, name: str, **terms: Any) -> Jmap:
    made = server.perform("token.add", address=ADA, name=name, protocols=["jmap"], **terms)
    return Jmap(server, {"Authorization": f"Bearer {made['secret']}"})


def test_a_login_searches_the_folders_that_it_sees(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    imap.create("Open")
    seen = append(imap, letter("open letter"), "Open")
    both = append(imap, letter("both places"), "INBOX", "(\\Flagged)")
    uid = imap.uid("SEARCH", "EMAILID", both)[1][0].decode()
    imap.uid("COPY", uid, "Open")
    imap.select("Open")
    there = imap.uid("SEARCH", "EMAILID", both)[1][0].decode()
    imap.uid("STORE", there, "-FLAGS", "(\\Flagged)")
    hidden = append(imap, letter("hidden letter"), "INBOX")
    client = token(server, "Open", folders=["Open"])
    full = jmap.call("Email/query", **SORT)
    assert {seen, both, hidden} <= set(full["ids"])
    found = client.call("Email/query", **SORT, calculateTotal=True)
    assert (found["ids"], found["total"]) == ([both, seen], 2)
    assert found["queryState"] != full["queryState"]
    assert client.call("Email/query", filter={"text": "hidden"})["ids"] == []
    assert client.call("Email/query", filter={"hasKeyword": "$flagged"})["ids"] == []
    assert jmap.call("Email/query", filter={"hasKeyword": "$flagged"})["ids"] == [both]
    inbox = jmap.call("Mailbox/query", filter={"role": "inbox"})["ids"][0]
    assert client.call("Email/query", filter={"inMailbox": inbox})["ids"] == []
    assert client.call("Email/query", anchor=hidden, **SORT) == {"error": "anchorNotFound"}
    snippets = client.call(
        "SearchSnippet/get", filter={"subject": "letter"}, emailIds=[seen, hidden]
    )
    assert [one["emailId"] for one in snippets["list"]] == [seen]
    assert snippets["notFound"] == [hidden]
    assert len(client.call("Mailbox/query")["ids"]) == 1
    # what changes out of sight does not show
    imap.select("INBOX")
    uid = imap.uid("SEARCH", "EMAILID", hidden)[1][0].decode()
    imap.uid("STORE", uid, "+FLAGS", "(\\Seen)")
    more = append(imap, letter("a third"), "Open")
    changes = client.call("Email/queryChanges", **SORT, sinceQueryState=found["queryState"])
    assert changes["removed"] == []
    assert changes["added"] == [{"id": more, "index": 0}]
    # nor are states of others answered
    foreign = client.call("Email/queryChanges", **SORT, sinceQueryState=full["queryState"])
    assert foreign == {"error": "cannotCalculateChanges"}
    unknown = client.call(
        "Email/queryChanges", filter={"text": "a"}, sinceQueryState=found["queryState"]
    )
    assert unknown == {"error": "cannotCalculateChanges"}


def test_queries_of_an_agent_are_logged(server: ServerProcess, imap: imaplib.IMAP4) -> None:
    made = server.perform("token.add", address=ADA, name="Asker", agent=True, folders=["INBOX"])
    client = Jmap(server, {"Authorization": f"Bearer {made['secret']}"})
    client.call("Email/query", limit=1)
    client.call("SearchSnippet/get", emailIds=[])
    entries = server.perform("audit.list", address=ADA)
    acted = {entry["detail"] for entry in entries if entry["kind"] == "agent acted"}
    assert {"Email/query", "SearchSnippet/get"} <= acted
