"""Mailboxes by JMAP beside IMAP, through real connections (RFC 8621 §2)."""

import imaplib
from typing import Any

import pytest

from tests.support.jmap import Jmap, append, letter


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


def test_mailboxes_that_depend_on_each_other_come_in_any_order(jmap: Jmap) -> None:
    made = jmap.call(
        "Mailbox/set",
        create={
            "c": {"name": "Low", "parentId": "#b", "sortOrder": None},
            "b": {"name": "Middle", "parentId": "#a"},
            "a": {"name": "High"},
            "x": {"name": "Ring", "parentId": "#y"},
            "y": {"name": "Ring", "parentId": "#x"},
        },
    )
    assert set(made["created"]) == {"a", "b", "c"}
    assert {id_: error["properties"] for id_, error in made["notCreated"].items()} == {
        "x": ["parentId"],
        "y": ["parentId"],
    }
    ids = {creation_id: box["id"] for creation_id, box in made["created"].items()}
    done = jmap.call("Mailbox/set", destroy=[ids["a"], ids["b"], ids["c"]])
    assert done["destroyed"] == [ids["c"], ids["b"], ids["a"]]


def test_an_answer_changes_the_mailboxes_of_its_thread(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    append(imap, letter("Asked"), "Sent", "\\Seen")
    before = jmap.call("Mailbox/get", ids=None)
    append(imap, letter("Re: Asked", In_Reply_To=f"<{abs(hash('Asked'))}@x.test>"))
    changed = jmap.call("Mailbox/changes", sinceState=before["state"])
    ids = {box["role"]: box["id"] for box in before["list"]}
    assert set(changed["updated"]) == {ids["inbox"], ids["sent"]}
    assert changed["updatedProperties"] == [
        "totalEmails",
        "unreadEmails",
        "totalThreads",
        "unreadThreads",
    ]
    was = next(box["unreadThreads"] for box in before["list"] if box["role"] == "sent")
    assert jmap.get("Mailbox", ids["sent"], "unreadThreads")["unreadThreads"] == was + 1
