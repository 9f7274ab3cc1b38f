"""Whose request it is, and what a login may do."""

import base64
import re
import time
from collections.abc import Callable

from auth.totp import code_of, step_of
from tests.support.dav import CS, C, D, Dav, card
from tests.support.jmap import basic
from tests.support.server import PASSWORD, ServerProcess

HREF = D + "current-user-principal"


def status(dav: Dav) -> int:
    return dav.propfind("/dav/", HREF).status


def test_a_login_is_asked_for(server: ServerProcess, address: str) -> None:
    stranger = Dav(server, {})
    for method in ("OPTIONS", "PROPFIND", "GET", "PUT", "REPORT", "MKCOL", "DELETE"):
        refused = stranger.ask(method, "/dav/books/A1/default/a.vcf", b"")
        assert refused.status == 401
        challenge = refused.fields["www-authenticate"]
        assert re.findall(r"(\w+) realm=", challenge) == ["Basic", "Bearer"]
    assert status(Dav(server, basic(address, "wrong"))) == 401
    assert status(Dav(server, {"Authorization": "Digest x"})) == 401
    assert status(Dav(server, {"Authorization": "Basic !"})) == 401


def test_app_passwords_are_for_their_protocols(server: ServerProcess, address: str) -> None:
    """One that was let in for the other protocol is not remembered for this one."""

    def made(*protocols: str) -> dict[str, str]:
        made = server.perform(
            "account.app-password.add", address=address, name="Phone", protocols=protocols
        )
        return basic(address, made["secret"])

    cards, mail = made("carddav"), made("jmap")
    for _ in range(2):
        assert status(Dav(server, cards)) == 207
        assert Dav(server, mail).ask("GET", "/jmap/session").status == 200
        assert status(Dav(server, mail)) == 401
        assert Dav(server, cards).ask("GET", "/jmap/session").status == 401


def test_tokens(server: ServerProcess, address: str) -> None:
    token = server.perform("token.add", address=address, name="Script", protocols=["carddav"])
    bearer = Dav(server, {"Authorization": f"Bearer {token['secret']}"})
    assert status(bearer) == 207
    server.perform("token.revoke", address=address, id=token["id"])
    assert status(bearer) == 401


def test_a_second_factor_leaves_app_passwords(server: ServerProcess, address: str) -> None:
    dav = Dav(server, basic(address))
    assert status(dav) == 207
    begun = server.perform("account.second-factor.begin", address=address)
    key = base64.b32decode(begun["key"] + "=" * (-len(begun["key"]) % 8))
    code = code_of(key, step_of(time.time()))
    server.perform("account.second-factor.confirm", address=address, code=code)
    assert status(dav) == 401
    made = server.perform("account.app-password.add", address=address, name="Phone")
    assert status(Dav(server, basic(address, made["secret"]))) == 207


def test_what_only_reads_changes_nothing(server: ServerProcess, address: str, dav: Dav) -> None:
    book = dav.book
    dav.put(book + "a.vcf", card("a"))
    made = server.perform(
        "account.app-password.add", address=address, name="Reader", read_only=True
    )
    reader = Dav(server, basic(address, made["secret"]))
    assert reader.ask("GET", book + "a.vcf").data == card("a")
    assert len(reader.sync(book, "").responses) == 1
    (part,) = reader.propfind(book, D + "current-user-privilege-set").responses.values()
    held = {one[0].tag for one in part.found[D + "current-user-privilege-set"]}
    assert held == {
        *(D + "read", D + "read-acl", D + "read-current-user-privilege-set"),
    }
    update = (
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>x</D:displayname>'
        "</D:prop></D:set></D:propertyupdate>"
    )
    mkcol = (
        '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:set><D:prop>'
        "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>"
        "</D:prop></D:set></D:mkcol>"
    )
    for refused in (
        reader.put(book + "b.vcf", card("b")),
        reader.put(book + "a.vcf", card("a", "Other")),
        reader.ask("DELETE", book + "a.vcf"),
        reader.ask("DELETE", book),
        reader.ask("PROPPATCH", book, update),
        reader.ask("MKCOL", dav.home + "new/", mkcol),
        reader.ask("MOVE", book + "a.vcf", Destination=book + "c.vcf"),
        reader.ask("COPY", book + "a.vcf", Destination=book + "c.vcf"),
    ):
        assert (refused.status, refused.condition) == (403, D + "need-privileges")
        assert refused.root.find(f".//{D}privilege") is not None
    assert set(dav.sync(book, "").responses) == {book + "a.vcf"}
    assert dav.ask("GET", book + "a.vcf").data == card("a")


def test_other_peoples_cards_are_not_there(dav: Dav, another: Callable[[], Dav]) -> None:
    book = dav.book
    dav.put(book + "a.vcf", card("a"))
    other = another()
    own = other.book
    for method in ("GET", "PROPFIND", "PUT", "DELETE", "REPORT", "MKCOL", "COPY", "MOVE", "ACL"):
        for path in (book + "a.vcf", book, dav.home):
            answer = other.ask(method, path, card("a"), Depth="0", Content_Type="text/vcard")
            assert answer.status in (400, 403, 404, 405, 409), (method, path, answer.status)
            assert b"Ann" not in answer.data and book.encode() not in answer.data
    assert other.ask("GET", book + "a.vcf").status == 404
    assert other.propfind(book, D + "displayname").status == 404
    assert other.multiget(own, book + "a.vcf").responses[book + "a.vcf"].status.endswith("Found")
    other.put(own + "b.vcf", card("b"))
    for method in ("COPY", "MOVE"):
        assert other.ask(method, own + "b.vcf", Destination=book + "b.vcf").status == 409
    (root,) = dav.propfind("/", HREF).responses.values()
    assert other.propfind(root.href_of(HREF), D + "displayname").status == 404
    assert set(dav.sync(book, "").responses) == {book + "a.vcf"}


def test_requests_of_a_login_with_a_rate_are_counted(server: ServerProcess, address: str) -> None:
    made = server.perform("account.app-password.add", address=address, name="Slow", rate=5)
    slow = Dav(server, basic(address, made["secret"]))
    statuses = [status(slow) for _ in range(8)]
    assert statuses[0] == 207 and statuses[-1] == 429


def test_an_agent_has_no_address_book(server: ServerProcess, address: str) -> None:
    made = server.perform("token.add", address=address, name="Robot", agent=True)
    assert status(Dav(server, {"Authorization": f"Bearer {made['secret']}"})) == 401


def test_an_account_that_goes_takes_its_cards_along(
    server: ServerProcess, dav: Dav, address: str
) -> None:
    book = dav.book
    dav.put(book + "a.vcf", card("a"))
    server.perform("account.delete", address=address)
    assert dav.ask("GET", book + "a.vcf").status == 401
    server.perform("account.add", address=address, password=PASSWORD)
    assert dav.book != book and dav.sync(dav.book, "").responses == {}
    (part,) = dav.propfind(dav.book, CS + "getctag", C + "max-resource-size").responses.values()
    assert part.found


def test_a_slow_or_large_body_is_bounded(dav: Dav) -> None:
    big = b"<x>" + b" " * (16 * 1024 * 1024) + b"</x>"
    assert dav.ask("REPORT", dav.book, big).status == 413
    assert dav.ask("PROPFIND", dav.book, b" " * 300_000, Depth="0").status == 413
