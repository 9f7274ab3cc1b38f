"""ENVELOPE, BODYSTRUCTURE and the values beside them, read back by Twisted's parser."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.mail.imap4 import parseNestedParens

from message.headers import CACHED_NAMES, header_fields, iter_fields
from message.meta import (
    meta_fields,
    meta_keys,
    meta_version,
    pack_meta,
    unpack_meta,
)
from message.render import MAX_FIELDS, RENDERER_VERSION, Rendered, render
from message.section import Specifier, locate
from message.sort_fields import SortFields
from tests.support.messages import (
    ENVELOPE_HEADER,
    TYPICAL,
    corpus,
    hostile,
    leaf,
    message,
    multipart,
)
from tests.support.nested import strict


def nested(data: bytes) -> list[object]:
    """One parenthesised value, read by the letter and, where it can, by an independent client."""
    value = strict(data)
    # Twisted takes the backslash in `\\` for the escape of the quote behind it.
    if b"\\" not in data and len(data) < 20_000:
        assert parseNestedParens(data) == [value]  # type: ignore[no-untyped-call]
    return value


def well_formed(rendered: Rendered) -> None:
    for data in (rendered.envelope, rendered.bodystructure, rendered.body):
        assert data.isascii()
        # CR, LF and NUL only as the announcement of a literal
        assert b"\0" not in data
        assert len(re.findall(rb"\{\d+\}\r\n", data)) == data.count(b"\r") == data.count(b"\n")
    envelope = nested(rendered.envelope)
    assert len(envelope) == 10
    for field in envelope[2:8]:
        assert field is None or (isinstance(field, list) and all(len(one) == 4 for one in field))
    nested(rendered.bodystructure)
    nested(rendered.body)


def test_the_envelope_of_a_typical_message() -> None:
    john = [b"Doe, John", None, b"john", b"example.org"]
    assert nested(render(TYPICAL.whole).envelope) == [
        b"Mon, 2 Jan 2006 15:04:05 -0700",
        b"=?utf-8?q?h=C3=A9llo?=",
        [john],
        [john],
        [john],
        [[b"Jane", None, b"jane", b"example.com"], [None, None, b"bob", b"example.net"]],
        None,
        None,
        None,
        b"<abc.def@example.org>",
    ]


def test_absent_is_nil_and_empty_is_an_empty_string() -> None:
    empty = render(b"Subject:\r\nDate: \r\nMessage-ID:\r\nTo:\r\nCc: ,\r\n\r\n").envelope
    assert empty == b'("" "" NIL NIL NIL NIL NIL NIL NIL "")'
    assert render(b"\r\n").envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def test_sender_and_reply_to_default_to_from() -> None:
    block = b"From: a@b\r\nSender: s@b\r\nReply-To:\r\nTo: x@y\r\nTo: g: z@y;\r\n\r\n"
    assert render(block).envelope == (
        b'(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "s" "b")) ((NIL NIL "a" "b"))'
        b' ((NIL NIL "x" "y")(NIL NIL "g" NIL)(NIL NIL "z" "y")(NIL NIL NIL NIL)) NIL NIL NIL NIL)'
    )


def test_eight_bit_headers_for_ascii_and_for_utf8_sessions() -> None:
    block = (
        'From: "Zoë" <zoë@bücher.example>\r\nSubject: a "hé" \\ b\r\nMessage-ID: <é@x>\r\n\r\n'
    ).encode()
    plain, utf8 = render(block), render(block, utf8=True)
    assert plain.eight_bit
    zoe = b'(("=?utf-8?B?Wm/Dqw==?=" NIL "=?utf-8?B?em/Dqw==?=" "xn--bcher-kva.example"))'
    subject = b'"a =?utf-8?B?ImjDqSI=?= \\\\ b"'
    assert plain.envelope == b" ".join(
        (b"(NIL", subject, zoe, zoe, zoe, b'NIL NIL NIL NIL "<??@x>")')
    )
    assert '"Zoë" NIL "zoë" "bücher.example"'.encode() in utf8.envelope
    assert '"a \\"hé\\" \\\\ b"'.encode() in utf8.envelope
    latin = render(b"Subject: h\xe9\r\n\r\n")
    assert b"=?utf-8?B?aMOp?=" in latin.envelope
    assert not render(b"Subject: x\r\n\r\n\xe9").eight_bit


def test_line_breaks_nul_and_long_values_keep_the_response_parseable() -> None:
    block = b"Subject: a\rb\0c\r\n d\r\nMessage-ID: <" + b"x" * 9000 + b">\r\n\r\n"
    rendered = render(block)
    well_formed(rendered)
    envelope = nested(rendered.envelope)
    assert envelope[1] == b"a b c d"
    assert envelope[9] == b"<" + b"x" * 9000 + b">"
    assert b"{9002}\r\n<x" in rendered.envelope


def test_the_bodystructure_of_a_typical_message() -> None:
    rendered = render(TYPICAL.whole)
    assert rendered.body == (
        b'((("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 14 2)'
        b'("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "7BIT" 12 0) "MIXED")'
        b'("APPLICATION" "PDF" ("NAME" "a.pdf") NIL NIL "BASE64" 10) "MIXED")'
    )
    assert rendered.bodystructure == (
        b'((("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 14 2 NIL NIL NIL NIL)'
        b'("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "7BIT" 12 0 NIL NIL NIL NIL)'
        b' "MIXED" ("BOUNDARY" "=_inner") NIL NIL NIL)'
        b'("APPLICATION" "PDF" ("NAME" "a.pdf") NIL NIL "BASE64" 10'
        b' NIL ("ATTACHMENT" ("FILENAME" "a.pdf")) NIL NIL)'
        b' "MIXED" ("BOUNDARY" "=_outer") NIL NIL NIL)'
    )


def test_every_content_field_of_a_leaf() -> None:
    extra = (
        b"Content-ID: <i@x>\r\nContent-Description: a\r\n description\r\nContent-MD5: Q2hlY2s=\r\n"
        b"Content-Language: en, de\r\nContent-Location: http://x/y\r\n"
        b"Content-Disposition: inline\r\nContent-Transfer-Encoding: 8Bit\r\n"
    )
    rendered = render(leaf(b"x", 'image/png; name="h\xe9.png"', extra).whole)
    assert rendered.bodystructure == (
        b'("IMAGE" "PNG" ("NAME*" "utf-8\'\'h%C3%A9.png") "<i@x>" "a description" "8BIT" 1'
        b' "Q2hlY2s=" ("INLINE" NIL) ("en" "de") "http://x/y")'
    )


def test_a_message_inside_has_its_envelope_structure_and_lines() -> None:
    inside = leaf(b"a\r\nb\r\n", extra=ENVELOPE_HEADER)
    rendered = render(message(inside).whole)
    envelope = render(inside.whole).envelope
    lines = inside.whole.count(b"\n")
    assert rendered.body == (
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" %d %b ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 6 2) %d)'
        % (len(inside.whole), envelope, lines)
    )
    assert rendered.bodystructure.endswith(
        b' "7BIT" 6 2 NIL NIL NIL NIL) %d NIL NIL NIL NIL)' % lines
    )


def test_without_a_content_type_it_is_ascii_text() -> None:
    text = b'"TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 1 0'
    assert render(b"Subject: x\r\n\r\nx").body == b"(" + text + b")"
    broken = b"Content-Type: multipart/mixed; boundary=b\r\n\r\nx"
    assert render(broken).body == b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 0)'


def test_sizes_digest_and_parts_are_those_of_the_crlf_form() -> None:
    data = TYPICAL.whole
    as_lf, rendered = render(data.replace(b"\r\n", b"\n")), render(data)
    assert as_lf == rendered
    assert (rendered.size, rendered.lines) == (len(data), data.count(b"\n"))
    assert rendered.header_length == len(TYPICAL.header)
    assert rendered.digest == hashlib.blake2b(data, digest_size=16).digest()
    assert render(data, digest=b"known").digest == b"known"
    found = locate(rendered.parts, (1, 2), Specifier.ALL)
    assert found is not None
    assert data[found[0] : found[0] + found[1]] == b"<p>Hello</p>"


def test_values_for_threads_and_sorting() -> None:
    block = (
        b"Message-ID: junk <a@b> (c)\r\nReferences: <1@x>\r\n <2@x>\r\nIn-Reply-To: <3@x>\r\n"
        b"Subject: Re: [l] Hi\r\nDate: Mon, 2 Jan 2006 15:04:05 -0700\r\n\r\n"
    )
    rendered = render(block)
    assert rendered.message_id == b"<a@b>"
    assert rendered.references == (b"<1@x>", b"<2@x>")
    assert (rendered.subject_base, rendered.date, rendered.date_zone) == ("Hi", 1136239445, -420)
    assert rendered.is_reply
    assert render(b"In-Reply-To: <3@x> <4@x>\r\n\r\n").references == (b"<3@x>",)
    assert render(b"References: x\r\nIn-Reply-To: <3@x>\r\n\r\n").references == (b"<3@x>",)
    many = b"References: " + b"".join(b"<%d@x> " % number for number in range(500)) + b"\r\n\r\n"
    kept = render(many).references
    assert (len(kept), kept[0], kept[-1]) == (100, b"<0@x>", b"<499@x>")
    assert render(b"Message-ID: bare\r\n\r\n").message_id == b"bare"
    assert render(b"\r\n").date is None


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"", SortFields()),
        (b"From: Ann <a.b@x.test>, c@d\r\n", SortFields("a.b", "", "", "Ann", "")),
        (b"From: a@x.test\r\n", SortFields("a", "", "", "a@x.test", "")),
        (
            b"To: =?utf-8?q?J=C3=B6rg?= <j@x>\r\nCc: Team: k@x, l@x;\r\n",
            SortFields("", "j", "Team", "", "J\xf6rg"),
        ),
        (b"To: Team: k@x;\r\n", SortFields("", "Team", "", "", "Team")),
    ],
)
def test_values_of_addresses_for_sorting(block: bytes, expected: SortFields) -> None:
    rendered = render(block + b"\r\n")
    assert rendered.sort == expected
    assert unpack_meta(pack_meta(rendered)).sort_fields == expected
    assert meta_keys(pack_meta(rendered)).sort == rendered.sort.packed()


def test_kept_fields_answer_what_clients_ask() -> None:
    block = b"Received: x\r\nSUBJECT: a\r\n b\r\nX-Other: y\r\nList-Id: <l>\r\nFrom: a@b\r\n\r\n"
    rendered = render(block + b"body")
    names = (b"From", b"To", b"Subject", b"List-Id", b"References")
    assert rendered.fields_complete
    assert header_fields(rendered.fields, names) == header_fields(block, names)
    assert {one.name.lower() for one in iter_fields(rendered.fields)} <= CACHED_NAMES
    large = render(b"To: a@b\r\n" * (MAX_FIELDS // 9 + 1) + b"\r\n")
    assert (large.fields, large.fields_complete) == (b"", False)
    assert meta_fields(pack_meta(large)) is None


def test_meta_reads_back_whole_and_by_slices() -> None:
    for data in (TYPICAL.whole, b"", "Subject: hé\r\nReferences: <a@b> <c@d>\r\n\r\n".encode()):
        rendered = render(data)
        blob = pack_meta(rendered)
        meta = unpack_meta(blob)
        assert meta.version == meta_version(blob) == RENDERER_VERSION
        assert meta.envelope == rendered.envelope
        assert meta.bodystructure == rendered.bodystructure
        assert meta.fields == meta_fields(blob) == rendered.fields
        assert meta.size == rendered.size
        same = ("body", "eight_bit", "fields_complete", "header_length", "lines", "date")
        for name in (*same, "date_zone", "message_id", "is_reply"):
            assert getattr(meta, name) == getattr(rendered, name)
        assert meta.subject_base == rendered.subject_base.encode()
        assert meta.references == b" ".join(rendered.references)
        keys = meta_keys(blob)
        assert keys == tuple(getattr(meta, name) for name in keys._fields)


@given(st.binary(max_size=500))
def test_random_bytes_render_well_formed(data: bytes) -> None:
    well_formed(render(data))


NAMES = [b"From", b"To", b"Subject", b"Date", b"Content-Type", b"Content-Disposition",
         b"Content-Language", b"Content-ID", b"Content-Description", b"Message-ID"]  # fmt: skip
PIECES = [b"a@b", b"<", b">", b'"', b"\\", b"(", b")", b",", b";", b":", b"multipart/mixed",
          b"text/plain", b"boundary=b", b"\r\n ", b"\r\n--b\r\n", b"\r\n\r\n", b"=?utf-8?q?a?=",
          b"\xc3\xa9", b"\xe9", b"\0", b"\r", b"{3}", b"x=y", b"filename*=utf-8''%"]  # fmt: skip
FIELDS = st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(PIECES), max_size=10)).map(
    lambda pair: pair[0] + b": " + b"".join(pair[1]) + b"\r\n"
)


@given(st.lists(FIELDS, max_size=8).map(b"".join))
def test_broken_fields_render_well_formed(data: bytes) -> None:
    well_formed(render(data + b"\r\n--b\r\n" + data))
    assert render(data, utf8=True).envelope.decode()


@pytest.mark.parametrize("name", list(hostile(10)))
def test_hostile_messages_render_bounded_and_well_formed(name: str) -> None:
    data = hostile(50_000)[name]
    rendered = render(data)
    well_formed(rendered)
    # What is stored for a message is bounded by its parts and a small multiple of its size.
    count = len(rendered.parts) // 24
    assert len(pack_meta(rendered)) < 200 * count + 12 * len(data) + 1_000


def test_the_corpus_renders_well_formed() -> None:
    for data in corpus().values():
        well_formed(render(data))


def test_multiparts_without_parts_inside_others() -> None:
    node = multipart("=_o", leaf(b"x", "multipart/mixed; boundary=none"), leaf(b"y"))
    well_formed(render(node.whole))
    assert render(node.whole).body == (
        b'(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 0)("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 0) "MIXED")'
    )


@pytest.mark.parametrize("filler", [b"x", b"\xff", b"\xe2\x82\xac"])
def test_part_headers_beyond_a_bound_are_not_told(filler: bytes) -> None:
    def fat(length: int) -> Rendered:
        value = filler * (length // len(filler))
        kind, about = b'a/b; c="' + value + b'"', b"\r\nContent-Description: " + value
        parts = b"--q\r\nContent-Type: " + kind + about + b"\r\n\r\ntext\r\n"
        return render(b"Content-Type: multipart/mixed; boundary=q\r\n\r\n" + parts * 100)

    small, large = fat(1_000), fat(10_000)
    assert len(small.bodystructure) > 200_000
    assert len(large.bodystructure) < 20_000
    for rendered in (small, large):
        assert len(items(strict(rendered.bodystructure))) == 100 + 4 + 1
        strict(rendered.body)


def items(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
