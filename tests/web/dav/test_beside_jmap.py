"""CardDAV and JMAP over one address book: what either changes the other tells."""

import json

import pytest

from tests.support.dav import C, D, Dav, card, group
from tests.support.jmap import Jmap, basic
from tests.support.server import ServerProcess

APPLE = ("item1.URL:https://x.test", "item1.X-ABLabel:_$!<HomePage>!$_", "X-ODD;X-P=1:kept")


@pytest.fixture
def jmap(server: ServerProcess, address: str) -> Jmap:
    return Jmap(server, basic(address))


def book_of(jmap: Jmap) -> str:
    (found,) = jmap.call("AddressBook/get", ids=None)["list"]
    return str(found["id"])


def test_a_card_that_was_put_is_read_by_jmap(dav: Dav, jmap: Jmap) -> None:
    book = dav.book
    state = jmap.call("ContactCard/get", ids=[])["state"]
    dav.put(book + "a.vcf", card("a", "Ann Bee", "EMAIL;TYPE=HOME:ann@world.test", *APPLE))
    (made,) = jmap.call("ContactCard/changes", sinceState=state)["created"]
    found = jmap.get("ContactCard", made)
    assert found["uid"] == "a" and found["name"]["full"] == "Ann Bee"
    assert [one["address"] for one in found["emails"].values()] == ["ann@world.test"]
    dav.ask("DELETE", book + "a.vcf")
    assert jmap.call("ContactCard/get", ids=[made])["notFound"] == [made]


def test_a_change_by_jmap_is_synced_and_loses_nothing(dav: Dav, jmap: Jmap) -> None:
    book = dav.book
    dav.put(book + "a.vcf", card("a", "Ann Bee", *APPLE))
    (made,) = jmap.call("ContactCard/get", ids=None)["list"]
    token = dav.sync(book, "").token
    same = {"update": {made["id"]: {"name/full": "Ann Bee"}}}
    assert made["id"] in jmap.call("ContactCard/set", **same)["updated"]
    quiet = dav.sync(book, token)
    assert quiet.responses == {} and quiet.token == token  # nothing was changed by that
    patch = {"update": {made["id"]: {"name/full": "Ann Ray"}}}
    assert made["id"] in jmap.call("ContactCard/set", **patch)["updated"]
    told = dav.sync(book, token, C + "address-data")
    text = told.responses[book + "a.vcf"].text(C + "address-data")
    assert "FN:Ann Ray\r\n" in text and "VERSION:3.0\r\n" in text
    assert "X-ODD" in text and "kept" in text and "HomePage" in text
    jmap.call("ContactCard/set", destroy=[made["id"]])
    gone = dav.sync(book, told.token).responses[book + "a.vcf"]
    assert gone.status == "HTTP/1.1 404 Not Found"


def test_what_jmap_makes(dav: Dav, jmap: Jmap) -> None:
    book, number = dav.book, book_of(jmap)
    token = dav.sync(book, "").token
    person = {"addressBookIds": {number: True}, "name": {"full": "Bob Ray"}, "uid": "urn:uuid:bob"}
    friends = {"kind": "group", "name": {"full": "Friends"}, "members": {"urn:uuid:bob": True}}
    friends["addressBookIds"] = {number: True}
    done = jmap.call("ContactCard/set", create={"p": person, "g": friends})
    assert set(done["created"]) == {"p", "g"}, json.dumps(done)
    (href,) = dav.sync(book, token).responses  # the group is for who knows groups
    got = dav.ask("GET", href)
    assert b"FN:Bob Ray\r\n" in got.data and got.fields["etag"]
    changed = dav.put(href, got.data.replace(b"Ray", b"Roe"), If_Match=got.fields["etag"])
    assert changed.status == 204
    assert jmap.get("ContactCard", done["created"]["p"]["id"])["name"]["full"] == "Bob Roe"
    names = '<D:getetag/><C:address-data content-type="text/vcard" version="4.0"/>'
    found = dav.query(book, "", names=names).responses
    texts = [part.text(C + "address-data") for part in found.values()]
    assert len(texts) == 2 and any("KIND:group" in one for one in texts)


def test_groups_are_told_once_they_are_shown(dav: Dav, jmap: Jmap) -> None:
    """Also to a client that synchronised while they were hidden from it."""
    book = dav.book
    friends = {"kind": "group", "name": {"full": "Friends"}, "members": {}}
    made = {"g": friends | {"addressBookIds": {book_of(jmap): True}}}
    assert jmap.call("ContactCard/set", create=made)["created"]
    before = dav.sync(book, "")
    assert not before.responses
    dav.put(book + "h.vcf", group("others", "Others"))
    assert len(dav.sync(book, before.token).responses) == 2

    def show(word: str) -> None:
        asked = f'<A:show-groups xmlns:A="http://inf-it.com/ns/ab/">{word}</A:show-groups>'
        body = f"<D:set><D:prop>{asked}</D:prop></D:set>"
        dav.ask("PROPPATCH", book, f'<D:propertyupdate xmlns:D="DAV:">{body}</D:propertyupdate>')

    show("no")
    before = dav.sync(book, "")
    assert not before.responses
    show("yes")
    assert len(dav.sync(book, before.token).responses) == 2
    token = dav.sync(book, "").token
    show("yes")
    assert not dav.sync(book, token).responses


def test_groups_that_were_put_have_members(dav: Dav, jmap: Jmap) -> None:
    book = dav.book
    dav.put(book + "g.vcf", group("friends", "Friends", "ann"))
    (found,) = jmap.call("ContactCard/get", ids=None)["list"]
    assert (found["kind"], found["members"]) == ("group", {"urn:uuid:ann": True})


def test_books(dav: Dav, jmap: Jmap) -> None:
    done = jmap.call("AddressBook/set", create={"w": {"name": "Work", "description": "Ours"}})
    made = done["created"]["w"]["id"]
    names = (D + "displayname", C + "addressbook-description")
    found = dav.propfind(dav.home, *names, depth="1").responses
    (path,) = [href for href, part in found.items() if part.text(D + "displayname") == "Work"]
    assert found[path].text(C + "addressbook-description") == "Ours"
    update = (
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>Trade</D:displayname>'
        "</D:prop></D:set></D:propertyupdate>"
    )
    assert dav.ask("PROPPATCH", path, update).status == 207
    assert jmap.get("AddressBook", made)["name"] == "Trade"
    dav.ask("DELETE", path)
    assert jmap.call("AddressBook/get", ids=[made])["notFound"] == [made]
