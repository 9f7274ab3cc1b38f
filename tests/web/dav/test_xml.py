"""XML from clients: bounded, without entities; XML to clients: what was said parses back."""

import tracemalloc
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.dav.errors import DavError
from web.dav.names import D
from web.dav.xml_read import MAX_DEPTH, MAX_ELEMENTS, Element, parse_xml
from web.dav.xml_write import document, escape, tag, text_tag, written

LAUGHS = b"".join(
    b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10 if level else b"ha" * 100)
    for level in range(10)
)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<!DOCTYPE x [" + LAUGHS + b"]><x>&l9;</x>", id="billion-laughs"),
        pytest.param(
            b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', id="external"
        ),
        pytest.param(
            b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x">%p;]><x/>', id="parameter"
        ),
        pytest.param(b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>', id="document-type"),
    ],
)
def test_entities_are_refused(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DavError) as refused:
            parse_xml(body)
        assert (refused.value.status, refused.value.condition) == (403, D + "no-external-entities")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_an_entity_without_a_document_type_is_no_xml() -> None:
    with pytest.raises(DavError) as refused:
        parse_xml(b"<x>&e;</x>")
    assert refused.value.status == 400


def test_depth_is_bounded() -> None:
    def nested(levels: int) -> bytes:
        return b"<a>" * levels + b"</a>" * levels

    assert parse_xml(nested(MAX_DEPTH)).name == "a"
    with pytest.raises(DavError) as refused:
        parse_xml(nested(MAX_DEPTH + 1))
    assert refused.value.status == 400


def test_elements_and_attributes_are_counted() -> None:
    with pytest.raises(DavError) as refused:
        parse_xml(b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>")
    assert refused.value.status == 413
    with pytest.raises(DavError):
        parse_xml(b"<a " + b" ".join(b'x%d=""' % n for n in range(100)) + b"/>")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"\xff\xfe\x00",
        b"<a/><b/>",
        b"<x:a/>",
        b'<?xml version="1.0" encoding="nobody"?><a/>',
        b"plain text",
    ],
    ids=["empty", "open", "crossed", "octets", "two", "prefix", "encoding", "text"],
)
def test_what_is_no_xml_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(DavError) as refused:
        parse_xml(body)
    assert refused.value.status == 400


@given(st.binary(max_size=200))
def test_any_octets_are_parsed_or_refused(data: bytes) -> None:
    for body in (data, b"<a>" + data + b"</a>"):
        try:
            parse_xml(body)
        except DavError as error:
            assert 400 <= error.status < 500


def test_names_have_namespaces_whatever_the_prefix() -> None:
    found = parse_xml(
        b'<q:propfind xmlns:q="DAV:"><prop xmlns="DAV:"><z xmlns=""/></prop></q:propfind>'
    )
    assert (found.name, found.children[0].name) == (D + "propfind", D + "prop")
    assert found.children[0].children[0].name == "z"


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Cs"]), max_size=20) | (
    st.sampled_from(["\r\n", "]]>", "a\rb", "&amp;", "<", '"', "\t", "é\U0001f600"])
)
NAME = st.sampled_from(
    [
        *("a", "{DAV:}prop", "{urn:q}b", "{http://x/?a=1&b='2'}c-d", "{urn:q}_e"),
        *("{http://www.w3.org/XML/1998/namespace}space", "{a}b><c/>}d"),
    ]
)


def _elements(children: st.SearchStrategy[list[Element]]) -> st.SearchStrategy[Element]:
    attributes = st.dictionaries(NAME, TEXT, max_size=2)
    return st.builds(Element, NAME, attributes, children, TEXT, TEXT)


@given(
    st.recursive(
        _elements(st.builds(list)),
        lambda inner: _elements(st.lists(inner, max_size=3)),
        max_leaves=8,
    )
)
def test_what_is_written_is_read(element: Element) -> None:
    element.tail = ""
    assert parse_xml(document(D + "root", written(element))).children == [element]


def test_line_ends_of_a_card_survive() -> None:
    said = document(D + "x", text_tag("{urn:ietf:params:xml:ns:carddav}address-data", "A\r\nB\n"))
    (data,) = ElementTree.fromstring(said)
    assert data.text == "A\r\nB\n"


def test_what_xml_cannot_carry_is_left_out() -> None:
    assert escape("a\x00b\x0bc\ud800d\uffff") == "abcd"


def test_foreign_names_are_declared_where_they_are() -> None:
    said = document(D + "prop", tag("{http://x.test/ns}thing") + tag("{DAV:}href"))
    root = ElementTree.fromstring(said)
    assert [one.tag for one in root] == ["{http://x.test/ns}thing", "{DAV:}href"]
