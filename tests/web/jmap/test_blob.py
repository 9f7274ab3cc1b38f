"""Uploads, downloads and the methods of blobs, over real connections (RFC 8620 §6, RFC 9404)."""

import asyncio
import base64
import contextlib
import hashlib
import http.client
import imaplib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.http_api import Answer, ask
from tests.support.jmap import ADA, BOB, Jmap, append, basic, letter
from tests.support.server import ServerProcess
from web import paced_body
from web.json_body import BadBody

TEXT = b"the quick brown fox jumps over the lazy dog"


def upload(
    server: ServerProcess, jmap: Jmap, data: bytes, kind: str = "text/plain", user: str = ADA
) -> Answer:
    path = "/" + jmap.session["uploadUrl"].partition("//")[2].partition("/")[2]
    path = path.replace("{accountId}", jmap.account)
    return ask(server, "POST", path, data, {"Content-Type": kind} | basic(user))


def fetched(server: ServerProcess, jmap: Jmap, blob: str, user: str = ADA) -> tuple[int, bytes]:
    path = f"/jmap/download/{jmap.account}/{blob}/a.txt?type=text/plain"
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    try:
        connection.request("GET", path, headers=basic(user))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def bob(server: ServerProcess) -> Jmap:
    return Jmap(server, basic(BOB))


def test_what_goes_up_comes_down(server: ServerProcess, jmap: Jmap, bob: Jmap) -> None:
    found = upload(server, jmap, TEXT, "text/plain; charset=utf-8")
    assert found.status == 201 and found.body == {
        "accountId": jmap.account,
        "blobId": "S" + hashlib.sha256(TEXT).hexdigest(),
        "type": "text/plain; charset=utf-8",
        "size": len(TEXT),
    }
    id_ = found.body["blobId"]
    assert fetched(server, jmap, id_) == (200, TEXT)
    assert upload(server, jmap, b"").body["size"] == 0
    large = bytes(range(256)) * 12_000
    id_large = upload(server, jmap, large).body["blobId"]
    assert fetched(server, jmap, id_large) == (200, large)
    # who knows the hash of another account's octets has nothing by it
    assert fetched(server, bob, id_, BOB)[0] == 404
    assert fetched(server, jmap, id_, BOB)[0] == 404
    assert upload(server, jmap, TEXT, user=BOB).status == 404
    again = upload(server, bob, TEXT, "text/plain; charset=utf-8", BOB)
    assert again.status == 201
    assert again.body == found.body | {"accountId": bob.account}
    assert fetched(server, bob, id_, BOB) == (200, TEXT)
    assert fetched(server, jmap, "S" + "0" * 64)[0] == 404


def test_a_client_that_has_some_of_it(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4
) -> None:
    mail = jmap.get("Email", append(imap, letter("in ranges")), "blobId")["blobId"]
    for id_ in (upload(server, jmap, TEXT).body["blobId"], mail):
        whole = fetched(server, jmap, id_)[1]

        def asked(id_: str = id_, **headers: str) -> tuple[int, str | None, bytes]:
            path = f"/jmap/download/{jmap.account}/{id_}/a.txt"
            connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers=basic() | named)
            response = connection.getresponse()
            found = response.status, response.getheader("Content-Range"), response.read()
            assert response.status == 416 or response.getheader("ETag") == f'"{id_}"'
            connection.close()
            return found

        size = len(whole)
        assert asked(If_None_Match=f'"x", "{id_}"') == (304, None, b"")
        assert asked(If_None_Match='"x"') == (200, None, whole)
        assert asked(Range="bytes=4-8") == (206, f"bytes 4-8/{size}", whole[4:9])
        assert asked(Range="bytes=-3") == (206, f"bytes {size - 3}-{size - 1}/{size}", whole[-3:])
        assert asked(Range="bytes=4-8", If_Range='"x"') == (200, None, whole)
        assert asked(Range="bytes=0-1,4-8") == (200, None, whole)
        assert asked(Range=f"bytes={size}-")[:2] == (416, f"bytes */{size}")


def rest(peer: socket.socket) -> bytes:
    """What comes until the peer closes, or resets."""
    told = b""
    try:
        while piece := peer.recv(65536):
            told += piece
    except ConnectionResetError:
        pass
    return told


