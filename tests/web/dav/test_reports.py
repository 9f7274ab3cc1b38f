"""addressbook-query, addressbook-multiget and sync-collection."""

import pytest

from tests.support.dav import C, D, Dav, card, group, props

NOT_FOUND = "HTTP/1.1 404 Not Found"


@pytest.fixture
def people(dav: Dav) -> str:
    """A book with three cards."""
    book = dav.book
    dav.put(
        book + "ann.vcf",
        card("ann", "Ann Bee", "EMAIL;TYPE=HOME:Ann@World.test", "item1.TEL:+1", "NOTE:x\\, y"),
    )
    dav.put(book + "bob.vcf", card("bob", "Bob Ray", "EMAIL;TYPE=WORK:bob@world.test"))
    dav.put(book + "eva.vcf", card("eva", "Éva Straße", "NICKNAME:Evi", version="4.0"))
    return book


def prop(name: str, inside: str = "", test: str = "anyof") -> str:
    return f'<C:prop-filter name="{name}" test="{test}">{inside}</C:prop-filter>'


def text(text: str, match: str = "contains", more: str = "") -> str:
    return f'<C:text-match match-type="{match}" {more}>{text}</C:text-match>'


TYPE = '<C:param-filter name="TYPE">{}</C:param-filter>'
ASCII, OCTET = 'collation="i;ascii-casemap"', 'collation="i;octet"'


@pytest.mark.parametrize(
    ("filters", "test", "names"),
    [
        pytest.param("", "anyof", "ann bob eva", id="no-test"),
        pytest.param(prop("email"), "anyof", "ann bob", id="defined"),
        pytest.param(prop("EMAIL", "<C:is-not-defined/>"), "anyof", "eva", id="not-defined"),
        pytest.param(prop("EMAIL", text("WORLD.TEST")), "anyof", "ann bob", id="contains"),
        pytest.param(prop("EMAIL", text("bob", "starts-with")), "anyof", "bob", id="starts"),
        pytest.param(prop("EMAIL", text(".TEST", "ends-with")), "anyof", "ann bob", id="ends"),
        pytest.param(prop("FN", text("ann bee", "equals")), "anyof", "ann", id="equals"),
        pytest.param(prop("FN", text("ÉVA STRASSE", "equals")), "anyof", "", id="no-full-folding"),
        pytest.param(prop("FN", text("éVA", "starts-with")), "anyof", "eva", id="unicode"),
        pytest.param(prop("FN", text("éva", "starts-with", ASCII)), "anyof", "", id="ascii"),
        pytest.param(prop("EMAIL", text("ann@", "contains", OCTET)), "anyof", "", id="octet"),
        pytest.param(prop("NOTE", text("x, y", "equals")), "anyof", "ann", id="unescaped"),
        pytest.param(
            prop("FN", text("bob", "contains", 'negate-condition="yes"')),
            "anyof",
            "ann eva",
            id="negated",
        ),
        pytest.param(prop("EMAIL", TYPE.format(text("home"))), "anyof", "ann", id="parameter"),
        pytest.param(prop("EMAIL", TYPE.format("")), "anyof", "ann bob", id="parameter-defined"),
        pytest.param(
            prop("FN", TYPE.format("<C:is-not-defined/>")), "anyof", "ann bob eva", id="none"
        ),
        pytest.param(
            prop("EMAIL", TYPE.format(text("home")) + text("bob"), "anyof"),
            "anyof",
            "ann bob",
            id="any-inside",
        ),
        pytest.param(
            prop("EMAIL", TYPE.format(text("home")) + text("bob"), "allof"),
            "anyof",
            "",
            id="all-inside",
        ),
        pytest.param(prop("EMAIL") + prop("NICKNAME"), "anyof", "ann bob eva", id="any"),
        pytest.param(prop("EMAIL") + prop("FN", text("ann")), "allof", "ann", id="all"),
        pytest.param(prop("item1.TEL"), "anyof", "ann", id="in-a-group"),
        pytest.param(prop("item2.TEL"), "anyof", "", id="in-another-group"),
        pytest.param(prop("TEL"), "anyof", "ann", id="in-any-group"),
    ],
)
def test_a_query_finds(dav: Dav, people: str, filters: str, test: str, names: str) -> None:
    found = dav.query(people, filters, test=test).responses
    assert set(found) == {f"{people}{name}.vcf" for name in names.split()}
    assert all(part.text(D + "getetag") for part in found.values())


