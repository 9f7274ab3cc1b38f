"""Mailboxes that others share, by JMAP, with lists of rights of IMAP (RFC 4314, RFC 9670)."""

import imaplib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.http_api import Answer, ask
from tests.support.jmap import Jmap, append, basic, flags, letter
from tests.support.server import PASSWORD, ServerProcess

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


def test_mail_is_changed_by_the_letters_of_the_list(two: Two) -> None:
    one = append(two.imap, letter("One"), "Archive")
    append(two.imap, letter("Hidden"), "INBOX")
    archive, inbox, sent = two.box("Archive"), two.box("Inbox"), two.box("Sent")
    two.give("Archive", "lrs")
    assert two.session()["isReadOnly"] is False
    changes = {"keywords/$seen": True}, {"keywords/work": True}, {"mailboxIds": {sent: True}}
    done = [two.sees("Email/set", update={one: change}) for change in changes]
    assert done[0]["updated"] == {one: None}
    assert done[1]["notUpdated"][one]["type"] == "forbidden"
    assert done[2]["notUpdated"][one]["properties"] == ["mailboxIds"]
    assert flags(two.imap, "Archive", one) == {"\\Seen"}
    assert two.sees("Email/set", destroy=[one])["notDestroyed"][one]["type"] == "forbidden"
    two.give("Archive", "lrswite")
    assert two.sees("Email/set", update={one: {"keywords/work": True}})["updated"] == {one: None}
    assert two.owner.get("Email", one, "keywords")["keywords"] == {"$seen": True, "work": True}
    text = {"bodyValues": {"1": {"value": "x"}}, "textBody": [{"partId": "1"}], "subject": "New"}
    made = two.sees(
        "Email/set",
        create={
            "a": {**text, "mailboxIds": {archive: True}},
            "b": {**text, "mailboxIds": {inbox: True}},
        },
    )
    assert made["notCreated"]["b"]["properties"] == ["mailboxIds"]
    new = made["created"]["a"]["id"]
    assert two.owner.get("Email", new, "mailboxIds")["mailboxIds"] == {archive: True}
    assert two.sees("Email/set", destroy=[new])["destroyed"] == [new]
    copy_to(two.imap, one, "Sent")
    assert two.sees("Email/set", destroy=[one])["destroyed"] == [one]
    assert two.owner.get("Email", one, "mailboxIds")["mailboxIds"] == {sent: True}


def test_uploads_for_somebody_elses_account_stay_the_users_own(two: Two) -> None:
    path = f"/jmap/upload/{two.account}/"
    assert ask(two.server, "POST", path, b"x", basic(two.address)).status == 404
    two.give("Archive", "lri")
    theirs = ask(
        two.server, "POST", f"/jmap/upload/{two.owner.account}/", b"secret", basic(two.mine)
    ).body["blobId"]
    assert two.download(theirs).status == 404
    found = ask(two.server, "POST", path, letter("Up"), basic(two.address))
    assert (found.status, found.body["accountId"]) == (201, two.account)
    blob = found.body["blobId"]
    assert two.download(blob).status == 200
    assert two.download(blob, two.mine).status == 404
    wanted = {"blobId": blob, "mailboxIds": {two.box("Archive"): True}}
    made = two.sees("Email/import", emails={"a": wanted, "b": {**wanted, "blobId": theirs}})
    assert made["notCreated"]["b"]["properties"] == ["blobId"]
    assert two.owner.get("Email", made["created"]["a"]["id"], "subject")["subject"] == "Up"
    script = ask(
        two.server, "POST", f"/jmap/upload/{two.owner.account}/", b"keep;", basic(two.mine)
    ).body["blobId"]
    done = two.owner.call("SieveScript/set", create={"s": {"name": "s", "blobId": script}})
    assert two.download(done["created"]["s"]["blobId"], two.mine).status == 200
    assert two.download(done["created"]["s"]["blobId"]).status == 404