def test_an_upload_is_bounded(server: ServerProcess, jmap: Jmap) -> None:
    core = jmap.session["capabilities"]["urn:ietf:params:jmap:core"]
    most = core["maxSizeUpload"]
    path = f"/jmap/upload/{jmap.account}/"
    fields = "".join(f"{name}: {value}\r\n" for name, value in basic().items())
    with socket.create_connection(("127.0.0.1", server.port("http")), 20) as peer:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {most + 1}\r\n\r\n"
        peer.sendall(head.encode() + b"x")
        told = rest(peer)
        assert told.startswith(b"HTTP/1.1 413") and b"maxSizeUpload" in told
    with socket.create_connection(("127.0.0.1", server.port("http")), 20) as peer:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{fields}Transfer-Encoding: chunked\r\n\r\n"
        peer.sendall(head.encode())
        piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        try:
            for _ in range(most // (1 << 20) + 2):
                peer.sendall(piece)
        except OSError:
            pass  # it was answered and closed
        told = rest(peer)
        assert told.startswith(b"HTTP/1.1 413") and b"maxSizeUpload" in told
    assert not list((server.data / "blobs/tmp").iterdir())


def test_uploads_without_a_login(server: ServerProcess, jmap: Jmap) -> None:
    assert ask(server, "POST", f"/jmap/upload/{jmap.account}/", TEXT).status == 401


def created(jmap: Jmap, *data: dict[str, Any], kind: str | None = None) -> Any:
    found = jmap.call("Blob/upload", create={"b": {"data": list(data), "type": kind}})
    return (found["created"] or {}).get("b") or found["notCreated"]["b"]


def test_blobs_of_pieces(server: ServerProcess, jmap: Jmap) -> None:
    first = created(jmap, {"data:asText": "Grüße"}, kind="text/plain")
    assert first["size"] == 7 and first["type"] == "text/plain"
    joined = created(
        jmap,
        {"data:asBase64": base64.b64encode(b"\x00\xff").decode()},
        {"blobId": first["id"], "offset": 2, "length": 2},
        {"data:asText": "!"},
    )
    assert fetched(server, jmap, joined["id"]) == (200, b"\x00\xff" + "Grüße".encode()[2:4] + b"!")
    nulls = {"data:asText": None, "offset": None, "length": None}
    assert created(jmap, {**nulls, "blobId": first["id"]})["id"] == first["id"]
    refused: list[list[dict[str, Any]]] = [
        [{"data:asText": "a", "data:asBase64": "YQ=="}],
        [{"data:asBase64": "no base64!"}],
        [{"blobId": first["id"], "offset": 5, "length": 9}],
        [{"blobId": first["id"], "offset": -1}],
        [{"data:asText": "a", "offset": 1}],
        [{}],
    ]
    for bad in refused:
        assert created(jmap, *bad)["type"] == "invalidProperties", bad
    assert created(jmap, {"blobId": "S" + "0" * 64}) == {
        "type": "blobNotFound",
        "description": "there is no such blob",
        "notFound": ["S" + "0" * 64],
    }
    assert created(jmap, *[{"data:asText": "a"}] * 65)["type"] == "tooLarge"


def test_creation_ids_of_blobs(jmap: Jmap) -> None:
    account = {"accountId": jmap.account}
    found = jmap.request(
        ["Blob/upload", {**account, "create": {"one": {"data": [{"data:asText": "a b"}]}}}, "0"],
        [
            "Blob/upload",
            {**account, "create": {"two": {"data": [{"blobId": "#one"}, {"data:asText": "c"}]}}},
            "1",
        ],
        ["Blob/get", {**account, "ids": ["#two"], "properties": ["data:asText", "size"]}, "2"],
    )
    told = found.body["methodResponses"][2][1]["list"][0]
    assert (told["data:asText"], told["size"]) == ("a bc", 4)


def test_blobs_as_values(server: ServerProcess, jmap: Jmap) -> None:
    id_ = upload(server, jmap, TEXT).body["blobId"]
    found = jmap.call("Blob/get", ids=[id_, "Snothing"])
    assert found["notFound"] == ["Snothing"]
    assert found["list"] == [{"id": id_, "data:asText": TEXT.decode(), "size": len(TEXT)}]
    asked = ["data:asText", "digest:sha", "digest:sha-256"]
    (one,) = jmap.call("Blob/get", ids=[id_], properties=asked, offset=4, length=9)["list"]
    digest = base64.b64encode(hashlib.sha1(b"quick bro").digest()).decode()
    assert (one["data:asText"], one["digest:sha"]) == ("quick bro", digest)
    assert "isTruncated" not in one and "size" not in one
    (one,) = jmap.call("Blob/get", ids=[id_], properties=["data:asText"], offset=40, length=9)[
        "list"
    ]
    assert (one["data:asText"], one["isTruncated"]) == ("dog", True)
    binary = upload(server, jmap, b"\xff\x00").body["blobId"]
    (one,) = jmap.call("Blob/get", ids=[binary])["list"]
    assert one == {"id": binary, "data:asBase64": "/wA=", "size": 2, "isEncodingProblem": True}
    (one,) = jmap.call("Blob/get", ids=[binary], properties=["data:asText"])["list"]
    assert one["data:asText"] is None and one["isEncodingProblem"]
    assert jmap.call("Blob/get", ids=[id_], properties=["digest:md6"])["error"] == (
        "invalidArguments"
    )


def test_where_a_blob_is_used(server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4) -> None:
    id_ = append(imap, letter("looked up"))
    email = jmap.get("Email", id_, "blobId", "threadId", "mailboxIds", "attachments")
    part = email["attachments"][0]["blobId"]
    free = upload(server, jmap, TEXT).body["blobId"]
    asked = {"typeNames": ["Email", "Thread", "Mailbox"], "ids": [email["blobId"], part, free, "x"]}
    found = jmap.call("Blob/lookup", **asked)
    uses = {
        "Email": [id_],
        "Thread": [email["threadId"]],
        "Mailbox": list(email["mailboxIds"]),
    }
    nothing: dict[str, list[str]] = {"Email": [], "Thread": [], "Mailbox": []}
    assert [one["matchedIds"] for one in found["list"]] == [uses, uses, nothing]
    assert found["notFound"] == ["x"]
    assert jmap.call("Blob/lookup", typeNames=["Foo"], ids=[])["error"] == "unknownDataType"
    call = ["Blob/lookup", {"accountId": jmap.account, **asked}, "0"]
    using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:blob"]
    answer = ask(server, "POST", "/jmap/api", {"using": using, "methodCalls": [call]}, basic())
    assert answer.body["methodResponses"][0][1]["type"] == "unknownDataType"


def test_copies_between_accounts(
    server: ServerProcess, jmap: Jmap, bob: Jmap, imap: imaplib.IMAP4
) -> None:
    asked = {"accountId": jmap.account, "blobIds": ["x"]}
    found = jmap.call("Blob/copy", fromAccountId=bob.account, **asked)
    assert found == {"error": "fromAccountNotFound"}
    found = jmap.call("Blob/copy", fromAccountId=jmap.account, **asked)
    assert found["copied"] is None and found["notCopied"] == {"x": {"type": "notFound"}}
    letter_id = jmap.get("Email", append(imap, letter("copied")), "blobId")["blobId"]
    free = upload(server, jmap, TEXT).body["blobId"]
    asked = {"fromAccountId": jmap.account, "blobIds": [letter_id, free]}
    found = jmap.call("Blob/copy", **asked)
    assert found["notCopied"] is None and found["copied"].keys() == {letter_id, free}
    assert found["copied"][free] == free
    assert fetched(server, jmap, found["copied"][letter_id]) == fetched(server, jmap, letter_id)


async def test_a_body_that_comes_too_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced_body, "IDLE", 0.2)
    stalled = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield b"x"
        await stalled.wait()

    async def trickles() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"

    async def comes() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(0.1)
            yield bytes(1 << 14)

    for slow in (stalls, trickles):
        with pytest.raises(BadBody) as caught:
            async for _ in paced_body.paced(slow()):
                pass
        assert caught.value.status == 408
    assert len([piece async for piece in paced_body.paced(comes())]) == 5


