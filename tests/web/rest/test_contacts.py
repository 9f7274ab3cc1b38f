"""Contacts, groups and the answer while away by REST."""

from tests.support.rest import Rest


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
