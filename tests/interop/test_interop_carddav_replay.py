# A replay of what Thunderbird, iOS and DAVx5 are known to send; none of them runs here.
"""CardDAV as Thunderbird, iOS and DAVx5 speak it: discovery at the bare host, first fill, the sync
of every half hour, writes.
"""

import http.client
from urllib.parse import urljoin, urlsplit

import pytest

from tests.interop import carddav_replay as say
from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site
from tests.support.dav import CS, Answer, C, D, Part, card, group
from tests.support.jmap import basic

pytestmark = both_databases


class Program:
    """Sends requests over TLS, as a program with the user's login does."""

    def __init__(self, site: Site, account: Account) -> None:
        self._site = site
        self._headers = basic(account.address, account.password)

    def ask(self, method: str, path: str, body: str = "", **fields: str) -> Answer:
        """Follows redirects with method, body, login and Depth kept."""
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        named.setdefault("Content-Type", "application/xml; charset=utf-8")
        for _ in range(5):
            tls = http.client.HTTPSConnection(
                HOST, self._site.port("https"), context=self._site.tls(), timeout=30
            )
            tls.request(method, path, body.encode(), {**self._headers, **named})
            answer = tls.getresponse()
            data = answer.read()
            tls.close()
            got = {name.lower(): value for name, value in answer.headers.items()}
            if answer.status not in (301, 302, 303, 307, 308):
                return Answer(answer.status, got, data)
            path = urlsplit(urljoin(path, got["location"])).path
        raise AssertionError("redirected for ever")


@pytest.fixture
def program(site: Site, account: Account) -> Program:
    return Program(site, account)