def test_uploads_at_once_are_bounded(server: ServerProcess, jmap: Jmap) -> None:
    fields = "".join(f"{name}: {value}\r\n" for name, value in basic().items())
    head = f"POST /jmap/upload/{jmap.account}/ HTTP/1.1\r\nHost: x\r\n{fields}"
    most = jmap.session["capabilities"]["urn:ietf:params:jmap:core"]["maxConcurrentUpload"]
    address = "127.0.0.1", server.port("http")
    with contextlib.ExitStack() as opened:
        for _ in range(most):
            peer = opened.enter_context(socket.create_connection(address, 30))
            peer.sendall(f"{head}Content-Length: 10\r\n\r\nhalf".encode())
        found = upload(server, jmap, TEXT)
        assert found.status == 400
        assert found.body["type"] == "urn:ietf:params:jmap:error:limit"
        assert found.body["limit"] == "maxConcurrentUpload"
        assert upload(server, Jmap(server, basic(BOB)), TEXT, user=BOB).status == 201


def test_who_may_put_something_here(server: ServerProcess, jmap: Jmap) -> None:
    def put(**terms: Any) -> tuple[int, Jmap]:
        made = server.perform("token.add", address=ADA, protocols=["jmap"], **terms)
        headers = {"Authorization": f"Bearer {made['secret']}"}
        client = Jmap(server, headers)
        path = f"/jmap/upload/{client.account}/"
        return ask(server, "POST", path, TEXT, headers).status, client

    status, reader = put(name="reads", read_only=True)
    assert status == 403
    assert reader.call("Blob/upload", create={})["error"] == "accountReadOnly"
    assert reader.call("Email/import", emails={})["error"] == "accountReadOnly"
    assert reader.call("Email/set", create={"e": {}})["error"] == "accountReadOnly"
    status, some = put(name="some folders", folders=["Drafts"])
    assert status == 201
    boxes = {one["role"]: one["id"] for one in jmap.call("Mailbox/get", ids=None)["list"]}
    made = {role: {"mailboxIds": {boxes[role]: True}} for role in ("inbox", "drafts")}
    found = some.call("Email/set", create=made)
    assert set(found["created"]) == {"drafts"}
    assert found["notCreated"]["inbox"]["type"] == "invalidProperties"
    status, agent = put(name="an agent", agent=True, rate=100)
    assert status == 201
    found = agent.call("Email/set", create=made)
    assert set(found["created"]) == {"drafts"}
    assert found["notCreated"]["inbox"]["type"] == "forbidden"
