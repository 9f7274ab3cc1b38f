"""Mailboxes that others share, by JMAP, with lists of rights of IMAP (RFC 4314, RFC 9670)."""

import imaplib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.http_api import Answer, ask
from tests.support.jmap import Jmap, append, basic, letter
from tests.support.server import PASSWORD, ServerProcess

SHARE = "urn:ietf:params:jmap:mail:share"
SUBMISSION = "urn:ietf:params:jmap:submission"
_numbers = iter(range(1000))


@dataclass
class Two:
    """One who shares, and one with whom."""

    server: ServerProcess
    owner: Jmap
    imap: imaplib.IMAP4
    reader: Jmap
    address: str
    mine: str
    """The address of the owner."""

    @property
    def account(self) -> str:
        return str(self.owner.account)

    def box(self, name: str) -> str:
        """The id of a mailbox of the owner."""
        for one in self.owner.call("Mailbox/get", ids=None)["list"]:
            if one["name"].lower() == name.lower():
                return str(one["id"])
        raise AssertionError(name)

    def give(self, mailbox: str, rights: str, whom: str = "") -> None:
        assert self.imap.setacl(mailbox, whom or self.address, rights)[0] == "OK"

    def other(self, client: Jmap, name: str, **arguments: Any) -> Any:
        """A call in the owner's account."""
        return client.call(name, **{"accountId": self.account, **arguments})

    def sees(self, name: str, **arguments: Any) -> Any:
        return self.other(self.reader, name, **arguments)

    def session(self) -> Any:
        """The owner's account in the reader's Session, None where it is not."""
        found = ask(self.server, "GET", "/jmap/session", None, basic(self.address)).body
        return found["accounts"].get(self.account)

    def download(self, blob: str, client: str = "") -> Answer:
        path = f"/jmap/download/{self.account}/{blob}/x"
        return ask(self.server, "GET", path, None, basic(client or self.address))


@pytest.fixture
def two(server: ServerProcess) -> Iterator[Two]:
    number = next(_numbers)
    mine, theirs = f"owner{number}@example.test", f"reader{number}@example.test"
    for address in (mine, theirs):
        server.perform("account.add", address=address, password=PASSWORD)
    imap = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    imap.login(mine, PASSWORD)
    yield Two(server, Jmap(server, basic(mine)), imap, Jmap(server, basic(theirs)), theirs, mine)
    imap.logout()


def test_an_account_is_there_with_what_it_shares_and_no_more(two: Two) -> None:
    assert two.session() is None
    secret, open_ = append(two.imap, letter("Secret")), append(two.imap, letter("Open"), "Archive")
    assert two.sees("Mailbox/get", ids=None) == {"error": "accountNotFound"}
    two.give("Archive", "lr")
    told = two.session()
    assert (told["name"], told["isPersonal"], told["isReadOnly"]) == (two.mine, False, True)
    assert told["accountCapabilities"]["urn:ietf:params:jmap:mail"]["mayCreateTopLevelMailbox"] is (
        False
    )
    assert SUBMISSION not in told["accountCapabilities"]
    (box,) = two.sees("Mailbox/get", ids=None)["list"]
    archive, inbox = two.box("Archive"), two.box("Inbox")
    assert (box["id"], box["name"], box["totalEmails"]) == (archive, "Archive", 1)
    assert {name for name, may in box["myRights"].items() if may} == {"mayReadItems"}
    assert (box["isSubscribed"], box["shareWith"]) == (False, None)
    assert two.sees("Mailbox/get", ids=[inbox])["notFound"] == [inbox]
    got = two.sees("Email/get", ids=[open_, secret], properties=["subject", "mailboxIds", "blobId"])
    assert got["notFound"] == [secret]
    (email,) = got["list"]
    assert (email["subject"], email["mailboxIds"]) == ("Open", {archive: True})
    assert two.sees("Email/query")["ids"] == [open_]
    assert two.sees("Email/query", filter={"inMailbox": inbox})["ids"] == []
    assert two.sees("Email/query", filter={"text": "Secret"})["ids"] == []
    assert two.sees("Mailbox/query")["ids"] == [archive]
    threads = [two.owner.get("Email", one, "threadId")["threadId"] for one in (open_, secret)]
    assert two.sees("Thread/get", ids=threads)["notFound"] == [threads[1]]
    asked = {"filter": {"text": "e"}, "emailIds": [open_, secret]}
    assert two.sees("SearchSnippet/get", **asked)["notFound"] == [secret]
    blob, hidden = (two.owner.get("Email", one, "blobId")["blobId"] for one in (open_, secret))
    assert two.download(blob).status == 200
    assert two.download(hidden).status == 404
    assert two.download(hidden + "-2").status == 404
    assert two.sees("Blob/get", ids=[hidden], properties=["size"])["notFound"] == [hidden]
    types = {"typeNames": ["Email", "Mailbox"], "ids": [blob, hidden]}
    looked = two.sees("Blob/lookup", **types)
    assert looked["notFound"] == [hidden]
    assert looked["list"][0]["matchedIds"] == {"Email": [open_], "Mailbox": [archive]}
    assert two.sees("Email/parse", blobIds=[hidden])["notFound"] == [hidden]
    for name in ("Identity/get", "EmailSubmission/get", "Quota/get", "SieveScript/get"):
        assert two.sees(name, ids=None) == {"error": "accountNotSupportedByMethod"}
    assert two.sees("AddressBook/get", ids=None) == {"error": "accountNotSupportedByMethod"}
    assert two.sees("Email/set", destroy=[open_]) == {"error": "accountReadOnly"}