class TestThunderbird:
    def books(self, program: Program) -> dict[str, Part]:
        """From nothing but the host."""
        for path in ("/.well-known/carddav", "/"):
            found = program.ask("PROPFIND", path, say.PRINCIPAL, Depth="0")
            assert "HTTP/1.1 200 OK" in found.data.decode()
            (root,) = found.responses.values()
            principal = root.href_of(D + "current-user-principal")
        home = program.ask("PROPFIND", principal, say.HOME, Depth="0").responses[principal]
        path = home.href_of(C + "addressbook-home-set")
        found = program.ask("PROPFIND", path, say.PRINCIPAL, Depth="1")
        return {
            href: part
            for href, part in found.responses.items()
            if C + "addressbook" in part.names(D + "resourcetype")
        }

    def test_discovery(self, program: Program) -> None:
        (book,) = self.books(program).values()
        assert book.text(D + "displayname") == "Contacts"
        held = [one[0].tag for one in book.found[D + "current-user-privilege-set"]]
        for name in ("read", "write", "write-content", "bind", "unbind"):
            assert D + name in held

    def test_first_fill_and_what_follows(self, program: Program) -> None:
        (book,) = self.books(program)
        put = {}
        for number in range(150):
            path = f"{book}{number}.vcf"
            put[path] = card(f"urn:uuid:{number}", f"Ann {number}", version="4.0").decode()
            # no condition, and a look at what it became at once
            assert program.ask("PUT", path, put[path], Content_Type="text/vcard").status == 201
        (one,) = program.ask("REPORT", book, say.multiget([path]), Depth="1").responses.values()
        assert one.text(C + "address-data") == put[path]
        etags = program.ask("PROPFIND", book, say.ETAGS, Depth="1").responses
        hrefs = [href for href, part in etags.items() if not part.names(D + "resourcetype")]
        assert set(hrefs) == set(put)
        filled = program.ask("REPORT", book, say.multiget(hrefs), Depth="1").responses
        assert {href: part.text(C + "address-data") for href, part in filled.items()} == put
        assert all(
            part.text(D + "getetag") == etags[href].text(D + "getetag")
            for href, part in filled.items()
        )
        (state,) = program.ask("PROPFIND", book, say.TOKEN, Depth="0").responses.values()
        token = state.text(D + "sync-token")
        assert token == state.text(CS + "getctag")
        quiet = program.ask("REPORT", book, say.sync(token), Depth="1")
        assert quiet.responses == {} and quiet.token == token
        changed = card("urn:uuid:3", "Changed", version="4.0").decode()
        assert program.ask("PUT", f"{book}3.vcf", changed, Content_Type="text/vcard").status == 204
        assert program.ask("DELETE", f"{book}4.vcf").status == 204
        told = program.ask("REPORT", book, say.sync(token), Depth="1")
        assert set(told.responses) == {f"{book}3.vcf", f"{book}4.vcf"}
        assert told.responses[f"{book}3.vcf"].text(C + "address-data") == changed
        gone = told.responses[f"{book}4.vcf"].element
        # the status stands directly in the response
        assert gone.findtext(D + "status") == "HTTP/1.1 404 Not Found"
        assert gone.find(D + "propstat") is None

    def test_a_token_of_another_server_makes_it_begin_anew(self, program: Program) -> None:
        (book,) = self.books(program)
        lost = program.ask("REPORT", book, say.sync("http://sabre.io/ns/sync/12"), Depth="1")
        assert lost.status == 400
        again = program.ask("REPORT", book, say.sync(""), Depth="1")
        assert again.status == 207 and again.token

    def test_no_group_shows_as_a_person(self, site: Site, account: Account) -> None:
        """One that was made elsewhere, here by the command."""
        program = Program(site, account)
        (book,) = self.books(program)
        program.ask("PUT", book + "a.vcf", card("a").decode(), Content_Type="text/vcard")
        add = {"address": account.address, "email": "b@world.test", "name": "Bee"}
        site.server.perform("contact.add", **add, groups=["Friends"])
        told = program.ask("REPORT", book, say.sync(""), Depth="1").responses
        names = sorted(part.text(C + "address-data") for part in told.values())
        assert len(names) == 2 and not any("Friends" in one for one in names)
        etags = program.ask("PROPFIND", book, say.ETAGS, Depth="1").responses
        assert len(etags) == 3
        fourth = (
            '<sync-collection xmlns="DAV:" xmlns:card="urn:ietf:params:xml:ns:carddav">'
            "<sync-token/><sync-level>1</sync-level><prop><getetag/>"
            '<card:address-data content-type="text/vcard" version="4.0"/></prop></sync-collection>'
        )
        cards = program.ask("REPORT", book, fourth, Depth="1").responses.values()
        assert any("KIND:group" in part.text(C + "address-data") for part in cards)


class TestIos:
    def test_a_day(self, program: Program) -> None:
        found = program.ask("PROPFIND", "/.well-known/carddav", say.APPLE_PRINCIPAL, Depth="0")
        (root,) = found.responses.values()
        principal = root.href_of(D + "current-user-principal")
        options = program.ask("OPTIONS", principal)
        assert "addressbook" in options.fields["dav"] and "access-control" in options.fields["dav"]
        (me,) = program.ask("PROPFIND", principal, say.APPLE_HOME, Depth="0").responses.values()
        home = me.href_of(C + "addressbook-home-set")
        assert me.others[C + "directory-gateway"] == "HTTP/1.1 404 Not Found"
        books = program.ask("PROPFIND", home, say.APPLE_BOOKS, Depth="1").responses
        (book,) = [
            href
            for href, one in books.items()
            if C + "addressbook" in one.names(D + "resourcetype")
        ]
        assert books[book].href_of(D + "owner") == principal
        (state,) = program.ask("PROPFIND", book, say.APPLE_CTAG, Depth="0").responses.values()
        token = state.text(D + "sync-token")
        uid = "6F1B2C3D-0000-4000-8000-000000000001"
        path = f"{book}{uid}.vcf"
        fields = {"If_None_Match": "*", "Content_Type": "text/vcard"}
        ann = card(uid, "Ann Bee", "item1.X-ABLabel:_$!<Home>!$_")
        made = program.ask("PUT", path, ann.decode(), **fields)
        assert made.status == 201
        apple = "X-ADDRESSBOOKSERVER"
        kept = (f"{apple}-KIND:group", f"{apple}-MEMBER:urn:uuid:{uid}")
        people = card("g", "Friends", *kept)
        assert program.ask("PUT", book + "g.vcf", people.decode(), **fields).status == 201
        told = program.ask("REPORT", book, say.apple_sync(token), Depth="1")
        assert set(told.responses) == {path, book + "g.vcf"}
        assert told.responses[path].text(D + "getetag") == made.fields["etag"]
        filled = program.ask("REPORT", book, say.apple_multiget(list(told.responses)), Depth="0")
        data = {
            href: one.text(C + "address-data").encode() for href, one in filled.responses.items()
        }
        assert data == {path: ann, book + "g.vcf": people}
        changed = ann.replace(b"Ann Bee", b"Ann Ray").decode()
        fields = {"If_Match": made.fields["etag"], "Content_Type": "text/vcard"}
        assert program.ask("PUT", path, changed, **fields).status == 204
        assert program.ask("PUT", path, changed.replace("Ray", "Roe"), **fields).status == 412
        assert program.ask("DELETE", path, **fields).status == 412
        assert program.ask("DELETE", path).status == 204