def test_a_query_looks_as_deep_as_it_says(dav: Dav, people: str) -> None:
    """Without Depth, at the book itself, which is no card (RFC 6352 §8.6)."""
    body = (
        '<C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'
        "<D:prop><D:getetag/></D:prop><C:filter/></C:addressbook-query>"
    )
    assert dav.ask("REPORT", people, body).responses == {}
    counts = [len(dav.report(people, body, depth).responses) for depth in ("0", "1", "infinity")]
    assert counts == [0, 3, 3]


def test_limits_of_a_query(dav: Dav, people: str) -> None:
    answer = dav.query(people, prop("FN"), limit=2)
    found = answer.responses
    cut = found.pop(people)
    assert cut.status == "HTTP/1.1 507 Insufficient Storage"
    assert cut.element.find(f"{D}error/{D}number-of-matches-within-limits") is not None
    assert len(found) == 2
    assert len(dav.query(people, prop("FN"), limit=3).responses) == 3


@pytest.mark.parametrize(
    ("filters", "status", "condition"),
    [
        pytest.param(
            prop("FN", text("a", "contains", 'collation="i;none"')),
            403,
            C + "supported-collation",
            id="collation",
        ),
        pytest.param(prop("FN", text("a", "matches")), 400, "", id="match-type"),
        pytest.param(prop("F N"), 400, "", id="name"),
        pytest.param(prop("FN", "", "some"), 400, "", id="test"),
        pytest.param(prop("FN") * 300, 403, C + "supported-filter", id="many"),
    ],
)
def test_filters_that_nobody_serves(dav: Dav, filters: str, status: int, condition: str) -> None:
    refused = dav.query(dav.book, filters)
    assert refused.status == status
    assert not condition or refused.condition == condition


def test_parts_of_cards(dav: Dav, people: str) -> None:
    """RFC 6352 §10.4.2."""
    names = (
        '<C:address-data><C:prop name="VERSION"/><C:prop name="uid"/><C:prop name="EMAIL"/>'
        '<C:prop name="NOTE" novalue="yes"/></C:address-data>'
    )
    (part,) = dav.query(people, prop("NOTE"), names=names).responses.values()
    assert part.text(C + "address-data").split("\r\n") == [
        *("BEGIN:VCARD", "VERSION:3.0", "UID:ann", "EMAIL;TYPE=HOME:Ann@World.test", "NOTE:"),
        *("END:VCARD", ""),
    ]


def test_versions_of_cards(dav: Dav, people: str) -> None:
    def told(attributes: str, name: str) -> str:
        path = f"{people}{name}.vcf"
        names = f"<C:address-data {attributes}/>"
        return dav.multiget(people, path, names=names).responses[path].text(C + "address-data")

    assert "VERSION:3.0" in told("", "ann") and "VERSION:4.0" in told("", "eva")
    fourth = told('content-type="text/vcard" version="4.0"', "ann")
    assert "VERSION:4.0" in fourth and "Ann@World.test" in fourth
    third = told('content-type="text/vcard"', "eva")
    assert "VERSION:3.0" in third and "Éva Straße" in third
    assert told('version="4.0"', "eva") == told("", "eva")
    for attributes in ('content-type="text/vcard" version="2.1"', 'content-type="text/calendar"'):
        refused = dav.multiget(people, people + "a", names=f"<C:address-data {attributes}/>")
        assert (refused.status, refused.condition) == (403, C + "supported-address-data")


