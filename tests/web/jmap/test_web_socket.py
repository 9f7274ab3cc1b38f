"""JMAP over WebSocket: requests at once, pushed changes, and who is refused (RFC 8887)."""

import contextlib
import imaplib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.browser import logged_in
from tests.support.jmap import ADA, BOB, CORE, MAIL, Jmap, append, basic, letter
from tests.support.server import PASSWORD, ServerProcess, configuration, until


@contextlib.contextmanager
def socket(
    server: ServerProcess, headers: dict[str, str], protocol: str | None = "jmap", **more: Any
) -> Iterator[ClientConnection]:
    protocols: Any = None if protocol is None else [protocol]
    url = f"ws://127.0.0.1:{server.port('http')}/jmap/ws"
    with connect(
        url, subprotocols=protocols, additional_headers=headers, compression=None, **more
    ) as ws:
        yield ws


def ask(ws: ClientConnection, value: object) -> Any:
    ws.send(value if isinstance(value, str) else json.dumps(value))
    return json.loads(ws.recv(20))


def request(id_: str, *calls: list[Any]) -> dict[str, Any]:
    return {"@type": "Request", "id": id_, "using": [CORE, MAIL], "methodCalls": calls}


def pushed(ws: ClientConnection, account: str, *types: str) -> tuple[dict[str, str], str]:
    """States as soon as all of these types were told, and the pushState."""
    states: dict[str, str] = {}
    last = ""
    while not states.keys() >= set(types):
        told = json.loads(ws.recv(20))
        assert told["@type"] == "StateChange"
        states |= told["changed"][account]
        last = told["pushState"]
    return states, last


def test_the_session_says_where_it_is(server: ServerProcess, jmap: Jmap) -> None:
    told = jmap.session["capabilities"]["urn:ietf:params:jmap:websocket"]
    assert told == {"url": f"ws://127.0.0.1:{server.port('http')}/jmap/ws", "supportsPush": True}


def test_requests_are_answered_by_their_ids(server: ServerProcess, jmap: Jmap) -> None:
    with socket(server, basic()) as ws:
        assert ws.subprotocol == "jmap"
        many = [request(f"r{n}", ["Core/echo", {"n": n}, "c"]) for n in range(40)]
        for one in many:
            ws.send(json.dumps(one))
        answers = [json.loads(ws.recv(20)) for _ in many]
        assert {one["requestId"]: one["methodResponses"][0][1]["n"] for one in answers} == {
            f"r{n}": n for n in range(40)
        }
        assert all(one["@type"] == "Response" and one["sessionState"] for one in answers)
        asked = request("boxes", ["Mailbox/get", {"accountId": jmap.account}, "m"])
        asked["using"] = list(jmap.session["capabilities"])
        over_http = jmap.call("Mailbox/get")
        assert ask(ws, asked)["methodResponses"] == [["Mailbox/get", over_http, "m"]]
        del asked["id"]
        assert "requestId" not in ask(ws, asked)


@pytest.mark.parametrize(
    ("sent", "kind", "id_"),
    [
        pytest.param("{", "notJSON", None, id="not-json"),
        pytest.param('{"@type":"Nothing","id":"x"}', "notRequest", "x", id="type"),
        pytest.param("[]", "notRequest", None, id="array"),
        pytest.param('{"@type":"Request","id":"y","using":[]}', "notRequest", "y", id="no-calls"),
        pytest.param(
            '{"@type":"Request","id":"z","using":["urn:no"],"methodCalls":[]}',
            *("unknownCapability", "z"),
            id="capability",
        ),
        pytest.param(
            '{"@type":"WebSocketPushEnable","dataTypes":"Email"}', "notRequest", None, id="types"
        ),
    ],
)
def test_what_is_no_request_is_refused_and_the_next_is_not(
    server: ServerProcess, sent: str, kind: str, id_: str | None
) -> None:
    with socket(server, basic()) as ws:
        told = ask(ws, sent)
        assert told["@type"] == "RequestError"
        assert told["type"] == f"urn:ietf:params:jmap:error:{kind}"
        assert (told["requestId"], told["status"]) == (id_, 400)
        assert ask(ws, request("after"))["requestId"] == "after"


