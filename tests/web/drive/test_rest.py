"""The drive in REST: upload, names, downloads, links."""

import asyncio
import http.client
import imaplib
import random
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.drive import ADA, BOB, attach, get
from tests.support.http_api import Answer, answer_of
from tests.support.rest import API, Rest
from tests.support.server import ServerProcess

DATA = random.Random(8).randbytes(300_000)


@pytest.fixture(scope="module")
def ada(server: ServerProcess) -> Rest:
    return Rest(server, ADA)


@pytest.fixture(scope="module")
def bob(server: ServerProcess) -> Rest:
    return Rest(server, BOB)


def upload(who: Rest, name: str, data: Any, folder: str = "", **headers: str) -> Answer:
    port = who.server.port("http")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        path = f"{API}/drive/items?name={quote(name)}&folder={quote(folder)}"
        fields = {"Authorization": f"Bearer {who.token}", **headers}
        connection.request("POST", path, data, fields)
        return answer_of(connection.getresponse())
    finally:
        connection.close()


def content(who: Rest, item: str, **headers: Any) -> Any:
    path = f"{API}/drive/items/{item}/content"
    return get(who.server, path, Authorization=f"Bearer {who.token}", **headers)


def test_a_file_goes_up_and_comes_down(ada: Rest) -> None:
    found = upload(ada, "Übersicht.bin", DATA, "Reports/2026")
    assert found.status == 201, found.body
    made = found.body
    assert made["name"] == "Übersicht.bin"
    assert made["folder"] == "Reports/2026"
    assert (made["size"], made["type"]) == (len(DATA), "application/octet-stream")
    assert made["state"] == "unscanned"
    assert found.fields["location"] == f"{API}/drive/items/{made['id']}"
    assert ada.get(f"/drive/items/{made['id']}") == made
    got = content(ada, made["id"])
    assert (got.status, got.body) == (200, DATA)
    assert "filename*=UTF-8''%C3%9Cbersicht.bin" in got.fields["content-disposition"]
    part = content(ada, made["id"], Range="bytes=299990-")
    assert (part.status, part.body) == (206, DATA[299_990:])
    again = content(ada, made["id"], If_None_Match=got.fields["etag"])
    assert again.status == 304


def test_a_file_is_renamed_moved_and_deleted(ada: Rest) -> None:
    made = upload(ada, "a.txt", b"text").body
    path = f"/drive/items/{made['id']}"
    moved = ada.ask("PATCH", path, {"name": "../b.txt", "folder": "x/y"})
    assert moved.status == 200, moved.body
    assert (moved.body["name"], moved.body["folder"]) == ("b.txt", "x/y")
    assert "x/y" in ada.get("/drive")["folders"]
    inside = ada.get("/drive/items?folder=x%2Fy")["items"]
    assert [one["id"] for one in inside] == [made["id"]]
    assert ada.ask("PATCH", path, {"folder": "../up"}).status == 422
    assert ada.ask("PATCH", path, {"name": "c"}, If_Match='"old"').status == 412
    used = ada.get("/drive")["used"]
    assert ada.ask("DELETE", path).status == 204
    assert ada.ask("DELETE", path).status == 404
    assert ada.get("/drive")["used"] == used - 4


def test_another_accounts_things_are_not_there(ada: Rest, bob: Rest) -> None:
    made = upload(ada, "mine.txt", b"mine").body
    link = ada.ask("POST", f"/drive/items/{made['id']}/links", {}).body
    theirs = bob.get("/drive/items")["items"]
    assert made["id"] not in [one["id"] for one in theirs]
    for method, path, body in (
        ("GET", f"/drive/items/{made['id']}", None),
        ("GET", f"/drive/items/{made['id']}/content", None),
        ("PATCH", f"/drive/items/{made['id']}", {"name": "x"}),
        ("DELETE", f"/drive/items/{made['id']}", None),
        ("POST", f"/drive/items/{made['id']}/links", {}),
        ("DELETE", f"/drive/links/{link['id']}", None),
        ("GET", f"/drive/links/{link['id']}/reads", None),
    ):
        assert bob.ask(method, path, body).status == 404, (method, path)


def test_a_link_is_made_followed_logged_and_ended(ada: Rest) -> None:
    made = upload(ada, "for you.txt", b"for you").body
    wish = {"seconds": 3600, "downloads": 2, "note": "for bob"}
    link = ada.ask("POST", f"/drive/items/{made['id']}/links", wish)
    assert link.status == 201, link.body
    url = link.body["url"]
    assert get(ada.server, url).body == b"for you"
    (listed,) = ada.get(f"/drive/links?item={made['id']}")["items"]
    assert (listed["used"], listed["note"], listed["url"]) == (1, "for bob", url)
    (read,) = ada.get(f"/drive/links/{listed['id']}/reads")["items"]
    assert read["status"] == 200
    assert ada.ask("DELETE", f"/drive/links/{listed['id']}").status == 204
    assert get(ada.server, url).status == 404
    bad = {"seconds": 1e10}
    assert ada.ask("POST", f"/drive/items/{made['id']}/links", bad).status == 422
    both = {"password": "x", "audience": "users"}
    assert ada.ask("POST", f"/drive/items/{made['id']}/links", both).status == 422


