"""Messages made of values read back as what was put in, by this parser and by Python's."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.address_list import parse_address_list
from message.compose import (
    Attachment,
    Composed,
    Leaf,
    Multipart,
    Stream,
    compose,
    simple_tree,
)
from message.compose_fields import (
    BadValue,
    Group,
    Person,
    addresses,
    date,
    message_ids,
    parametrised,
    raw,
    text,
    urls,
)
from message.decoding import decode
from message.headers import first
from message.params import decode_params, parse_disposition
from message.scan import Part, scan_crlf, walk
from message.transfer import Base64Lines, Identity, base64_size, identity
from message.words import decode_text, decode_words

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300)
BODIES = st.text(st.characters(exclude_categories=["Cs"]), max_size=2000)
SEED = "1@example.test"
SUBJECT = text("Subject", "A test")


def read(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=default)


def value(field: bytes) -> bytes:
    assert field.endswith(b"\r\n") and field.count(b"\r\n") == field.count(b"\n")
    assert all(len(line) < 998 for line in field.split(b"\r\n"))
    found = first(field, field.partition(b":")[0])
    assert found is not None
    return found


def leaves(data: bytes) -> list[tuple[Part, bytes]]:
    found = []
    for part in walk(scan_crlf(data)):
        if not part.children:
            body = data[part.body_offset : part.body_offset + part.body_length]
            found.append((part, decode(body, part.encoding.decode())))
    return found


def whole(made: Composed, streams: dict[str, bytes]) -> bytes:
    out = b""
    for piece in made.pieces:
        if isinstance(piece, Stream):
            lines = Base64Lines()
            octets = streams[piece.key]
            out += b"".join(lines.feed(octets[at : at + 100]) for at in range(0, len(octets), 100))
            out += lines.end()
        else:
            out += piece
    assert len(out) == made.size
    return out


@given(WORDS, WORDS)
def test_names_come_back(name: str, group: str) -> None:
    name, group = " ".join(name.split()), " ".join(group.split())
    people = (Person("ada@example.test", name), Person("o'neil+x@example.test"))
    found = [
        (one.display, one.text)
        for one in parse_address_list(value(addresses("To", [Group(None, people)])))
    ]
    assert found == [(name, "ada@example.test"), ("", "o'neil+x@example.test")]
    if group:
        field = value(addresses("To", [Group(group, people), Group("Nobody", ())]))
        begun, *_ = parse_address_list(field)
        assert begun.domain is None and decode_words(begun.local or b"") == group


def test_addresses_as_they_must_be_written() -> None:
    def written(email: str, name: str = "") -> bytes:
        return value(addresses("To", [Group(None, (Person(email, name),))]))

    assert written("Ada@Example.test") == b"Ada@Example.test"
    assert written("a b@x.test", "Ada") == b'Ada <"a b"@x.test>'
    assert written('"a b"@x.test') == b'<"a b"@x.test>'
    assert written("ada@bücher.test") == b"ada@xn--bcher-kva.test"
    assert written("jürg@bücher.test", "Jürg") == '"Jürg" <jürg@xn--bcher-kva.test>'.encode()
    assert written("ada@x.test", "Grün") == b"=?utf-8?B?R3LDvG4=?= <ada@x.test>"
    assert written("ada@x.test", "Ada, the 1st.") == b'"Ada, the 1st." <ada@x.test>'
    assert written("unfinished") == b"<unfinished>"
    for bad in ("", "@x.test", "a@", "a@b c", "a\r\nBcc: b@x.test", "a@x.test\0", "a b", "x" * 400):
        with pytest.raises(BadValue):
            written(bad)
    with pytest.raises(BadValue):
        addresses("To", [])


@given(st.text(max_size=1500))
def test_no_value_starts_a_field_of_its_own(subject: str) -> None:
    subject = subject.encode("utf-8", "replace").decode()
    for field in (
        text("Subject", subject),
        parametrised("Content-Disposition", "attachment", [("filename", subject)]),
        addresses("To", [Group(None, (Person("ada@x.test", subject),))]),
    ):
        assert field.count(b"\n") == 1 + field.count(b"\n ") and field.endswith(b"\r\n")
    clean = "".join(" " if char < " " or char == "\x7f" else char for char in subject).strip()
    assert decode_words(value(text("Subject", subject))).split() == clean.split()


@given(WORDS)
def test_file_names_come_back(name: str) -> None:
    field = value(parametrised("Content-Disposition", "attachment", [("filename", name)]))
    found = parse_disposition(field)
    assert found is not None and decode_params(found[1]).get("filename", "") == name


def test_other_fields() -> None:
    assert value(message_ids("References", ["a@x", "b@y.test"])) == b"<a@x> <b@y.test>"
    when = datetime(2026, 11, 29, 8, 5, 1, tzinfo=UTC)
    assert value(date("Date", when)) == b"Sun, 29 Nov 2026 08:05:01 +0000"
    assert value(urls("List-Post", ["mailto:x@y.test"])) == b"<mailto:x@y.test>"
    assert raw("X-A", " one\r\n two") == b"X-A: one\r\n two\r\n"
    assert raw("X-A", "one") == b"X-A: one\r\n"
    assert raw("X-A", " é").isascii()
    for bad in ("a\nB: c", "a\r\n", "a\r\n \r\n b", "a\rb", "a\0"):
        with pytest.raises(BadValue):
            raw("X-A", bad)
    for ids in ([], ["a b@x"], ["no-at"], ["a@x>"], ["a@x\r\nB: c"]):
        with pytest.raises(BadValue):
            message_ids("References", ids)
    for links in ([], ["http://x/>"], ["a\nb"], ["http://ü/"]):
        with pytest.raises(BadValue):
            urls("List-Post", links)


@given(BODIES)
def test_texts_come_back(body: str) -> None:
    data = compose([SUBJECT], Leaf("text/plain", body), SEED).data
    assert data.isascii() and all(len(line) <= 998 for line in data.split(b"\r\n"))
    ((part, octets),) = leaves(data)
    wanted = body.replace("\r\n", "\n").replace("\n", "\r\n")
    assert decode_text(octets, part.charset).removesuffix("\r\n") == wanted.removesuffix("\r\n")


def test_the_usual_shape() -> None:
    files = [
        Attachment(b"\x89PNG" * 100, "image/png", "bild.png", cid="one@x"),
        Attachment(Stream("big", 5000), "application/pdf", "Größe.pdf"),
        Attachment(b"Subject: inside\r\n\r\n\xc3\xa9\r\n", "message/rfc822"),
    ]
    tree = simple_tree("Grüße\n", "<p>Grüße</p><img src=cid:one@x>", files)
    data = whole(compose([SUBJECT], tree, SEED), {"big": bytes(range(250)) * 20})
    mail = read(data)
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
        "message/rfc822",
        "text/plain",
    ]
    assert mail["Content-Transfer-Encoding"] == "8bit"
    plain = mail.get_body(("plain",))
    assert plain is not None and plain.get_content().splitlines() == ["Grüße"]
    pdf, _ = mail.iter_attachments()
    assert pdf.get_filename() == "Größe.pdf"
    assert pdf.get_payload(decode=True) == bytes(range(250)) * 20
    assert b"Subject: inside\r\n\r\n\xc3\xa9\r\n" in data


def test_layers_that_are_not_needed_are_left_out() -> None:
    file = Attachment(b"%PDF", "application/pdf", "a.pdf")
    image = Attachment(b"PNG", "image/png", cid="1@x")
    kinds = {
        ("text/plain",): simple_tree("a", None, []),
        ("text/plain", None): simple_tree(None, None, []),
        ("text/html",): simple_tree(None, "a", []),
        ("alternative",): simple_tree("a", "b", []),
        ("mixed",): simple_tree("a", None, [file]),
        ("mixed", "cid"): simple_tree("a", None, [image]),
        ("related",): simple_tree(None, "b", [image]),
        ("application/pdf",): simple_tree(None, None, [file]),
    }
    for (kind, *_), tree in kinds.items():
        assert kind == (tree.type if isinstance(tree, Leaf) else tree.subtype)


def test_a_boundary_stands_in_no_part() -> None:
    base = compose([], Multipart("mixed", (Leaf("text/plain", "a"),)), SEED).data
    boundary = base.split(b'boundary="=_')[-1].split(b"boundary==_")[-1][:24].decode()
    assert boundary.encode() in base
    again = compose([], Multipart("mixed", (Leaf("text/plain", boundary),)), SEED).data
    assert again.count(boundary.encode()) == 1
    odd = Multipart("mixed", (Leaf("text/plain", "a\ud800b"),))
    assert b"a?b" in compose([], odd, SEED).data


@given(st.integers(0, 100_000))
def test_sizes_are_known_before(size: int) -> None:
    lines = Base64Lines()
    assert len(lines.feed(bytes(size)) + lines.end()) == base64_size(size)


@given(
    st.lists(
        st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\xe9", b"\0", b"b" * 998, b"c" * 997]),
        max_size=8,
    )
)
def test_octets_in_pieces_are_judged_as_in_one(pieces: list[bytes]) -> None:
    data, told = b"".join(pieces), Identity()
    for piece in pieces:
        told.feed(piece)
    lines = data.split(b"\n")
    long = any(len(one.removesuffix(b"\r")) > 998 for one in lines)
    odd = b"\r" in data.replace(b"\r\n", b"") or b"\0" in data
    # before a bare LF, and without one at the end, a line may count its missing CR
    if not odd and long and b"\n" in data.replace(b"\r\n", b""):
        assert told.encoding == identity(data)
        return
    plain = "7bit" if data.isascii() else "8bit"
    assert told.encoding == identity(data) == ("binary" if odd or long else plain)


def test_a_message_that_comes_later_stands_as_it_is() -> None:
    inside = Leaf("message/rfc822", Stream("inside", 1_000, "8bit"))
    found = compose([], Multipart("mixed", (Leaf("text/plain", "a"), inside)), SEED)
    head, stream, tail = found.pieces
    assert stream == inside.source and isinstance(head, bytes) and isinstance(tail, bytes)
    assert head.count(b"Content-Transfer-Encoding: 8bit\r\n") == 2  # of the multipart, too
    assert found.size == len(head) + 1_000 + len(tail)
