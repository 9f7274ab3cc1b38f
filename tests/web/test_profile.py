"""/createProfile and the profile's photo, over real connections."""

import json
import struct
import zlib
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.support.http_api import Answer, ask
from tests.support.jmap import ADA, BOB, Jmap, basic
from tests.support.sending_site import sending_site
from tests.support.server import ServerProcess

PROFILE, PHOTO = "/api/v1/profile", "/api/v1/profile/photo"


def png(width: int = 2, height: int = 2) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\1\2\3" * 2 for _ in range(2)))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with sending_site(tmp_path_factory.mktemp("profile"), request.param, ADA, BOB) as (found, _):
        yield found


def token(server: ServerProcess, address: str = ADA, **more: Any) -> dict[str, str]:
    made = server.perform("token.add", address=address, name="t", protocols=["web"], **more)
    return {"Authorization": f"Bearer {made['secret']}"}


@pytest.fixture(scope="module")
def bearer(server: ServerProcess) -> dict[str, str]:
    return token(server)


def raw(
    server: ServerProcess, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return response.status, fields, response.read()
    finally:
        connection.close()


def create(server: ServerProcess, headers: dict[str, str], **body: Any) -> Answer:
    return ask(server, "POST", "/createProfile", body, headers)


def test_a_profile_names_the_user_everywhere(server: ServerProcess, bearer: dict[str, str]) -> None:
    jmap = Jmap(server, basic())
    before = jmap.call("Identity/get", ids=None)
    made = create(server, bearer, display_name="Ada Lovelace")
    assert made.status == 201
    assert made.body == {"address": ADA, "display_name": "Ada Lovelace", "photo_url": None}
    assert create(server, bearer, display_name="Ada L.").status == 200
    assert ask(server, "GET", PROFILE, None, bearer).body["display_name"] == "Ada L."
    changed = ask(server, "PATCH", PROFILE, {"display_name": "Ada"}, bearer)
    assert (changed.status, changed.body["display_name"]) == (200, "Ada")
    (one,) = jmap.call("Identity/get", ids=None)["list"]
    assert one["name"] == "Ada"
    told = jmap.call("Identity/changes", sinceState=before["state"])
    assert (told["created"], told["updated"]) == ([], [one["id"]])
    assert server.perform("account.show", address=ADA)["name"] == "Ada"


def test_a_photo_is_kept_and_served(server: ServerProcess, bearer: dict[str, str]) -> None:
    assert raw(server, "GET", PHOTO, None, bearer)[0] == 404
    first, second = png(), png(3, 2)
    assert raw(server, "PUT", PHOTO, first, bearer)[0] == 200
    url = ask(server, "GET", PROFILE, None, bearer).body["photo_url"]
    status, fields, data = raw(server, "GET", url, None, bearer)
    assert (status, data, fields["content-type"]) == (200, first, "image/png")
    assert fields["x-content-type-options"] == "nosniff"
    unchanged = {**bearer, "If-None-Match": fields["etag"]}
    assert raw(server, "GET", url, None, unchanged)[0] == 304
    assert raw(server, "PUT", PHOTO, second, bearer)[0] == 200
    assert raw(server, "GET", url, None, unchanged)[2] == second
    assert raw(server, "GET", PHOTO, None, token(server, BOB))[0] == 404
    assert raw(server, "DELETE", PHOTO, None, bearer)[0] == 204
    assert raw(server, "GET", PHOTO, None, bearer)[0] == 404


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="svg"),
        pytest.param(b"<html>", id="html"),
        pytest.param(png(60_000, 60_000), id="bomb"),
        pytest.param(png() + 5 * 1024 * 1024 * b"\0", id="large"),
        pytest.param(b"\xff\xd8\xff\xe0" + 100 * b"\0", id="jpeg-without-a-frame"),
    ],
)
def test_what_is_no_photo_is_refused(
    server: ServerProcess, bearer: dict[str, str], data: bytes
) -> None:
    assert raw(server, "PUT", PHOTO, data, bearer)[0] == 422
    assert ask(server, "GET", PROFILE, None, bearer).body["photo_url"] is None


def test_what_is_no_profile_is_refused(server: ServerProcess, bearer: dict[str, str]) -> None:
    assert create(server, bearer).status == 400
    assert create(server, bearer, display_name=" ").status == 422
    assert create(server, bearer, display_name="a\nb").status == 422
    assert create(server, bearer, display_name=101 * "x").status == 422
    inside = create(server, bearer, display_name="x", photo_url="http://127.0.0.1:1/x.png")
    assert inside.status == 422
    assert create(server, bearer, display_name="x", photo_url="/d/nothing/x").status == 422
    assert create(server, bearer, display_name="x", photo_url="http://[/d/a/x").status == 422
    assert create(server, {}, display_name="x").status == 401
    assert create(server, token(server, read_only=True), display_name="x").status == 403
    assert ask(server, "GET", "/createProfile", None, bearer).status == 405


def test_a_photo_comes_out_of_the_drive(server: ServerProcess) -> None:
    mail = server.perform("token.add", address=BOB, name="d")["secret"]
    drive = {"Authorization": f"Bearer {mail}"}
    data = png(5, 4)
    status, _, answer = raw(server, "POST", "/api/v1/drive/items?name=me.png", data, drive)
    assert status == 201, answer
    made = server.perform("drive.link", address=BOB, item=json.loads(answer)["id"])
    bob = token(server, BOB)
    assert create(server, bob, display_name="Bob", photo_url=made["url"]).status == 201
    assert raw(server, "GET", PHOTO, None, bob)[2] == data
    stolen = create(server, token(server), display_name="Ada", photo_url=made["url"])
    assert stolen.status == 422