def test_what_is_too_large_is_refused_while_it_comes(ada: Rest) -> None:
    port = ada.server.port("http")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", f"{API}/drive/items?name=large")
    connection.putheader("Authorization", f"Bearer {ada.token}")
    connection.putheader("Content-Length", str(4 * 1024**2 + 1))
    connection.endheaders()
    assert answer_of(connection.getresponse()).status == 413
    connection.close()

    def pieces() -> Any:
        for _ in range(1000):
            yield b"x" * 65536

    with suppress(ConnectionError):  # the server goes away while the client still sends
        assert upload(ada, "large", pieces()).status == 413
    names = [one["name"] for one in ada.get("/drive/items")["items"]]
    assert "large" not in names


def test_an_upload_that_breaks_off_leaves_nothing(ada: Rest) -> None:
    port = ada.server.port("http")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", f"{API}/drive/items?name=half")
    connection.putheader("Authorization", f"Bearer {ada.token}")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders(b"x" * 500_000)
    connection.close()
    assert upload(ada, "whole", b"whole").status == 201
    assert "half" not in [one["name"] for one in ada.get("/drive/items")["items"]]


def test_equal_files_count_once(bob: Rest) -> None:
    before = bob.get("/drive")["used"]
    first, second = (upload(bob, name, DATA).body for name in ("one", "two"))
    assert first["content"] == second["content"]
    assert bob.get("/drive")["used"] == before + len(DATA)
    assert bob.ask("DELETE", f"/drive/items/{first['id']}").status == 204
    assert content(bob, second["id"]).body == DATA
    assert bob.ask("DELETE", f"/drive/items/{second['id']}").status == 204
    assert bob.get("/drive")["used"] == before


def test_the_quota_of_the_account_bounds_files(server: ServerProcess, bob: Rest) -> None:
    server.perform("account.set", address=BOB, quota=bob.get("/drive")["used"] + 1000)
    try:
        assert upload(bob, "beyond", b"y" * 2000).status == 507
        assert upload(bob, "within", b"z" * 500).status == 201
    finally:
        server.perform("account.set", address=BOB, quota=0)


def test_the_use_is_told_where_mail_takes_all(
    server: ServerProcess, ada: Rest, imap: imaplib.IMAP4
) -> None:
    attach(server, imap, "mail.txt", b"mail\n" * 100)
    assert ada.get("/drive")["limit"] is None
    server.perform("account.set", address=ADA, quota=1)
    try:
        assert ada.get("/drive")["limit"] == 0
        assert upload(ada, "nothing fits", b"1").status == 507
    finally:
        server.perform("account.set", address=ADA, quota=0)


@pytest.mark.parametrize("bounds", [{"read_only": True}, {"folders": ["INBOX"]}], ids=str)
def test_what_a_bounded_token_may(server: ServerProcess, ada: Rest, bounds: Any) -> None:
    file = upload(ada, "not for all", b"1").body
    token = server.perform("token.add", address=ADA, name="bounded", protocols=["jmap"], **bounds)[
        "secret"
    ]
    limited = Rest.__new__(Rest)
    limited.server, limited.token = server, token
    seen = [one["id"] for one in limited.get("/drive/items?limit=200")["items"]]
    assert (file["id"] in seen) == ("read_only" in bounds)
    assert any(one.startswith("B") for one in seen)
    assert upload(limited, "x", b"x").status == 403
    assert content(limited, file["id"]).status == (200 if "read_only" in bounds else 404)
    assert limited.ask("POST", f"/drive/items/{seen[0]}/links", {}).status == 403


def test_an_attachment_is_kept(ada: Rest, imap: imaplib.IMAP4) -> None:
    part = attach(ada.server, imap, "keep me.bin", DATA)
    kept = ada.ask("POST", f"/drive/items/{part}/keep", {"folder": "kept"})
    assert kept.status == 201, kept.body
    assert kept.body["kind"] == "file"
    assert content(ada, kept.body["id"]).body == DATA
    assert ada.ask("POST", f"/drive/items/{kept.body['id']}/keep", {}).status == 422
    assert ada.ask("PATCH", f"/drive/items/{part}", {"name": "x"}).status == 403


def test_who_has_no_token_gets_nothing(server: ServerProcess) -> None:
    assert get(server, f"{API}/drive/items").status == 401
    assert get(server, f"{API}/drive/items?name=x", "POST", b"x").status == 401


def test_many_uploads_at_once(ada: Rest) -> None:
    async def run() -> list[Answer]:
        work = [asyncio.to_thread(upload, ada, f"same {n}", DATA) for n in range(8)]
        return await asyncio.gather(*work)

    found = asyncio.run(run())
    assert {one.status for one in found} == {201}
    assert len({one.body["content"] for one in found}) == 1
    assert len({one.body["id"] for one in found}) == 8
