"""Requests that were written to hurt: each gets a clear answer, and the server goes on."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.http_api import ask, post
from tests.support.jmap import ADA, BOB, CORE, Jmap, basic
from tests.support.rest import Rest
from tests.support.server import PASSWORD, ServerProcess, configuration

ERROR = "urn:ietf:params:jmap:error:"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("hostile"), configuration()) as running:
        for address in (ADA, BOB):
            running.perform("account.add", address=address, password=PASSWORD)
        yield running


@pytest.fixture(scope="module")
def jmap(server: ServerProcess) -> Jmap:
    return Jmap(server, basic())


@pytest.fixture(autouse=True)
def alive(server: ServerProcess) -> Iterator[None]:
    """Whatever was asked, the next request of another is answered."""
    yield
    assert ask(server, "GET", "/healthz", None).body == {"status": "ok"}
    assert not [line for line in server.log if '"level":"error"' in line or "Traceback" in line]


def _request(server: ServerProcess, body: object) -> Any:
    return ask(server, "POST", "/jmap/api", body, basic())


def test_ten_thousand_calls_are_refused_as_one(server: ServerProcess) -> None:
    calls = [["Core/echo", {"n": n}, str(n)] for n in range(10_000)]
    found = _request(server, {"using": [CORE], "methodCalls": calls})
    assert (found.status, found.body["type"]) == (400, f"{ERROR}limit")
    assert found.body["limit"] == "maxCallsInRequest"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 200_000 + b"]" * 200_000, id="arrays"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="objects"),
        pytest.param(b'{"using":' + b"[" * 5_000 + b"]" * 5_000 + b"}", id="inside"),
        pytest.param(b"\xff\xfe{}", id="octets"),
        pytest.param(b'{"using":["\\ud800"],"methodCalls":[]}', id="surrogate"),
        pytest.param(b'{"using":[],"methodCalls":[],"methodCalls":[[]]}', id="twice"),
        pytest.param(b'{"n":' + b"9" * 1_000_000 + b"}", id="number"),
    ],
)
def test_json_that_is_deep_or_none(server: ServerProcess, body: bytes) -> None:
    found = _request(server, body)
    assert (found.status, found.kind) == (400, "application/problem+json")
    assert found.body["type"] in (f"{ERROR}notJSON", f"{ERROR}notRequest")
    rest = ask(server, "POST", "/api/v1/login", body)
    assert 400 <= rest.status < 500 and rest.kind == "application/problem+json"


def test_references_in_a_circle_lead_nowhere(jmap: Jmap) -> None:
    create = {
        "a": {"name": "A", "parentId": "#b"},
        "b": {"name": "B", "parentId": "#c"},
        "c": {"name": "C", "parentId": "#a"},
        "d": {"name": "D", "parentId": "#d"},
    }
    done = jmap.call("Mailbox/set", create=create)
    assert set(done["notCreated"]) == set(create) and done["created"] is None
    own = {"resultOf": "0", "name": "Core/echo", "path": "/x"}
    later = {"resultOf": "1", "name": "Core/echo", "path": "/x"}
    found = jmap.request(["Core/echo", {"#x": own}, "0"], ["Core/echo", {"#x": later}, "1"])
    assert [arguments["type"] for _, arguments, _ in found.body["methodResponses"]] == [
        "invalidResultReference"
    ] * 2


def test_a_reference_that_doubles_itself_is_bounded(jmap: Jmap) -> None:
    """Each call repeats what the last one gave twice: 2 to the power of 60 in the end."""
    calls: list[list[Any]] = [["Core/echo", {"x": ["a" * 1000], "y": ["a" * 1000]}, "0"]]
    for n in range(1, 60):
        before = {"resultOf": str(n - 1), "name": "Core/echo", "path": ""}
        calls.append(["Core/echo", {"#x": before, "#y": before}, str(n)])
    found = jmap.request(*calls)
    assert found.status == 200
    told = found.body["methodResponses"]
    assert told[-1][0] == "error" and len(json.dumps(told)) < 50_000_000


@pytest.mark.parametrize(
    "name",
    ["a%0d%0aX-Injected:%201", "..%2f..%2f..%2fetc%2fpasswd", "%00", "a%22%3b%20filename=%22b.exe"],
    ids=["line", "up", "nul", "quote"],
)
def test_names_of_downloads_add_no_field_and_lead_nowhere(
    server: ServerProcess, jmap: Jmap, name: str
) -> None:
    uploaded = ask(
        server,
        "POST",
        f"/jmap/upload/{jmap.account}/",
        b"<script>alert(1)</script>",
        {**basic(), "Content-Type": "text/html"},
    )
    kind = "text/html%0d%0aX-Injected:%201"
    path = f"/jmap/download/{jmap.account}/{uploaded.body['blobId']}/{name}?type={kind}"
    found = ask(server, "GET", path, None, basic())
    assert found.status in (200, 400, 404)
    assert "x-injected" not in found.fields
    if found.status == 200:
        assert found.fields["x-content-type-options"] == "nosniff"
        assert found.fields["content-disposition"].startswith("attachment")
        assert "sandbox" in found.fields["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/..%2f..%2fetc/passwd",
        "/.well-known/../../etc/passwd",
        "//etc/passwd",
        "/api/v1/../../healthz",
        "/dav/..%2f..%2f",
        "/mail/..%2fconfig.db",
        "/d/..%2f..%2fconfig.db/x",
        "/" + "a" * 8_000,
    ],
    ids=["up", "dots", "double", "rest", "dav", "mail", "drive", "long"],
)
def test_paths_lead_to_no_file(server: ServerProcess, path: str) -> None:
    found = ask(server, "GET", path, None, basic())
    assert found.status in (301, 302, 307, 400, 401, 404, 405, 414, 431), found
    assert b"root:" not in json.dumps(found.body).encode()


def test_a_page_elsewhere_cannot_use_a_session(server: ServerProcess) -> None:
    """A form of another site brings the cookie, but neither a header of its own nor JSON."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        fields = {"Content-Type": kind, "Origin": "https://evil.test"}
        body = json.dumps({"username": ADA, "password": PASSWORD}).encode()
        found = ask(server, "POST", "/api/v1/login", body, fields)
        assert found.status == 415, kind
        found = ask(server, "POST", "/jmap/api", b"{}", {**fields, **basic()})
        assert found.status == 400, kind
    asked = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    found = ask(server, "OPTIONS", "/api/v1/tags", None, asked)
    assert "access-control-allow-origin" not in found.fields
    token = post(server, "/api/v1/login", {"username": ADA, "password": PASSWORD}).body
    cookie = {"Cookie": f"__Host-session={token['access_token']}; session={token['access_token']}"}
    found = ask(server, "POST", "/api/v1/images", {"urls": ["https://x.test/"]}, cookie)
    assert found.status in (401, 403)