class TestDavx5:
    def test_a_day(self, program: Program) -> None:
        options = program.ask("OPTIONS", "/dav/")
        assert "addressbook" in options.fields["dav"]
        found = program.ask("PROPFIND", "/.well-known/carddav", say.DAVX5_PRINCIPAL, Depth="0")
        (root,) = found.responses.values()
        home = root.href_of(C + "addressbook-home-set")
        books = program.ask("PROPFIND", home, say.DAVX5_BOOKS, Depth="1").responses
        (book,) = [
            href
            for href, one in books.items()
            if C + "addressbook" in one.names(D + "resourcetype")
        ]
        offered = books[book].found[C + "supported-address-data"]
        assert [one.get("version") for one in offered] == ["3.0", "4.0"]
        reports = [one[0][0].tag for one in books[book].found[D + "supported-report-set"]]
        assert D + "sync-collection" in reports
        first = program.ask("REPORT", book, say.davx5_sync(""), Depth="0")
        assert first.responses == {}
        fields = {"If_None_Match": "*", "Content_Type": "text/vcard; charset=utf-8"}
        ann = card("ann", "Ann Bee", "TEL;TYPE=cell:+1 23", version="4.0")
        made = program.ask("PUT", book + "ann.vcf", ann.decode(), **fields)
        people = group("friends", "Friends", "ann").decode()
        assert program.ask("PUT", book + "friends.vcf", people, **fields).status == 201
        third = card("bob", "Bob Ray", "EMAIL;TYPE=INTERNET,HOME:b@world.test").decode()
        program.ask("PUT", book + "bob.vcf", third, Content_Type="text/vcard")
        told = program.ask("REPORT", book, say.davx5_sync(first.token), Depth="0")
        names = {"ann.vcf", "bob.vcf", "friends.vcf"}
        assert set(told.responses) == {book + name for name in names}
        assert told.responses[book + "ann.vcf"].text(D + "getetag") == made.fields["etag"]
        cards = program.ask("REPORT", book, say.davx5_multiget(list(told.responses)), Depth="0")
        data = {href: one.text(C + "address-data") for href, one in cards.responses.items()}
        assert data[book + "ann.vcf"].encode() == ann
        assert "VERSION:4.0" in data[book + "bob.vcf"] and "b@world.test" in data[book + "bob.vcf"]
        assert data[book + "friends.vcf"] == people
        gone = program.ask("DELETE", book + "ann.vcf", If_Match=made.fields["etag"])
        assert gone.status == 204
        assert program.ask("DELETE", book + "ann.vcf", If_Match=made.fields["etag"]).status == 404