def test_emails_and_blobs_are_copied_between_accounts(two: Two) -> None:
    one = append(two.imap, letter("Travels"), "Archive", "(\\Seen Work)")
    other = append(two.imap, letter("Stays"), "INBOX")
    two.give("Archive", "lrite")
    mine = next(
        box["id"]
        for box in two.reader.call("Mailbox/get", ids=None)["list"]
        if box["role"] == "sent"
    )
    there = {"fromAccountId": two.account}
    copied = two.reader.call(
        "Email/copy",
        **there,
        create={
            "a": {"id": one, "mailboxIds": {mine: True}},
            "b": {"id": other, "mailboxIds": {mine: True}},
            "c": {"id": one, "mailboxIds": {two.box("Archive"): True}},
        },
    )
    assert copied["notCreated"]["b"]["type"] == "notFound"
    assert copied["notCreated"]["c"]["properties"] == ["mailboxIds"]
    new = copied["created"]["a"]["id"]
    got = two.reader.get("Email", new, "subject", "keywords", "mailboxIds", "blobId")
    assert (got["subject"], got["mailboxIds"]) == ("Travels", {mine: True})
    assert got["keywords"] == {"$seen": True, "work": True}
    back = two.sees(
        "Email/copy",
        fromAccountId=two.reader.account,
        create={"a": {"id": new, "mailboxIds": {two.box("Archive"): True}}},
    )
    assert two.owner.get("Email", back["created"]["a"]["id"], "keywords")["keywords"] == {}
    asked = {"a": {"id": one, "mailboxIds": {mine: True}}}
    answer = two.reader.request(
        [
            "Email/copy",
            {
                "accountId": two.reader.account,
                **there,
                "create": asked,
                "onSuccessDestroyOriginal": True,
            },
            "c",
        ]
    )
    (_, _, _), (kind, gone, _) = answer.body["methodResponses"]
    assert (kind, gone["destroyed"], gone["accountId"]) == ("Email/set", [one], two.account)
    assert flags(two.imap, "Archive", one) is None
    blob = two.owner.get("Email", back["created"]["a"]["id"], "blobId")["blobId"]
    hidden = two.owner.get("Email", other, "blobId")["blobId"]
    done = two.reader.call("Blob/copy", **there, blobIds=[blob, hidden])
    assert list(done["notCopied"]) == [hidden]
    path = f"/jmap/download/{two.reader.account}/{done['copied'][blob]}/x"
    assert ask(two.server, "GET", path, None, basic(two.address)).status == 200
    two.imap.deleteacl("Archive", two.address)
    gone = two.reader.call("Email/copy", **there, create=asked)
    assert gone == {"error": "fromAccountNotFound"}
    assert two.reader.call("Blob/copy", **there, blobIds=[blob]) == {"error": "fromAccountNotFound"}


def test_mailboxes_are_made_below_what_is_shared(two: Two) -> None:
    two.give("Archive", "lrkx")
    archive, inbox = two.box("Archive"), two.box("Inbox")
    made = two.sees(
        "Mailbox/set",
        create={
            "a": {"name": "Below", "parentId": archive},
            "b": {"name": "Top"},
            "c": {"name": "In", "parentId": inbox},
            "d": {"name": "Role", "parentId": archive, "role": "important"},
        },
    )
    below = made["created"]["a"]["id"]
    refused = {name: error["type"] for name, error in made["notCreated"].items()}
    assert refused == {"b": "forbidden", "c": "invalidProperties", "d": "forbidden"}
    names = {box["name"] for box in two.owner.call("Mailbox/get", ids=None)["list"]}
    assert "Below" in names and not {"Top", "In", "Role"} & names
    (box,) = two.sees("Mailbox/get", ids=[below])["list"]
    assert box["isSubscribed"] is True
    moved = two.sees("Mailbox/set", update={below: {"parentId": None}, archive: {"role": None}})
    assert {one["type"] for one in moved["notUpdated"].values()} == {"forbidden"}
    named = two.sees("Mailbox/set", update={below: {"name": "Other"}})
    assert named["updated"] == {below: None}
    (box,) = two.sees("Mailbox/get", ids=[below])["list"]
    assert (box["name"], box["isSubscribed"]) == ("Other", True)
    assert two.sees("Mailbox/set", destroy=[below])["destroyed"] == [below]
    two.give("Archive", "lr")
    done = two.sees("Mailbox/set", update={archive: {"isSubscribed": True}}, destroy=[archive])
    assert (done["updated"], done["notDestroyed"][archive]["type"]) == (
        {archive: None},
        "forbidden",
    )
    assert two.sees("Mailbox/get", ids=[archive])["list"][0]["isSubscribed"] is True


