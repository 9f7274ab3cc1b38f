"""Contacts, groups and the answer while away by REST."""

import time

from tests.support.rest import BOB, Rest


def person(name: str, email: str) -> dict[str, object]:
    return {"name": {"full": name}, "emails": {"e": {"address": email}}}


def test_people_and_groups_are_kept(ada: Rest, bob: Rest) -> None:
    made = ada.ask("POST", "/contacts", {"card": person("Carol Ray", "carol@elsewhere.test")})
    assert (made.status, made.body["card"]["name"]["full"]) == (201, "Carol Ray")
    number, uid = made.body["id"], made.body["card"]["uid"]
    group = {"kind": "group", "name": {"full": "Friends"}, "members": {uid: True}}
    assert ada.ask("POST", "/contacts", {"card": group}).status == 201
    found = ada.get("/contacts?kind=group")["items"]
    assert [(one["name"], one["kind"]) for one in found] == [("Friends", "group")]
    found = ada.get("/contacts?q=ELSEWHERE.test")["items"]
    assert [(one["name"], one["emails"]) for one in found] == [
        ("Carol Ray", ["carol@elsewhere.test"])
    ]
    assert bob.ask("GET", f"/contacts/{number}").status == 404
    assert bob.ask("DELETE", f"/contacts/{number}").status == 404
    seen = ada.ask("GET", f"/contacts/{number}").fields["etag"]
    changed = {"card": person("Carol Stone", "carol@elsewhere.test")}
    put = ada.ask("PUT", f"/contacts/{number}", changed, If_Match=seen)
    assert (put.status, put.body["card"]["uid"]) == (200, uid)
    assert ada.ask("PUT", f"/contacts/{number}", changed, If_Match=seen).status == 412
    other = {"card": {**person("X", "x@y.test"), "uid": "another"}}
    assert ada.ask("PUT", f"/contacts/{number}", other).status == 422
    for one in ada.get("/contacts")["items"]:
        assert ada.ask("DELETE", f"/contacts/{one['id']}").status == 204


def test_cards_have_the_types_of_the_standard(ada: Rest) -> None:
    for wrong in ({"name": 5}, {"emails": ["a@b.test"]}, {"@type": "Group"}, {"updated": "today"}):
        found = ada.ask("POST", "/contacts", {"card": person("D", "d@elsewhere.test") | wrong})
        assert found.status == 422, wrong
        assert [one["pointer"] for one in found.body["errors"]] == [f"/card/{next(iter(wrong))}"]
    number = ada.ask("POST", "/contacts", {"card": person("D", "d@elsewhere.test")}).body["id"]
    assert ada.ask("PUT", f"/contacts/{number}", {"card": {"name": []}}).status == 422
    assert ada.get(f"/contacts/{number}")["card"]["name"]["full"] == "D"
    assert ada.ask("DELETE", f"/contacts/{number}").status == 204


def test_contacts_come_in_pages(ada: Rest) -> None:
    for number in range(5):
        body = {"card": person(f"P{number}", f"p{number}@elsewhere.test")}
        assert ada.ask("POST", "/contacts", body).status == 201
    first = ada.get("/contacts?limit=2")
    assert ada.ask("DELETE", f"/contacts/{first['items'][1]['id']}").status == 204
    second = ada.get(f"/contacts?limit=2&cursor={first['next']}")
    last = ada.get(f"/contacts?limit=2&cursor={second['next']}")
    names = [one["name"] for page in (first, second, last) for one in page["items"]]
    assert (names, last["next"]) == (["P0", "P1", "P2", "P3", "P4"], None)
    for one in ada.get("/contacts")["items"]:
        assert ada.ask("DELETE", f"/contacts/{one['id']}").status == 204


def test_there_are_several_books(ada: Rest) -> None:
    (first,) = ada.get("/address-books")["items"]
    made = ada.ask("POST", "/address-books", {"name": "Work"})
    assert (made.status, made.body["default"]) == (201, False)
    number = made.body["id"]
    card = {"card": person("W", "w@elsewhere.test"), "book": number}
    assert ada.ask("POST", "/contacts", card).body["book"] == number
    assert ada.ask("DELETE", f"/address-books/{number}").status == 409
    changed = ada.ask("PATCH", f"/address-books/{number}", {"name": "Office", "default": True})
    assert (changed.body["name"], changed.body["default"]) == ("Office", True)
    assert ada.ask("PATCH", f"/address-books/{first['id']}", {"default": True}).status == 200
    assert ada.ask("DELETE", f"/address-books/{number}?contents=true").status == 204
    assert ada.get("/contacts")["items"] == []


