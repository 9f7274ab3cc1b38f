"""What an Email tells of its octets: forms of header fields, and which parts are its body (RFC 8621
§4.1.2, §4.1.4)."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.scan import MAX_DEPTH, MAX_HEADER
from web.jmap.errors import MethodError
from web.jmap.mail.body import DEFAULT_PART, PART_PROPERTIES
from web.jmap.mail.content import (
    BODY,
    CONVENIENCE,
    BodyOptions,
    counted_content,
    email_content,
)
from web.jmap.mail.header_forms import header_property

FORMS = ("asRaw", "asText", "asAddresses", "asGroupedAddresses", "asMessageIds", "asDate", "asURLs")


def told(data: bytes, *properties: str, **options: Any) -> dict[str, Any]:
    names = options.pop("names", DEFAULT_PART)
    return email_content(data, "B1", frozenset(properties), BodyOptions(names, **options))


def form(field: bytes, name: str) -> Any:
    return told(field + b"\r\n\r\nText\r\n", name)[name]


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        pytest.param(b"X:  a\r\n b ", "header:X", "  a\r\n b ", id="raw-as-it-stands"),
        pytest.param(b"X: a\0b", "header:X", " ab", id="raw-without-nul"),
        pytest.param(b"X: caf\xe9", "header:X:asRaw", " caf\ufffd", id="raw-no-utf-8"),
        pytest.param("X: é".encode(), "header:x", " é", id="raw-utf-8"),
        pytest.param(b"X: a\r\n\t b", "header:X:asText", "a\t b", id="text-unfolded"),
        pytest.param(b"X: =?utf-8?q?_caf=C3=A9?=", "header:X:asText", " café", id="text-word"),
        pytest.param(b"X: e\xcc\x81", "header:X:asText", "é", id="text-nfc"),
        pytest.param(b"X: =?none?q?a?=", "header:X:asText", "a", id="text-unknown-charset"),
        pytest.param(b"X: =?utf-8?x?a?=", "header:X:asText", "=?utf-8?x?a?=", id="text-no-word"),
        pytest.param(b"X: =?utf-7?q?+2AA-?=", "header:X:asText", "\ufffd", id="text-half-a-pair"),
        pytest.param(b"X: 1\r\nX: 2", "header:X", " 2", id="the-last-of-them"),
        pytest.param(b"X: 1\r\nx: 2", "header:X:all", [" 1", " 2"], id="all-of-them"),
        pytest.param(b"Y: 1", "header:X", None, id="none"),
        pytest.param(b"Y: 1", "header:X:asText:all", [], id="all-of-none"),
        pytest.param(
            b"To: ada@x.test", "to", [{"name": None, "email": "ada@x.test"}], id="address"
        ),
        pytest.param(
            b'To: "A, B" <a@x.test>, =?utf-8?q?=C3=89?= <e@x.test>',
            "to",
            [{"name": "A, B", "email": "a@x.test"}, {"name": "É", "email": "e@x.test"}],
            id="names",
        ),
        pytest.param(b"To: undisclosed-recipients:;", "to", [], id="empty-group"),
        pytest.param(
            b"To: a@x.test, Team: b@x.test, c@x.test;, d@x.test, e@x.test",
            "header:To:asGroupedAddresses",
            [
                {"name": None, "addresses": [{"name": None, "email": "a@x.test"}]},
                {
                    "name": "Team",
                    "addresses": [
                        {"name": None, "email": "b@x.test"},
                        {"name": None, "email": "c@x.test"},
                    ],
                },
                {
                    "name": None,
                    "addresses": [
                        {"name": None, "email": "d@x.test"},
                        {"name": None, "email": "e@x.test"},
                    ],
                },
            ],
            id="groups",
        ),
        pytest.param(
            b"References: <a@x>\r\n (why) <b@x> junk <c d>", "references", ["a@x", "b@x"], id="ids"
        ),
        pytest.param(b"Message-ID: a@x", "messageId", None, id="no-id"),
        pytest.param(
            b"Date: Sat, 28 Nov 2026 10:00:00 +0530",
            "sentAt",
            "2026-11-28T10:00:00+05:30",
            id="date-with-its-zone",
        ),
        pytest.param(
            b"Date: 28 Nov 2026 10:00:00 GMT", "sentAt", "2026-11-28T10:00:00Z", id="date-of-utc"
        ),
        pytest.param(b"Date: yesterday", "sentAt", None, id="no-date"),
        pytest.param(
            b"List-Post: <mailto:a@x> (comment), <https://x/\r\n y>",
            "header:List-Post:asURLs",
            ["mailto:a@x", "https://x/y"],
            id="urls",
        ),
        pytest.param(b"List-Post: NO", "header:List-Post:asURLs", None, id="no-url"),
    ],
)
def test_a_field_in_a_form(field: bytes, name: str, value: Any) -> None:
    assert form(field, name) == value


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("header:", id="no-name"),
        pytest.param("header:a b", id="blank"),
        pytest.param("header:X:asNothing", id="no-form"),
        pytest.param("header:X:all:asText", id="order"),
        pytest.param("header:X:asText:all:all", id="twice"),
        pytest.param("header:From:asDate", id="addresses-as-date"),
        pytest.param("header:Date:asText", id="date-as-text"),
        pytest.param("header:Received:asText", id="trace-as-text"),
        pytest.param("header:Subject:asAddresses", id="text-as-addresses"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(name: str) -> None:
    with pytest.raises(MethodError) as found:
        header_property(name)
    assert found.value.kind == "invalidArguments"


def leaf(kind: str, more: str = "", text: str = "x") -> str:
    return f"Content-Type: {kind}\r\n{more}\r\n{text}"


def multi(subtype: str, *parts: str, mark: str) -> str:
    inner = "".join(f"--{mark}\r\n{part}\r\n" for part in parts)
    return f"Content-Type: multipart/{subtype}; boundary={mark}\r\n\r\n{inner}--{mark}--\r\n"


PLAIN, HTML, IMAGE, PDF = map(leaf, ("text/plain", "text/html", "image/png", "application/pdf"))
ATTACHED = leaf("text/plain", "Content-Disposition: attachment\r\n")
NAMED = leaf("text/plain; name=a.txt")
INLINE = leaf("image/png", "Content-Disposition: inline\r\n")


@pytest.mark.parametrize(
    ("data", "text", "html", "files", "has"),
    [
        pytest.param(PLAIN, ["1"], ["1"], [], False, id="plain"),
        pytest.param("\r\nx", ["1"], ["1"], [], False, id="no-header"),
        pytest.param(HTML, ["1"], ["1"], [], False, id="html"),
        pytest.param(PDF, [], [], ["1"], True, id="file-alone"),
        pytest.param(IMAGE, ["1"], ["1"], [], False, id="image-alone"),
        pytest.param(ATTACHED, [], [], ["1"], True, id="attached-alone"),
        pytest.param(NAMED, ["1"], ["1"], [], False, id="first-with-a-name"),
        pytest.param(
            multi("alternative", PLAIN, HTML, mark="a"), ["1"], ["2"], [], False, id="alternative"
        ),
        pytest.param(
            multi("alternative", HTML, mark="a"), ["1"], ["1"], [], False, id="alternative-html"
        ),
        pytest.param(
            multi("alternative", PLAIN, PDF, mark="a"),
            ["1"],
            ["1"],
            ["2"],
            True,
            id="alternative-file",
        ),
        pytest.param(
            multi("mixed", PLAIN, IMAGE, HTML, NAMED, PDF, mark="m"),
            ["1", "2", "3"],
            ["1", "2", "3"],
            ["4", "5"],
            True,
            id="mixed",
        ),
        pytest.param(
            multi("related", HTML, INLINE, mark="r"), ["1"], ["1"], ["2"], False, id="related"
        ),
        pytest.param(
            multi(
                "mixed",
                multi(
                    "alternative",
                    multi("mixed", PLAIN, IMAGE, PLAIN, mark="i"),
                    multi("related", HTML, INLINE, mark="r"),
                    mark="a",
                ),
                IMAGE,
                ATTACHED,
                mark="m",
            ),
            ["1.1.1", "1.1.2", "1.1.3", "2"],
            ["1.2.1", "2"],
            ["1.1.2", "1.2.2", "3"],
            True,
            id="nested",
        ),
        pytest.param(
            multi("mixed", PLAIN, leaf("message/rfc822", text=f"{HTML}\r\n"), mark="m"),
            ["1"],
            ["1"],
            ["2"],
            True,
            id="message",
        ),
    ],
)
def test_parts_are_sorted_as_the_standard_does(
    data: str, text: list[str], html: list[str], files: list[str], has: bool
) -> None:
    found = told(data.encode(), "textBody", "htmlBody", "attachments", "hasAttachment")
    numbers = {
        name: [part["partId"] for part in found[name]]
        for name in ("textBody", "htmlBody", "attachments")
    }
    assert numbers == {"textBody": text, "htmlBody": html, "attachments": files}
    assert found["hasAttachment"] is has


def test_a_structure_ends_with_null() -> None:
    data = multi("mixed", PLAIN, leaf("message/rfc822", text=PLAIN), mark="m").encode()
    found = told(data, "bodyStructure")["bodyStructure"]
    assert (found["type"], found["partId"], found["blobId"]) == ("multipart/mixed", None, None)
    assert [(part["type"], part["subParts"]) for part in found["subParts"]] == [
        ("text/plain", None),
        ("message/rfc822", None),
    ]


@pytest.mark.parametrize(
    ("kind", "octets", "value", "problem"),
    [
        pytest.param("text/plain", b"a\r\nb", "a\nb", False, id="line-ends"),
        pytest.param("text/plain; charset=utf-8", b"\xc3\xa9", "é", False, id="utf-8"),
        pytest.param("text/plain; charset=utf-8", b"a\xff", "a\ufffd", True, id="broken"),
        pytest.param("text/plain; charset=none", b"a", "a", True, id="unknown-charset"),
        pytest.param("text/plain; charset=utf-7", b"+2AA-", "\ufffd", True, id="half-a-pair"),
    ],
)
def test_a_value_of_a_body(kind: str, octets: bytes, value: str, problem: bool) -> None:
    data = f"Content-Type: {kind}\r\n\r\n".encode() + octets
    (found,) = told(data, "bodyValues", all_values=True)["bodyValues"].values()
    assert found == {"value": value, "isEncodingProblem": problem, "isTruncated": False}


@pytest.mark.parametrize(
    ("kind", "octets", "limit", "value"),
    [
        pytest.param("plain", "aé".encode(), 2, "a", id="no-half-of-a-sign"),
        pytest.param("plain", b"a<b", 2, "a<", id="no-tags-in-text"),
        pytest.param("html", b"a<b>c", 3, "a", id="no-half-of-a-tag"),
        pytest.param("html", b"a<b>c", 4, "a<b>", id="whole-tag"),
    ],
)
def test_a_value_is_cut_where_it_can_be(kind: str, octets: bytes, limit: int, value: str) -> None:
    data = f"Content-Type: text/{kind}; charset=utf-8\r\n\r\n".encode() + octets
    (found,) = told(data, "bodyValues", all_values=True, max_value=limit)["bodyValues"].values()
    assert (found["value"], found["isTruncated"]) == (value, True)


def test_deep_and_endless_messages_are_told() -> None:
    deep = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(500)
    )
    found, size = counted_content(
        deep.encode(), "B1", frozenset(("bodyStructure",)), BodyOptions(PART_PROPERTIES)
    )
    level, structure = 0, found["bodyStructure"]
    while structure["subParts"]:
        level, structure = level + 1, structure["subParts"][0]
    assert 0 < level <= MAX_DEPTH
    assert size > 0
    endless = b"a:\r\n" * (MAX_HEADER // 2)
    assert len(told(endless, "headers")["headers"]) == MAX_HEADER // 4


NAMES = st.sampled_from(
    [
        *(b"From", b"To", b"Subject", b"Date", b"Message-ID", b"List-Post", b"X"),
        *(b"Content-Type", b"Content-Disposition", b"Content-ID", b"Content-Language"),
        *(b"Content-Location", b"Content-Transfer-Encoding"),
    ]
)
PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            *(b"multipart/mixed; boundary=b", b"text/html; charset=utf-7", b"message/rfc822"),
            *(b"=?utf-7?b?KzJBQS0=?=", b"=?utf-16?q?=00=D8?=", b'"', b"(", b"<", b"a:b@c;", b"\\"),
            *(b"base64", b"quoted-printable", b"attachment; filename*=utf-7''%2B2AA-", b"\0"),
            *(b"31 Dec 9999 23:59:60 -9999", b"1 Jan 0000 00:00:00 +0000", b"+2AA-"),
        ]
    ),
)
FIELDS = st.builds(lambda name, pieces: name + b":" + b"".join(pieces), NAMES, st.lists(PIECES))
MESSAGES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda fields, parts: b"\r\n".join([*fields, b"", *parts]),
        st.lists(FIELDS, max_size=6),
        st.lists(st.one_of(st.just(b"--b"), st.just(b"--b--"), FIELDS, PIECES), max_size=12),
    ),
)
EVERYTHING = frozenset(
    (
        *(*CONVENIENCE, *BODY, "headers", "header:X:all"),
        *(f"header:X:{one}:all" for one in FORMS),
        *(f"header:Content-Type:{one}" for one in FORMS),
    )
)


@given(MESSAGES)
def test_any_octets_are_told_as_json(data: bytes) -> None:
    options = BodyOptions((*PART_PROPERTIES, "header:X:asAddresses"), all_values=True)
    found, size = counted_content(data, "B1", EVERYTHING, options)
    assert found.keys() == EVERYTHING
    assert size >= len(orjson.dumps(found))
