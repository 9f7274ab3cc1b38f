"""Bodies of requests: what they ask for, and that any XML is understood or refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.dav.errors import DavError
from web.dav.filter import CardFilter
from web.dav.names import ADDRESS_DATA, C, D
from web.dav.paths import Kind, Path, parse_path, path_of
from web.dav.report_request import Multiget, Query, Sync, parse_report
from web.dav.request import (
    Asked,
    CardData,
    CardProperty,
    MkCol,
    Which,
    parse_mkcol,
    parse_propfind,
    parse_proppatch,
)
from web.dav.xml_read import Element
from web.dav.xml_write import document, written

NS = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'


def test_propfind() -> None:
    assert parse_propfind(b" \r\n") == Asked(Which.ALL)
    body = f"<propfind {NS}><prop><getetag/><C:x/><getetag/></prop><odd/></propfind>"
    assert parse_propfind(body.encode()) == Asked(Which.NAMED, (D + "getetag", C + "x"))
    both = f"<propfind {NS}><prop/><allprop/></propfind>"
    many = f"<propfind {NS}><prop>{''.join(f'<p{n}/>' for n in range(300))}</prop></propfind>"
    for wrong in (both, many):
        with pytest.raises(DavError) as refused:
            parse_propfind(wrong.encode())
        assert refused.value.status == 400


def test_proppatch_and_mkcol() -> None:
    body = (
        f"<propertyupdate {NS}><set><prop><a>1</a></prop></set>"
        "<remove><prop><b/></prop></remove></propertyupdate>"
    )
    first, second = parse_proppatch(body.encode())
    assert (first.name, first.value and first.value.text) == (D + "a", "1")
    assert (second.name, second.value) == (D + "b", None)
    assert parse_mkcol(b"") == MkCol(frozenset({D + "collection"}), ())
    for parse, wrong in ((parse_proppatch, f"<propertyupdate {NS}/>"), (parse_mkcol, "<x/>")):
        with pytest.raises(DavError):
            parse(wrong.encode())


def test_reports() -> None:
    data = (
        f'<C:addressbook-multiget {NS}><prop><C:address-data content-type="text/vcard" '
        'version="4.0"><C:prop name="FN"/><C:prop name="TEL" novalue="yes"/></C:address-data>'
        "</prop><href> /dav/books/A1/b/c </href></C:addressbook-multiget>"
    )
    card = CardData("4.0", (CardProperty("FN"), CardProperty("TEL", bare=True)))
    asked = Asked(Which.NAMED, (ADDRESS_DATA,), card)
    assert parse_report(data.encode()) == Multiget(asked, ("/dav/books/A1/b/c",))
    data = (
        f"<C:addressbook-query {NS}><C:filter/><C:limit><C:nresults>5</C:nresults></C:limit>"
        "</C:addressbook-query>"
    )
    assert parse_report(data.encode()) == Query(Asked(), CardFilter(), 5)
    data = (
        f"<sync-collection {NS}><sync-token/><sync-level>infinite</sync-level><prop/>"
        "</sync-collection>"
    )
    assert parse_report(data.encode()) == Sync(Asked(), "", 0)


NAMES = st.sampled_from(
    [
        *(D + name for name in ("propfind", "prop", "allprop", "propname", "include", "set")),
        *(D + name for name in ("propertyupdate", "remove", "mkcol", "resourcetype", "href")),
        *(D + name for name in ("sync-collection", "sync-token", "sync-level", "limit", "self")),
        *(D + name for name in ("nresults", "expand-property", "property", "principal-match")),
        *(D + name for name in ("principal-property-search", "property-search", "match")),
        *(D + name for name in ("acl-principal-prop-set", "principal-search-property-set")),
        *(C + name for name in ("addressbook-query", "addressbook-multiget", "filter", "limit")),
        *(C + name for name in ("prop-filter", "param-filter", "text-match", "is-not-defined")),
        *(C + name for name in ("address-data", "prop", "nresults", "allprop")),
    ]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["name", "test", "collation", "match-type", "version", "content-type"]),
    st.sampled_from(["FN", "anyof", "allof", "x", "i;octet", "equals", "4.0", "text/vcard", ""]),
    max_size=2,
)
TEXTS = st.sampled_from(["", "1", "0", "-1", "/dav/books/A1/b/c", "data:,1-2", "é"])


def _elements(children: st.SearchStrategy[list[Element]]) -> st.SearchStrategy[Element]:
    return st.builds(Element, NAMES, ATTRIBUTES, children, TEXTS)


ANY = st.recursive(
    _elements(st.builds(list)), lambda inner: _elements(st.lists(inner, max_size=4)), max_leaves=12
)


@pytest.mark.parametrize("parse", [parse_propfind, parse_proppatch, parse_mkcol, parse_report])
@given(root=ANY)
def test_any_document_is_understood_or_refused(
    parse: Callable[[bytes], object], root: Element
) -> None:
    inside = "".join(map(written, root.children))
    try:
        parse(document(root.name, inside))
    except DavError as error:
        assert 400 <= error.status < 500


@pytest.mark.parametrize("parse", [parse_propfind, parse_proppatch, parse_mkcol])
def test_elements_of_a_body_are_bounded(parse: Callable[[bytes], object]) -> None:
    body = f"<propertyupdate {NS}>{'<a/>' * 5_000}</propertyupdate>"
    with pytest.raises(DavError) as refused:
        parse(body.encode())
    assert refused.value.status == 413


SEGMENTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)


@given(SEGMENTS, SEGMENTS, SEGMENTS)
def test_paths_there_and_back(user: str, book: str, card: str) -> None:
    path = Path(Kind.CARD, user, book, card)
    if {user, book, card} & {".", ".."}:
        with pytest.raises(DavError):
            parse_path(path.href)
        return
    if len(path.href) <= 4096:
        assert parse_path(path.href) == path
        assert path_of("https://any.test:8443" + path.href) == path


@pytest.mark.parametrize(
    "path",
    [
        *("/x", "/dav/x", "/dav/books/a/b/c/d", "/dav/books//b", "/dav/%00"),
        *("/dav/%ff", "/dav/books/%2e%2e/x", "/dav/books/a%2Fb"),
    ],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(DavError) as refused:
        parse_path(path)
    assert refused.value.status == 404