def test_the_answer_while_away_is_set(ada: Rest) -> None:
    assert ada.get("/vacation")["enabled"] is False
    body = {"enabled": True, "from_date": "2030-01-01T10:00:00+01:00", "subject": "Away"}
    put = ada.ask("PUT", "/vacation", body)
    assert (put.status, put.body["from_date"]) == (200, "2030-01-01T09:00:00Z")
    assert ada.get("/vacation") == put.body
    assert ada.ask("PUT", "/vacation", {"enabled": True, "from_date": "2030-01-01"}).status == 422
    assert ada.ask("PUT", "/vacation", {"enabled": False}).status == 200


def test_files_of_contacts_go_in_and_out(ada: Rest) -> None:
    lines = ("BEGIN:VCARD", "VERSION:4.0", "UID:u-%d", "FN:Dan", "EMAIL:dan@elsewhere.test")
    card = "".join(f"{line}\r\n" for line in (*lines, "END:VCARD"))
    data = (card % 1 + card % 2).encode()
    read = ada.ask("POST", "/contact-imports", data, Content_Type="text/vcard")
    assert read.body == {"added": 2, "changed": 0, "same": 0}
    again = ada.ask("POST", "/contact-imports", data, Content_Type="text/vcard")
    assert again.body == {"added": 0, "changed": 0, "same": 2}
    found = ada.get("/contact-completions?q=da")["items"]
    assert {one["address"] for one in found} == {"dan@elsewhere.test"}
    (twice,) = ada.get("/contact-duplicates")["items"]
    kept = ada.ask("POST", "/contact-merges", {"ids": twice}).body["id"]
    assert [one["id"] for one in ada.get("/contacts")["items"]] == [kept]
    out = ada.ask("GET", "/contact-exports?format=google")
    assert (out.status, out.kind) == (200, "text/csv; charset=utf-8")
    assert ada.ask("DELETE", f"/contacts/{kept}").status == 204
    large = ada.ask("POST", "/contact-imports", b"x" * (17 * 1024 * 1024))
    assert large.status == 413


def test_whom_one_writes_to_becomes_a_contact_where_wanted(ada: Rest) -> None:
    assert ada.get("/preferences")["collect_contacts"] is False
    assert ada.ask("PATCH", "/preferences", {"collect_contacts": True}).status == 200
    message = {"to": [BOB], "subject": "x", "text": "y"}
    assert ada.ask("POST", "/sendEmail", message).status == 202
    deadline = time.monotonic() + 20
    while not (found := ada.get("/contacts")["items"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [one["emails"] for one in found] == [[BOB]]
    assert ada.ask("PATCH", "/preferences", {"collect_contacts": None}).status == 200
    assert ada.ask("DELETE", f"/contacts/{found[0]['id']}").status == 204


def test_webhooks_are_made_and_ended(ada: Rest, bob: Rest) -> None:
    for url in ("http://127.0.0.1/x", "http://localhost/", "ftp://x.test/"):
        assert ada.ask("POST", "/webhooks", {"url": url}).status == 422, url
    body = {"url": "https://hooks.elsewhere.test/x", "events": ["message.received"]}
    made = ada.ask("POST", "/webhooks", body)
    assert (made.status, made.body["state"]) == (201, "on")
    number = made.body["id"]
    (shown,) = ada.get("/webhooks")["items"]
    assert (shown["events"], "secret" in shown) == (["message.received"], False)
    assert bob.ask("DELETE", f"/webhooks/{number}").status == 404
    assert ada.ask("POST", f"/webhooks/{number}/test").status == 204
    assert [one["type"] for one in ada.get(f"/webhooks/{number}/log")["items"]] == ["webhook.test"]
    assert ada.ask("DELETE", f"/webhooks/{number}").status == 204


def test_mailboxes_are_shared(ada: Rest) -> None:
    put = ada.ask("PUT", f"/shares/{BOB}?mailbox=Archive", {"rights": "lr"})
    assert put.status == 200, put.body
    assert {"mailbox": "Archive", "identifier": BOB, "rights": "lr"} in ada.get("/shares")["items"]
    assert ada.ask("PUT", f"/shares/{BOB}?mailbox=Nothing", {"rights": "lr"}).status == 404
    assert ada.ask("DELETE", f"/shares/{BOB}?mailbox=Archive").status == 204
