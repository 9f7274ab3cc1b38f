"""Files, attachments and links in pages, and what of them a login sees."""

import imaplib
from typing import Any

import pytest

from tests.support.drive import ADA, BOB, attach, items
from tests.support.jmap import append
from tests.support.rest import Rest
from tests.support.server import ServerProcess
from tests.web.drive.test_rest import content, upload


@pytest.fixture(scope="module")
def ada(server: ServerProcess) -> Rest:
    return Rest(server, ADA)


@pytest.fixture(scope="module")
def bob(server: ServerProcess) -> Rest:
    return Rest(server, BOB)


def test_files_and_attachments_are_one_list_in_pages(ada: Rest, imap: imaplib.IMAP4) -> None:
    for number in range(3):
        assert upload(ada, f"page {number}.txt", b"x" * number).status == 201
        attach(ada.server, imap, f"mail {number}.txt", b"y" * 10 * number)
    whole = ada.get("/drive/items?limit=200")["items"]
    assert {"file", "attachment"} == {one["kind"] for one in whole}
    stepped: list[dict[str, Any]] = []
    path = "/drive/items?limit=2"
    for _ in range(50):
        page = ada.get(path)
        stepped += page["items"]
        if page["next"] is None:
            break
        path = f"/drive/items?limit=2&cursor={page['next']}"
    assert [one["id"] for one in stepped] == [one["id"] for one in whole]
    assert [one["id"] for one in items(ada.server)] == [one["id"] for one in whole]
    kinds = {one["kind"] for one in ada.get("/drive/items?kind=attachment")["items"]}
    assert kinds == {"attachment"}
    assert ada.ask("GET", f"{path}xyz!").status == 422
    assert ada.ask("GET", "/drive/items?cursor=W10").status == 422


def test_several_attachments_of_a_message_over_pages(ada: Rest, imap: imaplib.IMAP4) -> None:
    parts = "".join(
        f"--b\r\nContent-Type: text/x-n\r\nContent-Disposition: attachment; filename=n{n}\r\n\r\n"
        f"{n}\r\n"
        for n in range(5)
    )
    head = 'Subject: many\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    imap.append("INBOX", "", "", f"{head}{parts}--b--\r\n".encode())
    found: list[str] = []
    path = "/drive/items?kind=attachment&limit=2"
    for _ in range(3):
        page = ada.get(path)
        found += [one["name"] for one in page["items"]]
        path = f"/drive/items?kind=attachment&limit=2&cursor={page['next']}"
    assert found[:5] == ["n0", "n1", "n2", "n3", "n4"]


def test_messages_of_many_parts_are_looked_at_a_few_at_a_time(
    ada: Rest, imap: imaplib.IMAP4
) -> None:
    part = "--b\r\nContent-Disposition: inline\r\n\r\nx\r\n"
    file = '--b\r\nContent-Disposition: attachment; filename="many.txt"\r\n\r\ny\r\n--b--\r\n'
    head = "Subject: many\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    data = (head + part * 199 + file).encode()
    for _ in range(12):
        append(imap, data)
    found, pages, more = 0, 0, ""
    while found < 12:
        page = ada.get(f"/drive/items?kind=attachment&limit=50{more}")
        found += sum(one["name"] == "many.txt" for one in page["items"])
        pages, more = pages + 1, f"&cursor={page['next']}"
    assert (found, pages) == (12, 2)


def test_links_in_pages(bob: Rest) -> None:
    made = upload(bob, "many links", b"many").body
    ids = [bob.ask("POST", f"/drive/items/{made['id']}/links", {}).body["id"] for _ in range(5)]
    found: list[str] = []
    path = "/drive/links?limit=2"
    for _ in range(3):
        page = bob.get(path)
        found += [one["id"] for one in page["items"]]
        path = f"/drive/links?limit=2&cursor={page['next']}"
    assert found == ids[::-1]
    assert page["next"] is None


def test_attachments_in_folders_out_of_sight(
    server: ServerProcess, ada: Rest, imap: imaplib.IMAP4
) -> None:
    imap.create("Secret")
    mail = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b\r\n"
    mail += b"Content-Disposition: attachment; filename=secret\r\n\r\nsecret\r\n--b--\r\n"
    imap.append("Secret", "", "", mail)
    token = server.perform(
        "token.add", address=ADA, name="inbox", protocols=["jmap"], folders=["INBOX"]
    )["secret"]
    limited = Rest.__new__(Rest)
    limited.server, limited.token = server, token
    (hidden,) = [one for one in ada.get("/drive/items")["items"] if one["name"] == "secret"]
    assert hidden["id"] not in [one["id"] for one in limited.get("/drive/items")["items"]]
    assert limited.ask("GET", f"/drive/items/{hidden['id']}").status == 404
    assert content(limited, hidden["id"]).status == 404
    assert content(ada, hidden["id"]).body == b"secret"
