"""MDN/send and MDN/parse over real connections (RFC 9007)."""

import imaplib
from typing import Any

import pytest

from tests.support.http_api import ask
from tests.support.jmap import ADA, BOB, Jmap, append, basic, flags, letter
from tests.support.server import PASSWORD, ServerProcess, until
from tests.web.jmap.test_blob import fetched, upload

SEEN = {"actionMode": "manual-action", "sendingMode": "mdn-sent-manually", "type": "displayed"}
UPDATE = {"#m": {"keywords/$mdnsent": True}}


@pytest.fixture(scope="module")
def bob(server: ServerProcess) -> Jmap:
    return Jmap(server, basic(BOB))


@pytest.fixture(scope="module")
def identity(jmap: Jmap) -> str:
    found = jmap.call("Identity/get", ids=None)["list"]
    return next(str(one["id"]) for one in found if one["email"] == ADA)


def send(jmap: Jmap, identity: str, email: str, **more: Any) -> Any:
    """The responses."""
    made = {"forEmailId": email, "disposition": SEEN, **more}
    asked = {"identityId": identity, "send": {"m": made}, "onSuccessUpdateEmail": UPDATE}
    found = jmap.request(["MDN/send", {"accountId": jmap.account, **asked}, "0"])
    return found.body["methodResponses"]


def refused(jmap: Jmap, identity: str, email: str, **more: Any) -> str:
    ((kind, told, _),) = send(jmap, identity, email, **more)
    assert kind == "MDN/send" and told["sent"] is None
    return str(told["notSent"]["m"]["type"])


def test_a_notification_goes_and_is_read(
    server: ServerProcess, jmap: Jmap, bob: Jmap, imap: imaplib.IMAP4, identity: str
) -> None:
    wants = {"Disposition_Notification_To": f"Bob <{BOB}>"}
    id_ = append(imap, letter("Seen?", **wants))
    sent, updated = send(
        jmap, identity, id_, reportingUA="host; Program", extensionFields={"X-More": "yes"}
    )
    assert sent[1]["notSent"] is None
    told = sent[1]["sent"]["m"]
    original = jmap.get("Email", id_, "messageId")["messageId"][0]
    assert told["finalRecipient"] == f"rfc822; {ADA}"
    assert told["originalMessageId"] == f"<{original}>"
    assert told["subject"] == "Read: Seen?" and "reportingUA" not in told
    assert updated[0] == "Email/set" and id_ in updated[1]["updated"]
    assert flags(imap, "INBOX", id_) == {"$mdnsent"}
    assert refused(jmap, identity, id_) == "mdnAlreadySent"

    def arrived() -> Any:
        found = bob.call("Email/query", filter={"subject": "Seen"})["ids"]
        return [one for one in found if "Read:" in bob.get("Email", one, "subject")["subject"]]

    (came,) = until(arrived)
    email = bob.get("Email", came, "blobId", "from", "to", "header:Return-Path:asRaw")
    assert (email["from"][0]["email"], email["to"][0]["email"]) == (ADA, BOB)
    assert email["header:Return-Path:asRaw"].strip() == "<>"
    with imaplib.IMAP4("127.0.0.1", server.port("imap")) as his:
        his.login(BOB, PASSWORD)
        about = append(his, letter("Seen?"))
    found = bob.call("MDN/parse", blobIds=[email["blobId"], "Snone"])
    assert found["notFound"] == ["Snone"] and found["notParsable"] is None
    parsed = found["parsed"][email["blobId"]]
    assert parsed["disposition"] == SEEN and parsed["reportingUA"] == "host; Program"
    assert parsed["forEmailId"] == about and parsed["subject"] == "Read: Seen?"
    assert parsed["originalMessageId"] == f"<{original}>"
    assert parsed["extensionFields"] == {"X-More": "yes"}
    assert parsed["includeOriginalMessage"] is False and "displayed" in parsed["textBody"]
    assert fetched(server, bob, email["blobId"], BOB)[0] == 200
    account = {"accountId": bob.account}
    like = {email["blobId"][1:]: {"data": [{"data:asText": "a creation id like the blobId"}]}}
    answers = bob.request(
        ["Blob/upload", {**account, "create": like}, "0"],
        ["MDN/parse", {**account, "blobIds": [email["blobId"]]}, "1"],
    ).body["methodResponses"]
    assert answers[1][1]["parsed"].keys() == {email["blobId"]}


def test_what_is_not_sent(jmap: Jmap, imap: imaplib.IMAP4, identity: str) -> None:
    silent = append(imap, letter("Nobody asks"))
    asks = append(imap, letter("Asks", Disposition_Notification_To=BOB))
    assert refused(jmap, identity, silent) == "notFound"
    assert refused(jmap, identity, "M1") == "notFound"
    assert refused(jmap, identity, asks, finalRecipient="rfc822; eve@x.test") == "forbiddenFrom"
    assert refused(jmap, identity, asks, disposition={**SEEN, "type": "x"}) == "invalidProperties"
    assert refused(jmap, identity, asks, extensionFields={"Error": "x"}) == "invalidProperties"
    assert refused(jmap, identity, asks, mdnGateway="x") == "invalidProperties"
    made = {"m": {"forEmailId": asks, "disposition": SEEN}}
    wrong: list[dict[str, Any]] = [
        {"identityId": identity, "send": made},
        {"identityId": identity, "send": made, "onSuccessUpdateEmail": {"#m": {}}},
        {"identityId": "I99999", "send": made, "onSuccessUpdateEmail": UPDATE},
        {"identityId": identity, "send": made, "onSuccessUpdateEmail": {**UPDATE, "#n": {}}},
    ]
    for arguments in wrong:
        assert jmap.call("MDN/send", **arguments)["error"] == "invalidArguments"
    assert flags(imap, "INBOX", asks) == set()


def test_the_mail_capability_is_needed(server: ServerProcess, jmap: Jmap, identity: str) -> None:
    call = ["MDN/send", {"accountId": jmap.account, "identityId": identity, "send": {}}, "0"]
    using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mdn"]
    found = ask(server, "POST", "/jmap/api", {"using": using, "methodCalls": [call]}, basic())
    assert found.body["methodResponses"][0][1]["type"] == "unknownMethod"


def test_what_is_no_notification(server: ServerProcess, jmap: Jmap) -> None:
    blob = upload(server, jmap, letter("a letter")).body["blobId"]
    assert jmap.call("MDN/parse", blobIds=[blob])["notParsable"] == [blob]
