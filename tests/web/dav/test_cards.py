"""Cards: put, got, changed and deleted by entity tag; copied and moved."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.dav import C, D, Dav, card, group

ODD = (
    b"BEGIN:VCARD\nVERSION:3.0\r\nUID:odd\nitem1.X-ABLABEL:_$!<Home>!$_\n"
    b"N:B;A\nFN:A B\nNOTE:folded \n here\\, \xc3\xa9\nX-EVOLUTION-FILE-AS:B\\, A\nEND:VCARD"
)


def test_a_card_comes_back_octet_for_octet(dav: Dav) -> None:
    path = dav.book + "odd.vcf"
    made = dav.put(path, ODD)
    assert (made.status, made.data) == (201, b"")
    got = dav.ask("GET", path)
    assert (got.status, got.data) == (200, ODD)
    assert got.fields["etag"] == made.fields["etag"]
    assert got.fields["content-type"] == "text/vcard; charset=utf-8"
    assert got.fields["etag"].startswith('"')
    head = dav.ask("HEAD", path)
    assert (head.status, head.data, head.fields["etag"]) == (200, b"", got.fields["etag"])
    (part,) = dav.multiget(dav.book, path).responses.values()
    assert part.text(C + "address-data").encode() == ODD
    assert part.text(D + "getetag") == got.fields["etag"]


def test_conditions_of_a_change(dav: Dav) -> None:
    path = dav.book + "a.vcf"
    assert dav.put(path, card("a"), If_Match="*").status == 412
    first = dav.put(path, card("a"), If_None_Match="*").fields["etag"]
    assert dav.put(path, card("a", "Other"), If_None_Match="*").status == 412
    assert dav.put(path, card("a", "Other"), If_Match='"nothing"').status == 412
    assert dav.put(path, card("a", "Other"), If_Match=f"W/{first}").status == 412
    changed = dav.put(path, card("a", "Other"), If_Match=f'"x", {first}')
    assert changed.status == 204
    second = changed.fields["etag"]
    assert second != first
    assert dav.put(path, card("a", "Third"), If=f"([{first}])").status == 412
    assert dav.put(path, card("a", "Third"), If=f"([{second}] Not <urn:x>)").status == 204
    assert dav.put(path, card("a", "Fourth")).status == 204
    fourth = dav.ask("GET", path).fields["etag"]
    assert dav.ask("GET", path, If_None_Match=f'"y", {fourth}').status == 304
    assert dav.ask("GET", path, If_None_Match=second).status == 200
    assert dav.ask("GET", path, If_Match=second).status == 412
    assert dav.ask("DELETE", path, If_Match=second).status == 412
    assert dav.ask("DELETE", path, If_Match=fourth).status == 204
    assert dav.ask("GET", path).status == 404
    assert dav.ask("DELETE", path).status == 404


def test_of_many_at_once_one_wins(dav: Dav) -> None:
    """More than run at once of an account; conditions hold in the transaction of the change."""
    book = dav.book
    with ThreadPoolExecutor(16) as pool:

        def put(fields: dict[str, str]) -> list[int]:
            def one(number: int) -> int:
                return dav.put(book + "a.vcf", card("a", f"Ann {number}"), **fields).status

            return sorted(pool.map(one, range(16)))

        assert put({"If_None_Match": "*"}) == [201] + [412] * 15
        etag = dav.ask("GET", book + "a.vcf").fields["etag"]
        changed = put({"If_Match": etag})
        assert changed.count(412) >= 14 and set(changed) == {204, 412}
        uids = pool.map(lambda n: dav.put(f"{book}{n}.vcf", card("b")).status, range(16))
        assert sorted(uids) == [201] + [409] * 15
    assert len(dav.sync(book, "").responses) == 2


def test_if_with_the_sync_token_of_the_book(dav: Dav) -> None:
    """RFC 6578 §5."""
    book = dav.book
    token = dav.sync(book, "").token
    fields = {"If": f"<{book}> (<{token}>)"}
    assert dav.put(book + "a.vcf", card("a"), **fields).status == 201
    assert dav.put(book + "b.vcf", card("b"), **fields).status == 412


def test_a_uid_is_in_an_account_once(dav: Dav) -> None:
    book, second = dav.book, dav.home + "second/"
    assert dav.ask("MKCOL", second, MKCOL).status == 201
    assert dav.put(book + "a.vcf", card("one")).status == 201
    refused = dav.put(book + "b.vcf", card("one"))
    assert (refused.status, refused.condition) == (409, C + "no-uid-conflict")
    assert refused.root[0].findtext(D + "href") == book + "a.vcf"
    assert dav.ask("GET", book + "b.vcf").status == 404
    elsewhere = dav.put(second + "a.vcf", card("one"))
    assert (elsewhere.status, elsewhere.condition) == (409, C + "no-uid-conflict")
    assert elsewhere.root[0].findtext(D + "href") is None  # it is in no card of that book
    other = dav.put(book + "a.vcf", card("two"))
    assert (other.status, other.condition) == (409, C + "no-uid-conflict")
    assert other.root[0].findtext(D + "href") == book + "a.vcf"
    assert dav.put(book + "a.vcf", card("urn:uuid:ONE", "Same")).status == 204


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        pytest.param(b"hello", "valid-address-data", id="text"),
        pytest.param(b"", "valid-address-data", id="empty"),
        pytest.param(card("a") + card("b"), "valid-address-data", id="two"),
        pytest.param(card("a").replace(b"UID:a\r\n", b""), "valid-address-data", id="no-uid"),
        pytest.param(card("a").replace(b"Ann", b"\xe9"), "valid-address-data", id="latin"),
        pytest.param(card("a", version="2.1"), "supported-address-data", id="version"),
        pytest.param(card("a", "B", "NOTE:" + "x" * 1_100_000), "max-resource-size", id="large"),
    ],
)
def test_what_is_no_card_is_refused(dav: Dav, data: bytes, condition: str) -> None:
    path = dav.book + "a.vcf"
    refused = dav.put(path, data)
    assert (refused.status, refused.condition) == (403, C + condition)
    assert dav.ask("GET", path).status == 404


def test_other_types_are_refused(dav: Dav) -> None:
    path = dav.book + "a.vcf"
    refused = dav.put(path, card("a"), Content_Type="application/json")
    assert (refused.status, refused.condition) == (403, C + "supported-address-data")
    refused = dav.put(path, card("a"), Content_Type="text/vcard; charset=latin-1")
    assert (refused.status, refused.condition) == (403, C + "valid-address-data")
    assert dav.put(path, card("a"), Content_Encoding="gzip").status == 415
    assert dav.put(path, card("a"), Content_Range="bytes 0-1/2").status == 400
    assert dav.put(path, card("a"), Content_Type="text/x-vcard").status == 201


def test_where_cards_may_not_be_put(dav: Dav) -> None:
    home = dav.home
    assert dav.put(home + "nowhere/a.vcf", card("a")).status == 409
    assert dav.put(home + "a.vcf", card("a")).status == 405
    assert dav.put(home + "a/b/c.vcf", card("a")).status == 404
    assert dav.put(dav.book + "..%2Fx.vcf", card("a")).status == 404
    assert dav.put(dav.book + "%2e%2e", card("a")).status == 404
    refused = dav.ask("GET", home)
    allowed = refused.fields["allow"].split(", ")  # RFC 9110 §15.5.6
    assert refused.status == 405 and "PROPFIND" in allowed and "GET" not in allowed
    assert dav.ask("POST", dav.book, b"").status == 405


def test_names_of_cards_are_any_segment(dav: Dav) -> None:
    book = dav.book
    for name in ("a%20b%23.vcf", "%C3%A9@x;y.vcf", "no-ending", "%25.vcf"):
        path = book + name
        assert dav.put(path, card(name)).status == 201
        assert dav.ask("GET", path).data == card(name)
    listed = dav.propfind(book, D + "getetag", depth="1").responses
    assert {book + "a%20b%23.vcf", book + "%C3%A9@x;y.vcf", book + "no-ending"} <= set(listed)
    for href in set(listed) - {book}:
        assert dav.ask("DELETE", href).status == 204


def test_copies(dav: Dav) -> None:
    book, home = dav.book, dav.home
    assert dav.ask("MKCOL", home + "second/", MKCOL).status == 201
    dav.put(book + "a.vcf", ODD)
    to = {"Destination": home + "second/b.vcf"}
    twice = dav.ask("COPY", book + "a.vcf", **to)
    assert (twice.status, twice.condition) == (409, C + "no-uid-conflict")
    assert dav.ask("GET", home + "second/b.vcf").status == 404
    assert dav.put(home + "second/b.vcf", card("b")).status == 201
    assert dav.ask("COPY", book + "a.vcf", Overwrite="F", **to).status == 412
    same = dav.ask("COPY", book + "a.vcf", Destination=book + "c.vcf")
    assert (same.status, same.condition) == (409, C + "no-uid-conflict")
    assert dav.ask("COPY", book + "a.vcf", Destination=book + "a.vcf").status == 403
    assert dav.ask("COPY", book + "a.vcf", Destination=home + "none/a.vcf").status == 409
    assert dav.ask("COPY", book + "a.vcf", Destination="http://else.test/a.vcf").status == 502
    assert dav.ask("COPY", book + "a.vcf").status == 400
    refused = dav.ask("COPY", book, Destination=home + "third/")
    assert refused.condition == C + "addressbook-collection-location-ok"


def test_moves(dav: Dav) -> None:
    book, home = dav.book, dav.home
    assert dav.ask("MKCOL", home + "second/", MKCOL).status == 201
    etag = dav.put(book + "a.vcf", ODD).fields["etag"]
    before, after = dav.sync(book, "").token, dav.sync(home + "second/", "").token
    port = dav._server.port("http")
    target = f"http://127.0.0.1:{port}{home}second/b.vcf"
    assert dav.ask("MOVE", book + "a.vcf", Destination=target, If_Match='"x"').status == 412
    assert dav.ask("MOVE", book + "a.vcf", Destination=target, If_Match=etag).status == 201
    assert dav.ask("GET", book + "a.vcf").status == 404
    assert dav.ask("GET", home + "second/b.vcf").data == ODD
    left = dav.sync(book, before).responses
    assert left[book + "a.vcf"].status == "HTTP/1.1 404 Not Found"
    assert list(dav.sync(home + "second/", after).responses) == [home + "second/b.vcf"]
    dav.put(home + "second/c.vcf", card("c"))
    to = {"Destination": home + "second/c.vcf"}
    assert dav.ask("MOVE", home + "second/b.vcf", Overwrite="F", **to).status == 412
    assert dav.ask("MOVE", home + "second/b.vcf", **to).status == 204
    assert dav.ask("GET", home + "second/c.vcf").data == ODD


def test_a_move_that_is_refused_takes_nothing_away(dav: Dav) -> None:
    book, home = dav.book, dav.home
    assert dav.ask("MKCOL", home + "second/", MKCOL).status == 201
    for path, uid in ((book + "a.vcf", "a"), (home + "second/b.vcf", "b")):
        assert dav.put(path, card(uid)).status == 201
    to = {"Destination": home + "second/b.vcf"}
    for fields in ({"If_Match": '"x"'}, {"Overwrite": "F"}):
        assert dav.ask("MOVE", book + "a.vcf", **to, **fields).status == 412
        assert dav.ask("GET", home + "second/b.vcf").data == card("b")
        assert dav.ask("GET", book + "a.vcf").data == card("a")
    assert dav.ask("MOVE", book + "a.vcf", **to).status == 204
    assert dav.ask("GET", book + "a.vcf").status == 404
    assert dav.ask("GET", home + "second/b.vcf").data == card("a")


MKCOL = (
    '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:set><D:prop>'
    "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>"
    "</D:prop></D:set></D:mkcol>"
)


def test_versions_by_accept(dav: Dav) -> None:
    path = dav.book + "a.vcf"
    dav.put(path, card("a", "Ann Bee", "TEL;TYPE=HOME,VOICE:+1 23"))
    fourth = dav.ask("GET", path, Accept="text/vcard; version=4.0")
    assert b"VERSION:4.0" in fourth.data and b"+1 23" in fourth.data
    for accept in ("text/vcard", "text/vcard;version=3.0, text/vcard;version=4.0", "*/*"):
        assert b"VERSION:3.0" in dav.ask("GET", path, Accept=accept).data
    etag = fourth.fields["etag"]
    assert etag != dav.ask("GET", path).fields["etag"]  # another representation (RFC 9110 §8.8.3)
    asked = {"Accept": "text/vcard; version=4.0", "If_None_Match": etag}
    assert dav.ask("GET", path, **asked).status == 304
    assert dav.ask("GET", path, If_None_Match=etag).status == 200
    changed = card("a", "Ann Cee", version="4.0")
    assert dav.put(path, changed, If_None_Match=etag).status == 412
    assert dav.put(path, changed, If_Match=etag).status == 204
    assert dav.put(path, card("a"), If_Match=etag).status == 412
    refused = dav.ask("GET", path, Accept="text/vcard;version=5.0")
    assert (refused.status, refused.condition) == (406, C + "supported-address-data-conversion")


def test_groups_are_listed_to_who_keeps_them(dav: Dav) -> None:
    """A group made elsewhere is hidden from those that would take it for a person."""
    book = dav.book
    dav.put(book + "a.vcf", card("a"))
    before = dav.sync(book, "").token
    dav.put(book + "g.vcf", group("g", "Friends", "a"))
    assert set(dav.sync(book, before).responses) == {book + "g.vcf"}
    assert book + "g.vcf" in dav.propfind(book, D + "getetag", depth="1").responses