def test_mailboxes_are_shared_by_share_with(two: Two) -> None:
    one = append(two.imap, letter("One"), "Archive")
    archive, inbox = two.box("Archive"), two.box("Inbox")
    (them,) = two.owner.call("Principal/query", filter={"email": two.address})["ids"]
    (me,) = two.owner.call("Principal/query", filter={"email": two.mine})["ids"]
    none = dict.fromkeys(two.owner.get("Mailbox", archive)["myRights"], False)
    assert "mayShare" in none
    read = {**none, "mayReadItems": True}
    done = two.owner.call("Mailbox/set", update={archive: {f"shareWith/{them}": read}})
    assert done["updated"] == {archive: None}
    assert two.owner.get("Mailbox", archive, "shareWith")["shareWith"] == {them: read}
    assert two.sees("Email/query")["ids"] == [one]
    assert acl(two.imap, "Archive")[two.address] == "lr"
    assert any(
        "rights" in one["kind"] for one in two.server.perform("audit.list", address=two.mine)
    )
    two.owner.call("Mailbox/set", update={archive: {f"shareWith/{them}/maySetSeen": True}})
    assert acl(two.imap, "Archive")[two.address] == "lrs"
    two.give("Archive", "lrste")
    two.owner.call("Mailbox/set", update={archive: {f"shareWith/{them}/maySetSeen": False}})
    assert set(acl(two.imap, "Archive")[two.address]) == set("lrte")
    two.give("INBOX", "lrx")
    two.owner.call("Mailbox/set", update={inbox: {f"shareWith/{them}/mayAddItems": True}})
    assert set(acl(two.imap, "INBOX")[two.address]) == set("lrxi")
    for wrong in (
        {them: {"mayFly": True}},
        {them: {"mayRename": True}},
        {them: {"maySetSeen": 1}},
        {them: 5},
        {"P1": read},
        {me: read},
        [them],
    ):
        answer = two.owner.call("Mailbox/set", update={archive: {"shareWith": wrong}})
        assert answer["notUpdated"][archive]["properties"] == ["shareWith"], wrong
    refused = two.sees("Mailbox/set", update={archive: {f"shareWith/{them}": none}})
    assert refused["notUpdated"][archive]["type"] == "forbidden"
    two.give("Archive", "lra")
    (box,) = two.sees("Mailbox/get", ids=[archive])["list"]
    assert box["myRights"]["mayShare"] and list(box["shareWith"]) == [them]
    two.give("Archive", "lr", "anyone")
    two.owner.call("Mailbox/set", update={archive: {"shareWith": None}})
    assert set(acl(two.imap, "Archive")) == {two.mine, "anyone"}
    two.imap.deleteacl("Archive", "anyone")
    assert two.sees("Email/get", ids=[one])["notFound"] == [one]
    two.imap.deleteacl("INBOX", two.address)
    assert two.session() is None


def test_without_the_capability_nothing_is_told_of_sharing(two: Two) -> None:
    two.give("Archive", "lra")
    using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"]
    asked = {
        "using": using,
        "methodCalls": [
            ["Mailbox/get", {"accountId": two.account, "ids": None}, "a"],
            [
                "Mailbox/set",
                {"accountId": two.account, "update": {two.box("Archive"): {"shareWith": None}}},
                "b",
            ],
        ],
    }
    found = ask(two.server, "POST", "/jmap/api", asked, basic(two.mine)).body["methodResponses"]
    assert not any(
        "shareWith" in box or "mayShare" in box["myRights"] for box in found[0][1]["list"]
    )
    assert found[1][1]["notUpdated"][two.box("Archive")]["properties"] == ["shareWith"]


