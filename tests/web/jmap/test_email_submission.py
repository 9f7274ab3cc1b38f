"""EmailSubmissions by JMAP, with a real queue that sends to a real host (RFC 8621 §7)."""

import imaplib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.event_source import Events
from tests.support.jmap import ADA, BOB, Jmap, append, basic
from tests.support.sending_site import sending_site
from tests.support.server import PASSWORD, ServerProcess, until
from tests.support.smtp_sink import Sink

Site = tuple[ServerProcess, Sink]
SUBMISSION = "urn:ietf:params:jmap:submission"
FAR, REFUSED = "far@world.test", "refused@world.test"
LIMITS = """[limits]
recipients = 5
[http]
trusted_proxies = ["127.0.0.0/8"]
[[policy]]
recipient_domain = ["small.test"]
message_size = "10"
[[policy]]
recipient_domain = ["tls.test"]
require_tls = true
[[policy]]
recipient_domain = ["later.test"]
action = "defer"
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("submission")
    with sending_site(folder, request.param, ADA, BOB, extra=LIMITS) as (server, sink):
        sink.refuse[REFUSED] = "550 5.1.1 no such user"
        yield server, sink


@pytest.fixture(scope="module")
def jmap(site: Site) -> Jmap:
    return Jmap(site[0], basic())


@pytest.fixture(scope="module")
def imap(site: Site) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", site[0].port("imap"))
    client.login(ADA, PASSWORD)
    yield client
    try:
        client.logout()
    except imaplib.IMAP4.abort:  # a test kills the server
        client.shutdown()


def draft(imap: imaplib.IMAP4, subject: str, *lines: str, sender: str = ADA) -> str:
    """Its EMAILID, in Drafts."""
    header = [f"From: Ada <{sender}>", f"Subject: {subject}", *lines]
    return append(imap, ("\r\n".join(header) + "\r\n\r\nHello\r\n").encode(), "Drafts", "\\Draft")


def identity(jmap: Jmap) -> str:
    return str(jmap.call("Identity/get", ids=None)["list"][0]["id"])


def create(jmap: Jmap, email: str, **more: Any) -> Any:
    made = {"identityId": identity(jmap), "emailId": email, **more}
    return jmap.call("EmailSubmission/set", create={"a": made})


def held(*people: str, seconds: int = 3600) -> dict[str, Any]:
    return {
        "mailFrom": {"email": ADA, "parameters": {"HOLDFOR": str(seconds)}},
        "rcptTo": [{"email": one} for one in people],
    }


def inbox(server: ServerProcess, address: str) -> list[bytes]:
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10) as client:
        client.login(address, PASSWORD)
        if client.select()[1] == [b"0"]:
            return []
        found = client.fetch("1:*", "(BODY.PEEK[])")[1]
    return [part[1] for part in found if isinstance(part, tuple)]


def test_a_draft_is_sent_and_moved_to_sent(site: Site, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    server, sink = site
    email = draft(imap, "first", f"To: {FAR}, {BOB}", "Bcc: secret@world.test")
    boxes = {one["role"]: one["id"] for one in jmap.call("Mailbox/get", ids=None)["list"]}
    state = jmap.call("EmailSubmission/get", ids=[])["state"]
    patch = {
        f"mailboxIds/{boxes['drafts']}": None,
        f"mailboxIds/{boxes['sent']}": True,
        "keywords/$draft": None,
    }
    made = {"identityId": identity(jmap), "emailId": email}
    answer = jmap.request(
        [
            "EmailSubmission/set",
            {
                "accountId": jmap.account,
                "create": {"a": made},
                "onSuccessUpdateEmail": {"#a": patch},
            },
            "c",
        ]
    ).body["methodResponses"]
    (name, told, _), (following, moved, call_id) = answer
    assert (name, following, call_id) == ("EmailSubmission/set", "Email/set", "c")
    assert moved["updated"] == {email: None}
    one = told["created"]["a"]
    assert (one["undoStatus"], one["dsnBlobIds"]) == ("final", [])
    assert one["envelope"]["mailFrom"] == {"email": ADA, "parameters": None}
    people = [to["email"] for to in one["envelope"]["rcptTo"]]
    assert people == [FAR, BOB, "secret@world.test"]
    found = jmap.get("Email", email, "mailboxIds", "keywords")
    assert found["mailboxIds"] == {boxes["sent"]: True}
    assert "$draft" not in found["keywords"]

    until(lambda: sink.received and inbox(server, BOB))
    sent = sink.received[0]
    assert (sent.sender, set(sent.recipients)) == (ADA, {FAR, "secret@world.test"})
    assert b"secret" not in sent.data and b"DKIM-Signature:" in sent.data
    assert b"Message-ID:" in sent.data and b"with HTTP id" in sent.data
    (mail,) = inbox(server, BOB)
    assert mail.count(b"Received:") == 1 and b"Subject: first" in mail

    def status() -> Any:
        found = jmap.get("EmailSubmission", one["id"])["deliveryStatus"]
        return found if all(to["delivered"] != "queued" for to in found.values()) else None

    found = until(status)
    assert found[FAR] == {
        "smtpReply": "250 2.0.0 taken",
        "delivered": "unknown",
        "displayed": "unknown",
    }
    assert found[BOB]["delivered"] == "yes"
    changes = jmap.call("EmailSubmission/changes", sinceState=state)
    assert (changes["created"], changes["updated"]) == ([one["id"]], [])
    after = jmap.call("EmailSubmission/changes", sinceState=told["newState"])
    assert (after["created"], after["updated"]) == ([], [one["id"]])
    assert server.json("queue", "list") == []


def test_what_is_canceled_leaves_nothing(site: Site, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    server, sink = site
    email = draft(imap, "regretted", f"To: {FAR}")
    told = create(jmap, email, envelope=held(FAR, BOB))
    one = told["created"]["a"]
    assert one["undoStatus"] == "pending" and one["sendAt"] > "2026"
    assert "envelope" not in one
    query = jmap.call("EmailSubmission/query", filter={"undoStatus": "pending"})
    assert query["ids"] == [one["id"]]
    got = len(inbox(server, BOB))
    cancelled = jmap.call("EmailSubmission/set", update={one["id"]: {"undoStatus": "canceled"}})
    assert cancelled["updated"] == {one["id"]: None}
    assert server.json("queue", "list") == []
    until(lambda: not list((server.data / "queue").glob("*.msg")))
    assert jmap.get("EmailSubmission", one["id"], "undoStatus")["undoStatus"] == "canceled"
    changes = jmap.call("EmailSubmission/queryChanges", **_asked(query))
    assert (changes["removed"], changes["added"]) == ([one["id"]], [])
    again = jmap.call("EmailSubmission/set", update={one["id"]: {"undoStatus": "canceled"}})
    assert again["updated"] == {one["id"]: None}
    back = jmap.call("EmailSubmission/set", update={one["id"]: {"undoStatus": "pending"}})
    assert back["notUpdated"][one["id"]]["type"] == "invalidProperties"
    assert not any(b"regretted" in mail.data for mail in sink.received)
    assert len(inbox(server, BOB)) == got


def _asked(query: Any) -> dict[str, Any]:
    return {"filter": {"undoStatus": "pending"}, "sinceQueryState": query["queryState"]}


def test_what_becomes_of_it_is_pushed(site: Site, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    with Events(site[0], basic(), types="EmailSubmission") as events:
        events.block()
        letter = draft(imap, "Pushed", f"To: {FAR}")
        made = create(jmap, letter, envelope=held(FAR))["created"]["a"]
        events.until(jmap.account, "EmailSubmission")
        jmap.call("EmailSubmission/set", update={made["id"]: {"undoStatus": "canceled"}})
        state = events.until(jmap.account, "EmailSubmission")["EmailSubmission"]
        assert state == jmap.call("EmailSubmission/get", ids=[])["state"]
        last = events.id
    sent = create(jmap, draft(imap, "And sent", f"To: {FAR}"))["created"]["a"]["id"]

    def arrived() -> bool:
        told = jmap.get("EmailSubmission", sent, "deliveryStatus")["deliveryStatus"]
        return all(one["delivered"] != "queued" for one in told.values())

    until(arrived)
    with Events(site[0], basic(), types="EmailSubmission", last=last) as events:
        events.until(jmap.account, "EmailSubmission")


def test_what_is_sent_cannot_be_taken_back(site: Site, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    server, _ = site
    one = create(jmap, draft(imap, "kept", f"To: {REFUSED}"))["created"]["a"]
    late = jmap.call("EmailSubmission/set", update={one["id"]: {"undoStatus": "canceled"}})
    assert late["notUpdated"][one["id"]]["type"] == "cannotUnsend"

    def refused() -> bool:
        found = jmap.get("EmailSubmission", one["id"])["deliveryStatus"][REFUSED]
        return bool(found["delivered"] == "no" and found["smtpReply"][:9] == "550 5.1.1")

    until(refused)
    until(lambda: any(b"Action: failed" in mail for mail in inbox(server, ADA)))
    gone = jmap.call("EmailSubmission/set", destroy=[one["id"]])
    assert gone["destroyed"] == [one["id"]]
    assert jmap.call("EmailSubmission/get", ids=[one["id"]])["notFound"] == [one["id"]]
    changes = jmap.call("EmailSubmission/changes", sinceState=gone["oldState"])
    assert changes["destroyed"] == [one["id"]]


def test_a_held_message_goes_at_its_time(site: Site, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    server, sink = site
    told = create(jmap, draft(imap, "soon", "To: x@y.test"), envelope=held(FAR, BOB, seconds=1))
    one = told["created"]["a"]
    assert one["undoStatus"] == "pending"
    until(lambda: any(b"Subject: soon" in mail for mail in inbox(server, BOB)))
    until(lambda: any(b"Subject: soon" in mail.data for mail in sink.received))
    assert jmap.get("EmailSubmission", one["id"], "undoStatus")["undoStatus"] == "final"


def test_what_may_not_be_sent_is_refused_by_name(
    site: Site, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    server, sink = site
    before = len(sink.received)

    def refused(email: str, **more: Any) -> Any:
        return create(jmap, email, **more)["notCreated"]["a"]

    good = draft(imap, "good", f"To: {FAR}")
    assert refused(draft(imap, "foreign", f"To: {FAR}", sender=BOB))["type"] == "forbiddenFrom"
    foreign = {"mailFrom": {"email": BOB}, "rcptTo": [{"email": FAR}]}
    assert refused(good, envelope=foreign)["type"] == "forbiddenMailFrom"
    assert refused(draft(imap, "nobody"))["type"] == "noRecipients"
    nobody = refused(good, envelope=held("none@example.test", BOB, "no"))
    assert (nobody["type"], nobody["invalidRecipients"]) == ("invalidRecipients", ["no"])
    nobody = refused(good, envelope=held("none@example.test", BOB))
    assert nobody["invalidRecipients"] == ["none@example.test"]
    many = refused(good, envelope=held(*(f"x{n}@world.test" for n in range(6))))
    assert (many["type"], many["maxRecipients"]) == ("tooManyRecipients", 5)
    twice = draft(imap, "twice", f"From: {ADA}", f"To: {FAR}")
    assert refused(twice)["type"] == "invalidEmail"
    large = refused(good, envelope=held("x@small.test"))
    assert (large["type"], large["maxSize"]) == ("tooLarge", 10)
    long = held(FAR, seconds=10**8)
    assert refused(good, envelope=long)["properties"] == ["envelope"]
    assert refused("Mffff")["properties"] == ["emailId"]
    assert refused(good, identityId="I999")["properties"] == ["identityId"]
    assert refused(good, undoStatus="final")["properties"] == ["undoStatus"]
    assert server.json("queue", "list") == []
    assert list((server.data / "tmp").iterdir()) == []
    assert len(sink.received) == before


def test_a_shorter_time_to_be_held_counts_from_a_reload_on(site: Site) -> None:
    server, _ = site
    before = server.config.read_text()
    first = Jmap(server, basic()).session
    server.config.write_text(before + '[smtp]\nhold_at_most = "1h"\n')
    try:
        server.perform("reload")
        second = Jmap(server, basic()).session
    finally:
        server.config.write_text(before)
        server.perform("reload")
    times = [
        one["accounts"][one["primaryAccounts"][SUBMISSION]]["accountCapabilities"][SUBMISSION]
        for one in (first, second)
    ]
    assert [one["maxDelayedSend"] for one in times] == [30 * 86400, 3600]
    assert first["state"] != second["state"]


def test_a_policy_that_wants_tls_is_kept(site: Site, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    server, _ = site
    email = draft(imap, "private", "To: x@y.test")
    plain = create(jmap, email, envelope=held("x@tls.test"))["notCreated"]["a"]
    assert (plain["type"], "HTTPS" in plain["description"]) == ("forbiddenToSend", True)
    proxied = Jmap(server, {**basic(), "X-Forwarded-Proto": "https"})
    one = create(proxied, email, envelope=held("x@tls.test"))["created"]["a"]
    proxied.call("EmailSubmission/set", update={one["id"]: {"undoStatus": "canceled"}})
    later = create(jmap, email, envelope=held("x@later.test"))["notCreated"]["a"]
    assert later["type"] == "rateLimit"


def test_full_mailboxes_are_named(site: Site, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    server, _ = site
    email = draft(imap, "no room", f"To: {BOB}")
    server.perform("account.set", address=BOB, quota=10)
    full = create(jmap, email, envelope=held(FAR, BOB))["notCreated"]["a"]
    server.perform("account.set", address=BOB, quota=0)
    assert (full["type"], full["invalidRecipients"]) == ("invalidRecipients", [BOB])
    one = create(jmap, email, envelope=held(BOB))["created"]["a"]
    jmap.call("EmailSubmission/set", update={one["id"]: {"undoStatus": "canceled"}})


def test_agents_that_only_draft_send_nothing(site: Site, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    server, _ = site
    made = server.perform("token.add", address=ADA, name="agent", agent=True, protocols=["jmap"])
    agent = Jmap(server, {"Authorization": f"Bearer {made['secret']}"})
    email = draft(imap, "by an agent", f"To: {FAR}")
    assert create(agent, email)["notCreated"]["a"]["type"] == "forbiddenToSend"
    one = create(jmap, email, envelope=held(FAR))["created"]["a"]
    stopped = agent.call("EmailSubmission/set", update={one["id"]: {"undoStatus": "canceled"}})
    assert stopped["notUpdated"][one["id"]]["type"] == "forbidden"
    bob = Jmap(server, basic(BOB))
    assert bob.call("EmailSubmission/get", ids=[one["id"]])["notFound"] == [one["id"]]
    foreign = bob.call("EmailSubmission/set", update={one["id"]: {"undoStatus": "canceled"}})
    assert foreign["notUpdated"][one["id"]]["type"] == "notFound"
    assert create(bob, email)["notCreated"]["a"]["properties"] == ["emailId"]
    jmap.call("EmailSubmission/set", update={one["id"]: {"undoStatus": "canceled"}})


def test_parameters_go_out_as_smtp_has_them(site: Site, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    _, sink = site
    envelope = {
        "mailFrom": {"email": ADA, "parameters": {"ENVID": "a+b", "RET": "HDRS"}},
        "rcptTo": [{"email": FAR, "parameters": {"NOTIFY": "FAILURE", "ORCPT": "rfc822;a+b@c"}}],
    }
    create(jmap, draft(imap, "parameters", f"To: {FAR}"), envelope=envelope)
    until(lambda: any(b"Subject: parameters" in mail.data for mail in sink.received))
    sent = sink.received[-1]
    assert "ENVID=a+2Bb" in sent.mail and "RET=HDRS" in sent.mail
    assert "NOTIFY=FAILURE" in sent.rcpt[0] and "ORCPT=rfc822;a+2Bb@c" in sent.rcpt[0]


def test_a_kill_neither_loses_nor_doubles(site: Site, imap: imaplib.IMAP4) -> None:
    server, sink = site
    jmap = Jmap(server, basic())
    email = draft(imap, "killed", f"To: {FAR}")
    kept = create(jmap, email, envelope=held(FAR, BOB, seconds=2))["created"]["a"]
    gone = create(jmap, email, envelope=held("gone@world.test"))["created"]["a"]
    done = jmap.call("EmailSubmission/set", update={gone["id"]: {"undoStatus": "canceled"}})
    assert done["updated"] == {gone["id"]: None}
    server.kill()
    server.start()
    until(lambda: any(b"Subject: killed" in mail.data for mail in sink.received))
    until(lambda: server.json("queue", "list") == [])
    assert sum(b"Subject: killed" in mail.data for mail in sink.received) == 1
    assert sum(b"Subject: killed" in mail for mail in inbox(server, BOB)) == 1
    jmap = Jmap(server, basic())
    assert jmap.get("EmailSubmission", gone["id"], "undoStatus")["undoStatus"] == "canceled"
    found = jmap.get("EmailSubmission", kept["id"])
    assert (found["undoStatus"], found["deliveryStatus"][BOB]["delivered"]) == ("final", "yes")
