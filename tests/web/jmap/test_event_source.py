"""Streams of events: what is told, to whom, and what ends them."""

import imaplib
import smtplib
import time
from collections.abc import Callable

import pytest

from tests.support.browser import logged_in
from tests.support.event_source import Events
from tests.support.http_api import ask
from tests.support.jmap import ADA, BOB, Jmap, append, basic, letter
from tests.support.server import PASSWORD, ServerProcess

MAIL_TYPES = ("Email", "Mailbox", "Thread")


def deliver(server: ServerProcess, to: str = ADA) -> None:
    """A message from outside."""
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=30) as client:
        data = letter(f"Delivered {time.monotonic_ns()}").replace(b"\n", b"\r\n")
        client.sendmail("carol@else.test", [to], data)


def test_a_change_by_imap_is_told_with_the_state_that_get_gives(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    with Events(server, basic()) as events:
        assert events.status == 200
        assert events.fields["content-type"].startswith("text/event-stream")
        assert events.block() is not None
        assert events.retry > 0 and events.id
        append(imap, letter("Told"))
        states = events.until(jmap.account, *MAIL_TYPES)
        assert "EmailDelivery" not in states
        for name in MAIL_TYPES:
            assert jmap.call(f"{name}/get", ids=[])["state"] == states[name]
            assert not jmap.call(f"{name}/changes", sinceState=states[name])["hasMoreChanges"]


def test_a_delivery_is_told_as_such(server: ServerProcess, jmap: Jmap) -> None:
    with Events(server, basic(), types="EmailDelivery") as events:
        deliver(server)
        told = events.next()
        assert told is not None
        assert told.data["changed"][jmap.account].keys() == {"EmailDelivery"}


def test_types_that_were_not_asked_for_are_not_told(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    with Events(server, basic(), types="Mailbox,Nothing") as events:
        imap.create("Typed")
        assert events.until(jmap.account, "Mailbox").keys() == {"Mailbox"}
    with Events(server, basic(), types="Email") as events:
        imap.delete("Typed")  # no change of an Email
        append(imap, letter("Typed"))
        assert events.until(jmap.account, "Email").keys() == {"Email"}


def test_a_stream_may_end_after_the_first_change(
    server: ServerProcess, imap: imaplib.IMAP4
) -> None:
    with Events(server, basic(), close_after="state") as events:
        append(imap, letter("The only one"))
        told = events.next()
        assert told is not None and told.name == "state"
        assert events.next() is None


def test_pings_come_at_the_interval(server: ServerProcess) -> None:
    with Events(server, basic(), ping=1) as events:
        told = events.next(30)
        assert told is not None
        assert (told.name, told.data) == ("ping", {"interval": 5})


def test_who_comes_again_hears_of_what_was_missed(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    with Events(server, basic()) as events:
        events.block()
        last = events.id
    append(imap, letter("Missed"))
    server.perform("sieve.put", address=ADA, name="Missed", text="keep;")
    with Events(server, basic(), last=last) as events:
        states = events.until(jmap.account, *MAIL_TYPES, "SieveScript")
        assert jmap.call("Email/get", ids=[])["state"] == states["Email"]
        missed = jmap.call("Email/changes", sinceState=last.partition("-")[0])
        assert len(missed["created"]) == 1
    with Events(server, basic(), last="nonsense") as events:
        events.until(jmap.account, *MAIL_TYPES, "EmailDelivery")


def test_changes_of_other_accounts_are_not_told(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    with Events(server, basic(BOB)) as events:
        events.block()
        append(imap, letter("Not for Bob"))
        deliver(server, BOB)
        told = events.next()
        assert told is not None
        assert jmap.account not in told.data["changed"]


def test_a_login_for_some_folders_hears_of_those_alone(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    imap.create("Open")
    made = server.perform("token.add", address=ADA, name="Some", folders=["Open"])
    with Events(server, {"Authorization": f"Bearer {made['secret']}"}) as events:
        events.block()
        append(imap, letter("Hidden"))
        imap.create("Hidden")
        with Events(server, basic()) as every:
            imap.create("Closed")
            every.until(jmap.account, "Mailbox")
        append(imap, letter("Seen"), "Open")
        told = events.next()
        assert told is not None
        state = int(told.data["changed"][jmap.account]["Email"])
        assert state == int(jmap.call("Email/get", ids=[])["state"])
        imap.rename("Open", "Opened")
        events.until(jmap.account, "Mailbox")


ENDS: list[tuple[str, Callable[[ServerProcess, int], object]]] = [
    ("revoked", lambda server, id_: server.perform("token.revoke", address=BOB, id=id_)),
    ("disabled", lambda server, _: server.perform("account.disable", address=BOB)),
]


@pytest.mark.parametrize("end", [pytest.param(one, id=name) for name, one in ENDS])
def test_a_stream_ends_with_its_login(
    server: ServerProcess, end: Callable[[ServerProcess, int], object]
) -> None:
    made = server.perform("token.add", address=BOB, name="Stream")
    try:
        with Events(server, {"Authorization": f"Bearer {made['secret']}"}) as events:
            assert events.block() is not None
            end(server, made["id"])
            assert events.next(10) is None
    finally:
        server.perform("account.enable", address=BOB)


def test_a_stream_ends_when_the_time_of_its_login_is_over(server: ServerProcess) -> None:
    made = server.perform("token.add", address=BOB, name="Short", expires=time.time() + 3)
    with Events(server, {"Authorization": f"Bearer {made['secret']}"}) as events:
        assert events.block() is not None
        assert events.next(13) is None


OWN = {"Sec-Fetch-Site": "same-origin"}


def test_a_browser_comes_with_the_cookie_of_its_session(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    browser = logged_in(server, ADA)
    cookie = {"Cookie": f"session={browser.cookies['session']}"}
    with Events(server, {**cookie, **OWN}) as events:
        assert events.status == 200 and events.block() is not None
        append(imap, letter("For the browser"))
        assert events.until(jmap.account, "Email")
        browser.submit(browser.get("/logout"))
        assert events.next(10) is None
    with Events(server, {**cookie, **OWN}) as events:
        assert events.status == 401


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="other-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="other-host"),
        pytest.param({"Origin": "https://evil.test"}, id="origin"),
        pytest.param({"Origin": "null", **OWN}, id="origin-null"),
    ],
)
def test_a_cookie_counts_from_pages_of_the_server_alone(
    server: ServerProcess, fields: dict[str, str]
) -> None:
    cookie = {"Cookie": f"session={logged_in(server, BOB).cookies['session']}"}
    with Events(server, {**cookie, **fields}) as events:
        assert events.status == 403


def test_a_cookie_is_no_login_for_requests(server: ServerProcess) -> None:
    cookie = {"Cookie": f"session={logged_in(server, BOB).cookies['session']}", **OWN}
    assert ask(server, "GET", "/jmap/session", None, cookie).status == 401


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("types=*&closeafter=no", id="no-ping"),
        pytest.param("types=*&closeafter=often&ping=0", id="closeafter"),
        pytest.param("types=*&closeafter=no&ping=-1", id="negative"),
        pytest.param("closeafter=no&ping=0", id="no-types"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(server: ServerProcess, query: str) -> None:
    assert ask(server, "GET", f"/jmap/events?{query}", None, basic()).status == 400
    assert ask(server, "GET", f"/jmap/events?{query}", None).status == 401


def test_the_server_does_not_wait_for_streams(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("stop")
    with ServerProcess(folder) as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        streams = [Events(running, basic(), ping=30) for _ in range(20)]
        for one in streams:
            assert one.block() is not None
        begun = time.monotonic()
        running.stop()
        assert time.monotonic() - begun < 10
        assert [one.next() for one in streams] == [None] * 20
        for one in streams:
            one.close()


def test_changes_of_books_that_others_share_are_told(server: ServerProcess) -> None:
    owner, reader = "share-owner@example.test", "share-reader@example.test"
    for address in (owner, reader):
        server.perform("account.add", address=address, password=PASSWORD)
    theirs = Jmap(server, basic(owner))
    team = theirs.call("AddressBook/set", create={"t": {"name": "Team"}})["created"]["t"]["id"]

    def state(name: str) -> str:
        asked = [name, {"accountId": theirs.account, "ids": []}, "c"]
        ((_, answer, _),) = Jmap(server, basic(reader)).request(asked).body["methodResponses"]
        return str(answer["state"])

    with Events(server, basic(reader)) as events:
        assert events.block() is not None
        share(theirs, team, reader)
        states = events.until(theirs.account, "AddressBook", "ContactCard")
        assert states["AddressBook"] == state("AddressBook/get")
        card = {"addressBookIds": {team: True}, "name": {"full": "New"}}
        theirs.call("ContactCard/set", create={"c": card})
        states = events.until(theirs.account, "ContactCard")
        assert states["ContactCard"] == state("ContactCard/get")
        last = events.id
    with Events(server, basic(reader), close_after="state") as events:
        assert events.block() is not None
        theirs.call("ContactCard/set", create={"c": card})
        told = events.next()
        assert told is not None and told.data["changed"].keys() == {theirs.account}
    with Events(server, basic(reader), last=last) as events:
        events.until(theirs.account, "ContactCard")
    theirs.call("AddressBook/set", destroy=[team], onDestroyRemoveContents=True)


def share(owner: Jmap, book: str, reader: str) -> None:
    (them,) = owner.call("Principal/query", filter={"email": reader})["ids"]
    rights = {"mayRead": True, "mayWrite": False, "mayShare": False, "mayDelete": False}
    done = owner.call("AddressBook/set", update={book: {"shareWith": {them: rights}}})
    assert done["updated"] == {book: None}