def test_changes_are_pushed_once_they_are_wanted(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    with socket(server, basic()) as ws:
        append(imap, letter("Before"))
        assert ask(ws, request("a"))["requestId"] == "a"
        ws.send(json.dumps({"@type": "WebSocketPushEnable", "dataTypes": ["Email"]}))
        assert ask(ws, request("b"))["requestId"] == "b"
        append(imap, letter("Pushed"))
        states, last = pushed(ws, jmap.account, "Email")
        assert states == {"Email": jmap.call("Email/get", ids=[])["state"]}
        ws.send(json.dumps({"@type": "WebSocketPushDisable"}))
        append(imap, letter("Not pushed"))
        assert ask(ws, request("c"))["requestId"] == "c"
    with socket(server, basic()) as ws:
        again = {"@type": "WebSocketPushEnable", "dataTypes": None, "pushState": last}
        ws.send(json.dumps(again))
        states, _ = pushed(ws, jmap.account, "Email", "Mailbox", "Thread")
        assert states["Email"] == jmap.call("Email/get", ids=[])["state"]


@pytest.mark.parametrize(
    ("headers", "protocol", "more", "status"),
    [
        pytest.param({}, "jmap", {}, 401, id="no-login"),
        pytest.param(basic(ADA, "wrong"), "jmap", {}, 401, id="wrong-password"),
        pytest.param(basic(), None, {}, 400, id="no-subprotocol"),
        pytest.param(basic(), "chat", {}, 400, id="other-subprotocol"),
        pytest.param(basic(), "jmap", {"origin": "https://evil.test"}, 403, id="origin"),
        pytest.param(basic(), "jmap", {"origin": "null"}, 403, id="origin-null"),
        pytest.param({**basic(), "X-Forwarded-For": "192.0.2.7"}, "jmap", {}, 403, id="no-tls"),
    ],
)
def test_who_may_not_is_refused_before_the_handshake(
    server: ServerProcess,
    headers: dict[str, str],
    protocol: str | None,
    more: dict[str, Any],
    status: int,
) -> None:
    with pytest.raises(InvalidStatus) as found, socket(server, headers, protocol, **more):
        pass
    assert found.value.response.status_code == status


def test_pages_of_the_server_itself_may(server: ServerProcess) -> None:
    origin = f"http://127.0.0.1:{server.port('http')}"
    with socket(server, basic(), origin=origin) as ws:
        assert ask(ws, request("own"))["requestId"] == "own"


def test_a_page_of_the_server_comes_with_the_cookie_of_a_session(
    server: ServerProcess, jmap: Jmap
) -> None:
    browser = logged_in(server, ADA)
    cookie = {"Cookie": f"session={browser.cookies['session']}"}
    origin = f"http://127.0.0.1:{server.port('http')}"
    with socket(server, cookie, origin=origin) as ws:
        asked = request("own", ["Mailbox/get", {"accountId": jmap.account, "ids": []}, "m"])
        assert ask(ws, asked)["methodResponses"][0][0] == "Mailbox/get"
        browser.submit(browser.get("/logout"))
        with pytest.raises(ConnectionClosed):
            ws.recv(10)
    for more in ({"origin": "https://evil.test"}, {}):
        with pytest.raises(InvalidStatus) as found, socket(server, cookie, **more):
            pass
        assert found.value.response.status_code == 403


def test_other_paths_are_not_there(server: ServerProcess) -> None:
    url = f"ws://127.0.0.1:{server.port('http')}/jmap/api"
    with pytest.raises(InvalidStatus) as found, connect(url, additional_headers=basic()):
        pass
    assert found.value.response.status_code == 404


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"{}", 1003, id="binary"),
        pytest.param(" " * (10 * 1024 * 1024 + 1), 1009, id="too-large"),
    ],
)
def test_what_is_no_text_or_too_large_ends_the_connection(
    server: ServerProcess, sent: str | bytes, code: int
) -> None:
    with socket(server, basic()) as ws:
        with pytest.raises(ConnectionClosed) as found:
            ws.send(sent)
            ws.recv(20)
        if code != 1009:  # that may be lost: the rest of the message is never read
            assert found.value.rcvd is not None and found.value.rcvd.code == code
        assert found.value.rcvd is None or found.value.rcvd.code == code


def test_it_ends_with_its_login_and_is_counted_no_more(server: ServerProcess) -> None:
    for _ in range(3):
        made = server.perform("token.add", address=BOB, name="Socket")
        with socket(server, {"Authorization": f"Bearer {made['secret']}"}) as ws:
            assert ask(ws, request("a"))["requestId"] == "a"
            server.perform("token.revoke", address=BOB, id=made["id"])
            with pytest.raises(ConnectionClosed) as found:
                ws.recv(10)
            assert found.value.rcvd is not None and found.value.rcvd.code == 1001


LIMITED = """
[limits]
connections_per_address = 3
connections_per_account = 2
[filters]
local_networks = []
"""


def test_connections_are_counted_and_given_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("counted")
    with ServerProcess(folder, configuration(extra=LIMITED)) as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        for _ in range(4):
            with socket(running, basic()), socket(running, basic()):
                with pytest.raises(InvalidStatus) as found, socket(running, basic()):
                    pass
                assert found.value.response.status_code == 429

            def opens() -> bool:
                try:
                    with socket(running, basic()) as ws:
                        return bool(ask(ws, request("a")))
                except (InvalidStatus, ConnectionError):
                    return False

            until(opens)


def test_the_server_does_not_wait_for_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("stop")
    with ServerProcess(folder) as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        with socket(running, basic()) as ws:
            assert ask(ws, request("a"))["requestId"] == "a"
            running.signal(15)
            with pytest.raises(ConnectionClosed) as found:
                ws.recv(10)
            assert found.value.rcvd is not None and found.value.rcvd.code == 1001
        assert running.wait(10) == 0