def test_multiget_tells_what_is_not_there(dav: Dav, people: str) -> None:
    other = "/dav/books/A0/default/ann.vcf"
    hrefs = (
        *(people + "ann.vcf", people + "none.vcf", other, "http://x.test" + people + "bob.vcf"),
        *(people, "mailto:ann@world.test", "%", people + "%61nn.vcf"),
    )
    found = dav.multiget(people, *hrefs).responses
    assert found[people + "ann.vcf"].text(C + "address-data").startswith("BEGIN:VCARD\r\n")
    assert found[people + "bob.vcf"].text(D + "getetag")
    assert found[people + "%61nn.vcf"].text(D + "getetag")  # as the client wrote it
    for href in (people + "none.vcf", other, people, "mailto:ann@world.test", "%"):
        assert found[href].status == NOT_FOUND
    assert dav.multiget(people).status == 400


def test_a_query_of_one_card(dav: Dav, people: str) -> None:
    path = people + "ann.vcf"
    assert list(dav.query(path, prop("EMAIL")).responses) == [path]
    assert dav.query(path, prop("NICKNAME")).responses == {}
    assert list(dav.multiget(path, path).responses) == [path]


def test_a_sync_from_nothing_and_on(dav: Dav, people: str) -> None:
    first = dav.sync(people, "", D + "getetag", C + "address-data")
    assert set(first.responses) == {f"{people}{name}.vcf" for name in ("ann", "bob", "eva")}
    assert first.responses[people + "bob.vcf"].text(C + "address-data").encode() == card(
        "bob", "Bob Ray", "EMAIL;TYPE=WORK:bob@world.test"
    )
    again = dav.sync(people, first.token)
    assert again.responses == {} and again.token == first.token
    dav.put(people + "bob.vcf", card("bob", "Bob Rey"))
    dav.ask("DELETE", people + "ann.vcf")
    dav.put(people + "new.vcf", card("new"))
    dav.put(people + "brief.vcf", card("brief"))
    dav.ask("DELETE", people + "brief.vcf")
    second = dav.sync(people, first.token)
    assert set(second.responses) == {f"{people}{name}.vcf" for name in ("ann", "bob", "new")}
    assert second.responses[people + "ann.vcf"].status == NOT_FOUND
    assert not second.responses[people + "ann.vcf"].found
    (part,) = dav.propfind(people, D + "sync-token").responses.values()
    assert part.text(D + "sync-token") == second.token != first.token
    # a token is good for ever
    assert set(dav.sync(people, first.token).responses) == set(second.responses)


@pytest.mark.parametrize("depth", ["0", "1", "infinity"])
def test_a_sync_by_any_depth(dav: Dav, people: str, depth: str) -> None:
    """RFC 6578 §3.2 wants 0, Thunderbird sends 1."""
    assert len(dav.sync(people, "", depth=depth).responses) == 3


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "data:,",
        "data:,1",
        "data:,999999-1",
        "http://sabre.io/ns/sync/5",
        "{book}-99999",
        "{book}--1",
    ],
    ids=["word", "empty", "half", "other-book", "foreign", "future", "negative"],
)
def test_a_token_that_nobody_gave(dav: Dav, token: str) -> None:
    """400, since Thunderbird begins anew after that and never after 403."""
    book = dav.sync(dav.book, "").token.partition("-")[0]
    refused = dav.sync(dav.book, token.format(book=book))
    assert (refused.status, refused.condition) == (400, D + "valid-sync-token")


def test_a_sync_in_pieces(dav: Dav, people: str) -> None:
    """RFC 6578 §3.6: what is gone counts as what is new."""
    start = dav.sync(people, "").token
    dav.ask("DELETE", people + "bob.vcf")
    dav.put(people + "new.vcf", card("new"))
    dav.ask("DELETE", people + "ann.vcf")
    dav.put(people + "eva.vcf", card("eva", "Eva"))
    dav.ask("MOVE", people + "new.vcf", Destination=people + "renamed.vcf")
    told: list[tuple[str, bool]] = []
    token, sizes = start, list[int]()
    while not sizes or sizes[-1]:
        answer = dav.sync(people, token, limit=1)
        found, token = answer.responses, answer.token
        cut = found.pop(people, None)
        assert cut is None or cut.status == "HTTP/1.1 507 Insufficient Storage"
        told += [(href, part.status == NOT_FOUND) for href, part in found.items()]
        sizes.append(len(found) if cut else 0)
    assert sizes == [1, 1, 1, 0]
    assert [(href.removeprefix(people), is_gone) for href, is_gone in told] == [
        *(("bob.vcf", True), ("ann.vcf", True), ("eva.vcf", False)),
        *(("renamed.vcf", False), ("new.vcf", True)),  # one change with two names
    ]
    assert token == dav.sync(people, "").token
    assert len(dav.sync(people, "", limit=1).responses) == 2


