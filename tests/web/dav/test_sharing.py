"""Address books that others share appear in the home, with what may be done there."""

from collections.abc import Callable

import pytest

from mailserver.operations.errors import OperationError
from tests.support.dav import C, D, Dav, card
from tests.support.jmap import basic
from tests.support.server import PASSWORD, ServerProcess


@pytest.fixture
def other(server: ServerProcess, address: str) -> str:
    made = f"friend-{address}"
    server.perform("account.add", address=made, password=PASSWORD)
    return made


def test_a_shared_book(
    server: ServerProcess, address: str, dav: Dav, other: str, another: Callable[[], Dav]
) -> None:
    book, friend = dav.book, Dav(server, basic(other))
    dav.put(book + "a.vcf", card("a"))

    def share(rights: str) -> None:
        args = {"address": address, "book": "default", "who": other, "rights": rights}
        server.perform("contact.share.set", **args)

    def shared() -> list[str]:
        found = friend.propfind(friend.home, D + "displayname", depth="1").responses
        return [href for href in found if "/shared-" in href]

    assert shared() == []
    share("r")
    assert server.perform("contact.share.list", address=address) == [
        {"book": "default", "address": other, "rights": "r"}
    ]
    (path,) = shared()
    names = (D + "displayname", D + "current-user-privilege-set", D + "owner", D + "resourcetype")
    (part,) = friend.propfind(path, *names).responses.values()
    assert part.text(D + "displayname") == f"Contacts ({address})"
    assert C + "addressbook" in part.names(D + "resourcetype")
    held = {one[0].tag for one in part.found[D + "current-user-privilege-set"]}
    assert D + "read" in held and not held & {D + "write", D + "bind", D + "write-content"}
    (mine,) = dav.propfind(book, D + "owner").responses.values()
    assert part.href_of(D + "owner") == mine.href_of(D + "owner")
    first = friend.sync(path, "", C + "address-data")
    assert first.responses[path + "a.vcf"].text(C + "address-data").encode() == card("a")
    assert friend.ask("GET", path + "a.vcf").data == card("a")
    dav.put(book + "a.vcf", card("a", "Changed"))
    second = friend.sync(path, first.token)
    assert set(second.responses) == {path + "a.vcf"} and second.token != first.token
    (state,) = friend.propfind(path, D + "sync-token").responses.values()
    assert state.text(D + "sync-token") == second.token
    for refused in (
        friend.put(path + "b.vcf", card("b")),
        friend.ask("DELETE", path + "a.vcf"),
        friend.ask("DELETE", path),
        friend.ask("MOVE", path + "a.vcf", Destination=friend.book + "a.vcf"),
    ):
        assert (refused.status, refused.condition) == (403, D + "need-privileges")
    assert friend.ask("COPY", path + "a.vcf", Destination=friend.book + "a.vcf").status == 201
    share("rw")
    assert shared() == [path]
    token = dav.sync(book, "").token
    assert friend.put(path + "b.vcf", card("b", "By a friend")).status == 201
    assert set(dav.sync(book, token).responses) == {book + "b.vcf"}
    assert friend.ask("MOVE", path + "b.vcf", Destination=friend.book + "b.vcf").status == 201
    assert friend.ask("GET", friend.book + "b.vcf").data == card("b", "By a friend")
    assert dav.ask("GET", book + "b.vcf").status == 404
    assert friend.ask("DELETE", path).status == 403
    update = (
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>x</D:displayname>'
        "</D:prop></D:set></D:propertyupdate>"
    )
    (part,) = friend.ask("PROPPATCH", path, update).responses.values()
    assert D + "displayname" in part.others
    stranger = another()
    number = path.rsplit("/", 2)[1]
    assert stranger.propfind(f"{stranger.home}{number}/", D + "displayname").status == 404
    assert stranger.propfind(path, D + "displayname").status == 404
    share("")
    assert shared() == [] and friend.ask("GET", path + "a.vcf").status == 404
    share("rw")
    dav.ask("DELETE", book)
    assert shared() == []
    server.perform("account.delete", address=other)
    assert server.perform("contact.share.list", address=address) == []


def test_what_is_no_share(server: ServerProcess, address: str, other: str) -> None:
    for book, who, rights in (
        ("none", other, "r"),
        ("default", "nobody@example.test", "r"),
        ("default", other, "w"),
        ("default", other, "rz"),
        ("default", address, "r"),
    ):
        with pytest.raises(OperationError):
            server.perform("contact.share.set", address=address, book=book, who=who, rights=rights)
    assert server.perform("contact.share.list", address=address) == []


def test_names_of_shared_books_are_not_for_own_ones(dav: Dav) -> None:
    refused = dav.ask("MKCOL", dav.home + "shared-1/")
    assert refused.condition == C + "addressbook-collection-location-ok"