def test_ids_of_others_are_not_there(server: ServerProcess, jmap: Jmap) -> None:
    uploaded = ask(
        server,
        "POST",
        f"/jmap/upload/{jmap.account}/",
        b"ada's own",
        {**basic(), "Content-Type": "text/plain"},
    )
    blob, bob = uploaded.body["blobId"], Jmap(server, basic(BOB))
    path = f"/jmap/download/{bob.account}/{blob}/x?type=text/plain"
    assert ask(server, "GET", path, None, basic(BOB)).status == 404
    path = f"/jmap/download/{jmap.account}/{blob}/x?type=text/plain"
    assert ask(server, "GET", path, None, basic(BOB)).status == 404
    for kind in ("Email", "Mailbox", "Identity", "EmailSubmission", "ContactCard", "AddressBook"):
        own = jmap.call(f"{kind}/get", ids=None)
        ids = [one["id"] for one in own.get("list", [])][:5] or ["x1"]
        assert bob.call(f"{kind}/get", ids=ids, accountId=jmap.account) == {
            "error": "accountNotFound"
        }, kind
    tags = Rest(server, BOB).get("/tags")
    assert tags["items"] == []


def test_a_head_without_end_and_fields_without_number_are_cut_off(server: ServerProcess) -> None:
    for filler in (b"X-A: " + b"a" * 500_000, b"X-A: a\r\n" * 50_000):
        with socket.create_connection(("127.0.0.1", server.port("http")), 20) as peer:
            peer.settimeout(20)
            try:
                peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + filler)
                answer = peer.recv(4096)
            except ConnectionError:
                answer = b""
            assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))


def test_two_lengths_are_not_two_requests(server: ServerProcess) -> None:
    smuggled = b"GET /jmap/session HTTP/1.1\r\nHost: a\r\n\r\n"
    heads = (
        b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(smuggled),
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(smuggled),
        b"Transfer-Encoding: xchunked\r\n",
    )
    for fields in heads:
        with socket.create_connection(("127.0.0.1", server.port("http")), 20) as peer:
            peer.settimeout(20)
            head = b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            peer.sendall(head + fields + b"\r\n" + smuggled)
            response = http.client.HTTPResponse(peer)
            response.begin()
            assert response.status >= 400, fields