def test_what_a_list_takes_away_is_gone_at_once(two: Two) -> None:
    one = append(two.imap, letter("Mine"), "Archive")
    blob = two.owner.get("Email", one, "blobId")["blobId"]
    two.give("Archive", "lr")
    before = two.sees("Email/get", ids=[one], properties=["subject"])
    queried = two.sees("Email/query")
    assert two.sees("Email/changes", sinceState=before["state"])["updated"] == []
    two.give("Archive", "l")
    assert two.session() is not None
    after = two.sees("Email/get", ids=[one], properties=["subject"])
    assert (after["notFound"], after["state"] == before["state"]) == ([one], False)
    assert two.sees("Email/changes", sinceState=before["state"]) == {
        "error": "cannotCalculateChanges"
    }
    assert two.sees("Email/query")["ids"] == []
    changed = two.sees("Email/queryChanges", sinceQueryState=queried["queryState"])
    assert changed.get("removed", [one]) == [one]
    assert two.download(blob).status == 404
    (box,) = two.sees("Mailbox/get", ids=None)["list"]
    assert (box["totalEmails"], any(box["myRights"].values())) == (0, False)
    two.imap.deleteacl("Archive", two.address)
    assert two.session() is None
    assert two.sees("Mailbox/get", ids=None) == {"error": "accountNotFound"}
    assert two.sees("Email/get", ids=[one]) == {"error": "accountNotFound"}
    two.give("Archive", "lr", "anyone")
    two.give("Archive", "r", f"-{two.address}")
    assert two.sees("Email/get", ids=[one])["notFound"] == [one]
    two.imap.delete("Archive")
    assert two.session() is None


def test_a_login_is_cut_further(two: Two) -> None:
    append(two.imap, letter("One"), "Archive")
    for name in ("Archive", "Sent"):
        two.give(name, "lrswite")

    def client(name: str, **terms: Any) -> Jmap:
        made = two.server.perform(
            "token.add", address=two.address, name=name, protocols=["jmap"], **terms
        )
        return Jmap(two.server, {"Authorization": f"Bearer {made['secret']}"})

    reading = client("reading", read_only=True)
    assert reading.session["accounts"][two.account]["isReadOnly"] is True
    boxes = two.other(reading, "Mailbox/get", ids=None)["list"]
    assert len(boxes) == 2
    for box in boxes:
        assert {name for name, may in box["myRights"].items() if may} == {"mayReadItems"}
    own = client("own", folders=["INBOX"])
    assert two.account not in own.session["accounts"]
    assert two.other(own, "Mailbox/get", ids=None) == {"error": "accountNotFound"}
    some = client("some", folders=[f"Other Users/{two.mine}/Sent"])
    (box,) = two.other(some, "Mailbox/get", ids=None)["list"]
    assert box["name"] == "Sent"


def test_hostile_ids_open_nothing(two: Two) -> None:
    one = append(two.imap, letter("Mine"), "Archive")
    own = append(two.imap, letter("Inbox"))
    two.give("Archive", "lr")
    archive, inbox = two.box("Archive"), two.box("Inbox")
    reader_inbox = two.reader.call("Mailbox/get", ids=None)["list"][0]["id"]
    assert two.reader.call("Mailbox/get", ids=[archive])["notFound"] == [archive]
    assert two.sees("Mailbox/get", ids=[reader_inbox])["notFound"] == [reader_inbox]
    assert two.reader.call("Email/get", ids=[one])["notFound"] == [one]
    for id_ in ("A0", "A", "A-1", f"{two.account} ", f"{two.account}0", "F1-1"):
        assert two.other(two.reader, "Email/get", ids=[own], accountId=id_) == {
            "error": "accountNotFound" if id_ != f"{two.account} " else "invalidArguments"
        }
        path = f"/jmap/download/{id_.strip()}1/B1/x"
        assert ask(two.server, "GET", path, None, basic(two.address)).status == 404
    assert two.sees("Email/query", filter={"inMailboxOtherThan": [archive]})["ids"] == []
    assert two.sees("Email/query", filter={"inMailbox": inbox})["ids"] == []
    assert two.sees("Email/get", ids=None, properties=["subject"])["list"][0]["subject"] == "Mine"