def copy_to(imap: imaplib.IMAP4, id_: str, mailbox: str) -> None:
    uid = imap.uid("SEARCH", "EMAILID", id_)[1][0].decode()
    assert imap.uid("COPY", uid, mailbox)[0] == "OK"


def acl(imap: imaplib.IMAP4, mailbox: str) -> dict[str, str]:
    """The list of a mailbox, without its virtual letters."""
    words = imap.getacl(mailbox)[1][0].decode().split()[1:]
    pairs = zip(words[::2], words[1::2], strict=True)
    return {
        whom.strip('"'): "".join(one for one in rights if one not in "cd") for whom, rights in pairs
    }


def test_who_gets_or_loses_rights_is_told(two: Two) -> None:
    archive = two.box("Archive")
    (me,) = two.reader.call("Principal/query", filter={"email": two.mine})["ids"]
    (them,) = two.owner.call("Principal/query", filter={"email": two.address})["ids"]
    assert two.reader.get("Principal", me, "accounts")["accounts"] is None
    before = two.reader.call("ShareNotification/get", ids=None)
    assert before["list"] == []
    two.give("Archive", "lr")
    two.give("Archive", "lr")
    two.owner.call("Mailbox/set", update={archive: {f"shareWith/{them}/maySetSeen": True}})
    two.imap.deleteacl("Archive", two.address)
    two.give("Archive", "lr", "anyone")
    told = two.reader.call("ShareNotification/changes", sinceState=before["state"])
    assert len(told["created"]) == 3
    first, second, third = two.reader.call("ShareNotification/get", ids=None)["list"]
    assert (first["objectType"], first["objectId"]) == ("Mailbox", archive)
    assert (first["name"], first["objectAccountId"]) == ("Archive", two.account)
    assert first["changedBy"] == {"name": two.mine, "email": two.mine, "principalId": me}
    rights = [{n for n, may in (one["newRights"] or {}).items() if may} for one in (first, second)]
    assert rights == [{"mayReadItems"}, {"mayReadItems", "maySetSeen"}]
    assert (first["oldRights"], second["oldRights"]) == (None, first["newRights"])
    assert (third["oldRights"], third["newRights"]) == (second["newRights"], None)
    asked = {"filter": {"objectType": "Mailbox"}}
    assert len(two.reader.call("ShareNotification/query", **asked)["ids"]) == 3
    assert two.owner.call("ShareNotification/get", ids=None)["list"] == []
    seen = two.reader.get("Principal", me, "accounts")["accounts"]
    assert list(seen) == [two.account]
    known = [one["id"] for one in two.reader.call("Principal/get", ids=None)["list"]]
    assert me in known


def test_who_may_share_shares_with_a_third(two: Two) -> None:
    third = f"third-{two.address}"
    two.server.perform("account.add", address=third, password=PASSWORD)
    one = append(two.imap, letter("One"), "Archive")
    archive = two.box("Archive")
    client = Jmap(two.server, basic(third))
    (whom,) = two.reader.call("Principal/query", filter={"email": third})["ids"]
    read = {f"shareWith/{whom}": {"mayReadItems": True}}
    two.give("Archive", "lrs")
    refused = two.sees("Mailbox/set", update={archive: read})
    assert refused["notUpdated"][archive]["type"] == "forbidden"
    two.give("Archive", "lra")
    assert two.sees("Mailbox/set", update={archive: read})["updated"] == {archive: None}
    assert two.other(client, "Email/query")["ids"] == [one]
    (box,) = two.other(client, "Mailbox/get", ids=None)["list"]
    assert (box["shareWith"], box["myRights"]["mayShare"]) == (None, False)
    (told,) = client.call("ShareNotification/get", ids=None)["list"]
    assert (told["changedBy"]["email"], told["objectAccountId"]) == (two.address, two.account)
    entries = two.server.perform("audit.list", address=two.mine)
    assert any(f"by {two.address}" in entry["detail"] for entry in entries)
    assert client.call("Mailbox/get", accountId=two.reader.account, ids=None) == {
        "error": "accountNotFound"
    }
    two.server.perform("account.disable", address=two.mine)
    assert two.other(client, "Email/query") == {"error": "accountNotFound"}