def test_what_is_no_sync(dav: Dav) -> None:
    book = dav.book
    start = '<D:sync-collection xmlns:D="DAV:">'
    token = "<D:sync-token/>"
    name = props((D + "getetag",))
    for body in (
        start + name + "</D:sync-collection>",
        start + token + "</D:sync-collection>",
        start + token + "<D:sync-level>2</D:sync-level>" + name + "</D:sync-collection>",
        start
        + token
        + "<D:limit><D:nresults>0</D:nresults></D:limit>"
        + name
        + "</D:sync-collection>",
    ):
        assert dav.report(book, body).status == 400
    refused = dav.sync(dav.home, "")
    assert (refused.status, refused.condition) == (403, D + "supported-report")


def test_groups_are_hidden_from_who_does_not_know_them(dav: Dav) -> None:
    """Thunderbird shows such a card as a person. Who asks for vCard 4 gets them; the book says so
    too.
    """
    book = dav.book
    dav.put(book + "ann.vcf", card("ann"))
    dav.put(book + "g.vcf", group("g", "Friends", "ann"))
    switch = (
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>'
        '<show-groups xmlns="http://inf-it.com/ns/ab/">{}</show-groups>'
        "</D:prop></D:set></D:propertyupdate>"
    )
    both = {book + "ann.vcf", book + "g.vcf"}

    def seen() -> list[set[str]]:
        listed = set(dav.propfind(book, D + "getetag", depth="1").responses) - {book}
        return [listed, set(dav.sync(book, "").responses), set(dav.query(book, "").responses)]

    assert seen() == [both] * 3  # a client keeps groups there
    assert dav.ask("PROPPATCH", book, switch.format("no")).status == 207
    assert seen() == [{book + "ann.vcf"}] * 3
    assert dav.ask("GET", book + "g.vcf").status == 200
    assert dav.multiget(book, book + "g.vcf").responses[book + "g.vcf"].found
    dav.put(book + "g.vcf", group("g", "Pals", "ann"))
    assert seen() == [{book + "ann.vcf"}] * 3  # what the owner said stays


def test_a_large_book_is_told_whole(dav: Dav) -> None:
    book = dav.book
    for number in range(230):
        dav.put(f"{book}{number}.vcf", card(str(number)))
    hrefs = {f"{book}{number}.vcf" for number in range(230)}
    assert set(dav.propfind(book, D + "getetag", depth="1").responses) == hrefs | {book}
    found = dav.multiget(book, *hrefs).responses
    assert {href: part.text(C + "address-data").encode() for href, part in found.items()} == {
        f"{book}{number}.vcf": card(str(number)) for number in range(230)
    }
    assert set(dav.sync(book, "", C + "address-data").responses) == hrefs
    assert set(dav.query(book, prop("FN", text("ann"))).responses) == hrefs


def test_a_report_that_names_very_many(dav: Dav, people: str) -> None:
    """Large bodies are read beside the loop, in a process of their own."""
    hrefs = [f"{people}{number:050}.vcf" for number in range(5_000)]
    found = dav.multiget(people, *hrefs, people + "ann.vcf").responses
    assert len(found) == 5_001
    assert found[people + "ann.vcf"].found
    assert {found[href].status for href in hrefs} == {NOT_FOUND}
    doctype = "<!DOCTYPE x>" + " " * 400_000 + "<x/>"
    refused = dav.report(people, doctype)
    assert (refused.status, refused.condition) == (403, D + "no-external-entities")
