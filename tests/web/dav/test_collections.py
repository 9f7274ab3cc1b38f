"""Discovery, PROPFIND, PROPPATCH, MKCOL, and what collections are."""

import http.client
from xml.etree import ElementTree

import pytest

from tests.support.dav import CS, OK, C, D, Dav, asking, card
from tests.support.server import ServerProcess

AB = "{http://inf-it.com/ns/ab/}"
NS = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:AB="http://inf-it.com/ns/ab/" '
    'xmlns:X="http://x.test/"'
)


def mkcol(sets: str, types: str = "<D:collection/><C:addressbook/>") -> str:
    return (
        f"<D:mkcol {NS}><D:set><D:prop><D:resourcetype>{types}</D:resourcetype>{sets}"
        "</D:prop></D:set></D:mkcol>"
    )


def update(sets: str = "", removes: str = "") -> str:
    set_ = f"<D:set><D:prop>{sets}</D:prop></D:set>" if sets else ""
    remove = f"<D:remove><D:prop>{removes}</D:prop></D:remove>" if removes else ""
    return f"<D:propertyupdate {NS}>{set_}{remove}</D:propertyupdate>"


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "OPTIONS", "REPORT"])
def test_the_well_known_path_leads_on(server: ServerProcess, method: str) -> None:
    """RFC 6764 §5; the method stays, and no login is needed."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    connection.request(method, "/.well-known/carddav", b"<x/>", {"Depth": "0"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (307, "/dav/")
    connection.close()


def test_what_the_server_can_do(dav: Dav) -> None:
    for path in ("/", "/dav", "/dav/", dav.home, dav.book, dav.book + "none.vcf"):
        answer = dav.ask("OPTIONS", path)
        words = {word.strip() for word in answer.fields["dav"].split(",")}
        assert answer.status == 200
        assert words == {"1", "3", "access-control", "addressbook", "extended-mkcol"}
        allowed = {word.strip() for word in answer.fields["allow"].split(",")}
        assert {"PROPFIND", "PROPPATCH", "MKCOL", "REPORT", "PUT", "DELETE", "COPY"} <= allowed


def test_from_nothing_to_the_books(dav: Dav, address: str) -> None:
    asked = (D + "current-user-principal", D + "resourcetype", D + "current-user-privilege-set")
    for path in ("/", "/dav/"):
        (root,) = dav.propfind(path, *asked).responses.values()
        assert root.href == path
        principal = root.href_of(D + "current-user-principal")
        assert root.names(D + "resourcetype") == [D + "collection"]
    names = (C + "addressbook-home-set", D + "displayname", D + "resourcetype", D + "principal-URL")
    (found,) = dav.propfind(principal, *names, CS + "email-address-set").responses.values()
    assert found.text(D + "displayname") == address
    assert found.names(D + "resourcetype") == [D + "collection", D + "principal"]
    assert found.href_of(D + "principal-URL") == principal
    assert found.found[CS + "email-address-set"][0].text == address
    home = found.href_of(C + "addressbook-home-set")
    books = dav.propfind(home, D + "resourcetype", D + "displayname", depth="1").responses
    assert set(books) == {home, home + "default/"}
    assert books[home + "default/"].names(D + "resourcetype") == [
        D + "collection",
        C + "addressbook",
    ]
    for path in ("/dav/principals/", "/dav/books/"):
        below = dav.propfind(path, D + "resourcetype", depth="1").responses
        assert len(below) == 2 and path in below
    assert set(dav.propfind("/dav/", D + "owner", depth="1").responses) == {
        *("/dav/", "/dav/principals/", "/dav/books/"),
    }


def test_properties_of_a_book(dav: Dav) -> None:
    names = (
        D + "current-user-privilege-set",
        D + "supported-report-set",
        C + "supported-address-data",
        C + "max-resource-size",
        D + "sync-token",
        CS + "getctag",
        D + "owner",
        D + "acl",
        D + "principal-collection-set",
        C + "supported-collation-set",
        D + "supported-privilege-set",
    )
    (book,) = dav.propfind(dav.book, *names, "{urn:x}nothing").responses.values()
    assert book.others == {"{urn:x}nothing": "HTTP/1.1 404 Not Found"}
    privileges = {one[0].tag for one in book.found[D + "current-user-privilege-set"]}
    assert {D + name for name in ("read", "write", "write-content", "bind", "unbind")} <= privileges
    reports = {one[0][0].tag for one in book.found[D + "supported-report-set"]}
    assert {
        *(C + "addressbook-query", C + "addressbook-multiget"),
        *(D + "sync-collection", D + "expand-property", D + "principal-match"),
    } <= reports
    versions = [one.attrib for one in book.found[C + "supported-address-data"]]
    assert versions == [{"content-type": "text/vcard", "version": v} for v in ("3.0", "4.0")]
    assert int(book.text(C + "max-resource-size")) == 1024 * 1024
    assert book.text(D + "sync-token") == book.text(CS + "getctag")
    assert book.text(D + "sync-token").startswith("data:,")
    assert book.found[D + "acl"][0].find(D + "protected") is not None
    assert [one.text for one in book.found[C + "supported-collation-set"]] == [
        *("i;ascii-casemap", "i;octet", "i;unicode-casemap"),
    ]


def test_the_ctag_changes_with_what_is_in_the_book(dav: Dav) -> None:
    def ctag() -> str:
        (part,) = dav.propfind(dav.book, CS + "getctag").responses.values()
        return part.text(CS + "getctag")

    seen = [ctag()]
    assert ctag() == seen[0]
    dav.put(dav.book + "a.vcf", card("a"))
    seen.append(ctag())
    dav.put(dav.book + "a.vcf", card("a", "Other"))
    seen.append(ctag())
    dav.put(dav.book + "a.vcf", card("a", "Other"))
    assert ctag() == seen[-1]
    dav.ask("DELETE", dav.book + "a.vcf")
    seen.append(ctag())
    assert len(set(seen)) == 4


def test_properties_of_cards(dav: Dav) -> None:
    etag = dav.put(dav.book + "a.vcf", card("a")).fields["etag"]
    found = dav.ask("PROPFIND", dav.book, Depth="1").responses
    one = found[dav.book + "a.vcf"]
    assert one.text(D + "getetag") == etag
    assert one.text(D + "getcontenttype") == "text/vcard; charset=utf-8"
    assert one.text(D + "getcontentlength") == str(len(card("a")))
    assert one.text(D + "getlastmodified").endswith(" GMT")
    assert one.text(D + "creationdate").endswith("Z")
    assert one.found[D + "resourcetype"].text is None and not one.names(D + "resourcetype")
    assert D + "acl" not in one.found  # by name alone
    infinite = dav.ask("PROPFIND", dav.book + "a.vcf")
    assert list(infinite.responses) == [dav.book + "a.vcf"]


def test_ways_to_ask(dav: Dav) -> None:
    book = dav.book
    named = dav.ask("PROPFIND", book, f"<D:propfind {NS}><D:propname/></D:propfind>", Depth="0")
    (part,) = named.responses.values()
    assert {D + "displayname", D + "acl", C + "max-resource-size", D + "sync-token"} <= set(
        part.found
    )
    assert all(element.text is None and not len(element) for element in part.found.values())
    body = f"<D:propfind {NS}><D:allprop/><D:include><D:sync-token/></D:include></D:propfind>"
    (part,) = dav.ask("PROPFIND", book, body, Depth="0").responses.values()
    assert {D + "displayname", D + "resourcetype", D + "sync-token"} == set(part.found)
    whole = dav.ask("PROPFIND", book, asking("propfind", (D + "displayname",)))
    assert (whole.status, whole.condition) == (403, D + "propfind-finite-depth")
    assert dav.ask("PROPFIND", book, Depth="2").status == 400
    assert dav.ask("PROPFIND", book, "<x/>", Depth="0").status == 400
    assert dav.ask("PROPFIND", book, f"<D:propfind {NS}/>", Depth="0").status == 400
    assert dav.ask("PROPFIND", book, "<x", Depth="0").status == 400
    assert dav.ask("PROPFIND", book, b"<a>" * 100_000, Depth="0").status == 413
    for path in ("/dav/x", "/dav/books/A0/", "/dav/%ff/", "/dav/principals/A0/", dav.home + "no/"):
        assert dav.propfind(path, D + "displayname").status == 404


def test_entities_are_refused_by_precondition(dav: Dav) -> None:
    body = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><x>&e;</x>'
    for method in ("PROPFIND", "PROPPATCH", "REPORT"):
        refused = dav.ask(method, dav.book, body, Depth="0")
        assert (refused.status, refused.condition) == (403, D + "no-external-entities")


def test_less_on_request(dav: Dav) -> None:
    """RFC 8144, and what older clients say."""
    for fields in ({"Prefer": "return=minimal"}, {"Brief": "t"}):
        answer = dav.propfind(dav.book, D + "displayname", "{urn:x}none", **fields)
        (part,) = answer.responses.values()
        assert not part.others and set(part.found) == {D + "displayname"}
        assert answer.fields["preference-applied"] == "return=minimal"
    (part,) = dav.propfind(dav.book, "{urn:x}none", Prefer="return=minimal").responses.values()
    assert not part.others and not part.found


def test_a_new_book(dav: Dav) -> None:
    sets = (
        "<D:displayname>Fri &amp; ends</D:displayname>"
        "<C:addressbook-description>Theirs</C:addressbook-description>"
        "<AB:addressbook-color>#ff0000ff</AB:addressbook-color>"
        '<X:odd X:a="1">some <X:b/> thing</X:odd>'
    )
    path = dav.home + "friends%20%C3%A9/"
    assert dav.ask("MKCOL", path, mkcol(sets)).status == 201
    names = (
        D + "displayname",
        C + "addressbook-description",
        AB + "addressbook-color",
        "{http://x.test/}odd",
    )
    part = dav.propfind(dav.home, *names, depth="1").responses[path]
    assert part.text(D + "displayname") == "Fri & ends"
    assert part.text(C + "addressbook-description") == "Theirs"
    assert part.text(AB + "addressbook-color") == "#ff0000ff"
    odd = part.found["{http://x.test/}odd"]
    assert ElementTree.tostring(odd, encoding="unicode", method="text") == "some  thing"
    assert odd.attrib == {"{http://x.test/}a": "1"}
    assert dav.ask("MKCOL", path, mkcol("")).status == 405
    assert dav.ask("DELETE", path, Depth="0").status == 400
    assert dav.ask("DELETE", path).status == 204
    assert dav.propfind(path, D + "displayname").status == 404


def test_what_is_no_new_book(dav: Dav) -> None:
    home = dav.home
    plain = dav.ask("MKCOL", home + "plain/")
    assert (plain.status, plain.condition) == (403, D + "valid-resourcetype")
    calendar = dav.ask("MKCOL", home + "cal/", mkcol("", "<D:collection/><X:calendar/>"))
    assert (calendar.status, calendar.condition) == (403, D + "valid-resourcetype")
    inside = dav.ask("MKCOL", dav.book + "deep/", mkcol(""))
    assert (inside.status, inside.condition) == (403, C + "addressbook-collection-location-ok")
    for path in ("/dav/", "/dav/books/", home):
        assert dav.ask("MKCOL", path, mkcol("")).status == 405
    refused = dav.ask("MKCOL", home + "x/", mkcol("<D:getetag>1</D:getetag><X:a/>"))
    assert refused.status == 403 and refused.root.tag == D + "mkcol-response"
    statuses = [one.findtext(D + "status") for one in refused.root]
    assert statuses == ["HTTP/1.1 403 Forbidden", "HTTP/1.1 424 Failed Dependency"]
    assert dav.propfind(home + "x/", D + "displayname").status == 404


def test_properties_are_set_together_or_not_at_all(dav: Dav) -> None:
    book = dav.book
    sets = "<D:displayname>Mine</D:displayname><X:dead>kept</X:dead>"
    (part,) = dav.ask("PROPPATCH", book, update(sets)).responses.values()
    assert set(part.found) == {D + "displayname", "{http://x.test/}dead"}
    wrong = "<D:displayname>Other</D:displayname><D:getetag>1</D:getetag>"
    (part,) = dav.ask("PROPPATCH", book, update(wrong)).responses.values()
    assert part.others == {
        D + "displayname": "HTTP/1.1 424 Failed Dependency",
        D + "getetag": "HTTP/1.1 403 Forbidden",
    }
    assert part.element.find(f".//{D}cannot-modify-protected-property") is not None
    asked = (D + "displayname", "{http://x.test/}dead", C + "addressbook-description")
    (part,) = dav.propfind(book, *asked).responses.values()
    assert part.text(D + "displayname") == "Mine"
    assert part.text("{http://x.test/}dead") == "kept"
    assert part.others == {C + "addressbook-description": "HTTP/1.1 404 Not Found"}
    removes = "<X:dead/><X:never/>"
    (part,) = dav.ask("PROPPATCH", book, update(removes=removes)).responses.values()
    assert set(part.found) == {"{http://x.test/}dead", "{http://x.test/}never"}
    (part,) = dav.propfind(book, *asked).responses.values()
    assert "{http://x.test/}dead" in part.others
    for path in (
        dav.home,
        "/dav/",
        dav.propfind("/", D + "owner").responses["/"].href_of(D + "owner"),
    ):
        answer = dav.ask("PROPPATCH", path, update("<D:displayname>No</D:displayname>"))
        if answer.status == 207:
            (part,) = answer.responses.values()
            assert part.others == {D + "displayname": "HTTP/1.1 403 Forbidden"}
        else:
            assert answer.condition == D + "need-privileges"
    assert dav.ask("PROPPATCH", book, update("<X:d>" + "x" * 100_000 + "</X:d>")).status == 403


def test_a_book_goes_with_its_cards(dav: Dav) -> None:
    book = dav.book
    dav.put(book + "a.vcf", card("a"))
    assert dav.ask("DELETE", book, If_Match='"x"').status == 412
    assert dav.ask("DELETE", book).status == 204
    assert dav.ask("GET", book + "a.vcf").status == 404
    for path in (dav.home, "/dav/"):
        assert dav.ask("DELETE", path).status == 403


def test_lists_of_access_are_the_servers_own(dav: Dav) -> None:
    refused = dav.ask("ACL", dav.book, f"<D:acl {NS}/>")
    assert (refused.status, refused.condition) == (403, D + "no-protected-ace-conflict")


def test_reports_about_principals(dav: Dav, address: str) -> None:
    (root,) = dav.propfind("/", D + "current-user-principal").responses.values()
    principal = root.href_of(D + "current-user-principal")
    name = "<D:prop><D:displayname/></D:prop>"

    def found(path: str, body: str) -> list[str]:
        return list(dav.report(path, body, "0").responses)

    match = f"<D:principal-match {NS}><D:self/>{name}</D:principal-match>"
    assert found("/dav/principals/", match) == [principal]
    owned = (
        f"<D:principal-match {NS}><D:principal-property><D:owner/></D:principal-property>{name}"
        "</D:principal-match>"
    )
    dav.put(dav.book + "a.vcf", card("a"))
    assert found(dav.home, owned) == [dav.book, dav.book + "a.vcf"]
    assert found("/dav/books/", owned) == [dav.home, dav.book, dav.book + "a.vcf"]

    def search(text: str, prop: str = "<D:displayname/>") -> str:
        return (
            f"<D:principal-property-search {NS}><D:property-search><D:prop>{prop}</D:prop>"
            f"<D:match>{text}</D:match></D:property-search>{name}</D:principal-property-search>"
        )

    assert found("/dav/principals/", search(address[:4].upper())) == [principal]
    assert found("/dav/principals/", search("other")) == []
    assert found("/dav/principals/", search(address, "<X:none/>")) == []
    told = dav.report("/dav/principals/", f"<D:principal-search-property-set {NS}/>", "0")
    assert told.root.tag == D + "principal-search-property-set" and len(told.root) == 2
    expand = (
        f'<D:expand-property {NS}><D:property name="current-user-principal">'
        '<D:property name="addressbook-home-set" namespace="urn:ietf:params:xml:ns:carddav"/>'
        "</D:property></D:expand-property>"
    )
    expanded = dav.report("/dav/", expand, "0").root
    assert expanded.findtext(f".//{C}addressbook-home-set/{D}href") == dav.home
    assert expanded.findtext(f".//{D}status") == OK
    odd = f'<D:expand-property {NS}><D:property name="x&gt;&lt;y/"/></D:expand-property>'
    assert dav.report("/dav/", odd, "0").status == 400
    many = '<D:property name="owner"/>' * 201
    assert dav.report("/dav/", f"<D:expand-property {NS}>{many}</D:expand-property>").status == 400
    refused = dav.report(dav.book, f"<X:unknown {NS}/>")
    assert (refused.status, refused.condition) == (403, D + "supported-report")
    assert dav.report("/dav/principals/", match, "1").status == 400


def test_the_users_own_card(dav: Dav, address: str) -> None:
    """CARDDAV:principal-address (RFC 6352 §7.1.2)."""
    (root,) = dav.propfind("/", D + "current-user-principal").responses.values()
    principal = root.href_of(D + "current-user-principal")
    (part,) = dav.propfind(principal, C + "principal-address").responses.values()
    assert C + "principal-address" in part.others
    dav.put(dav.book + "me.vcf", card("me", "Me", f"EMAIL:{address}"))
    (part,) = dav.propfind(principal, C + "principal-address").responses.values()
    assert part.href_of(C + "principal-address") == dav.book + "me.vcf"
