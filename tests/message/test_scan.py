"""The part tree: against known bytes, against the standard library, and under attack."""

import email
import email.message
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from message.crlf import to_crlf
from message.scan import MAX_DEPTH, MAX_PARTS, Part, _Scanner, scan, walk
from tests.support.messages import TYPICAL, Node, corpus, hostile, leaf, message, multipart


def check(part: Part, node: Node, data: bytes) -> None:
    """The part has exactly the bytes that the node was built from, and so have its children."""
    header = data[part.header_offset : part.header_offset + part.header_length]
    body = data[part.body_offset : part.body_offset + part.body_length]
    assert (header, body) == (node.header, node.body)
    assert part.is_multipart == (node.kind == "multipart")
    assert part.is_message == (node.kind == "message")
    assert len(part.children) == len(node.children)
    for child, inside in zip(part.children, node.children, strict=True):
        check(child, inside, data)


BODIES = st.lists(
    st.sampled_from([b"text", b"\r\n", b"--", b"--b", b"--b--", b"\r\n--bx\r\n", b"\r", b" "]),
    max_size=8,
).map(b"".join)


def _nodes(counter: list[int]) -> st.SearchStrategy[Node]:
    def number() -> str:
        counter[0] += 1
        return f"=_{counter[0]}"  # no boundary is a prefix of a body line

    leaves = BODIES.map(leaf)

    def grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        many = st.lists(inner, min_size=1, max_size=3)
        return many.map(lambda nodes: multipart(number(), *nodes)) | inner.map(message)

    return st.recursive(leaves, grow, max_leaves=8)


@given(_nodes([0]))
def test_a_built_message_is_found_byte_for_byte(node: Node) -> None:
    check(scan(node.whole), node, node.whole)


def test_the_typical_message() -> None:
    root = scan(TYPICAL.whole)
    check(root, TYPICAL, TYPICAL.whole)
    assert [part.content_type for part in walk(root)] == [
        "multipart/mixed",
        "multipart/mixed",
        "text/plain",
        "text/html",
        "application/pdf",
    ]
    text, pdf = root.children[0].children[0], root.children[1]
    assert (text.charset, text.lines, text.encoding) == ("utf-8", 2, b"7bit")
    assert (pdf.encoding, pdf.filename) == (b"base64", "a.pdf")
    assert pdf.disposition == (b"attachment", ((b"filename", b"a.pdf"),))


def test_an_lf_file_has_the_offsets_of_its_crlf_form() -> None:
    data = TYPICAL.whole
    check(scan(data.replace(b"\r\n", b"\n")), TYPICAL, data)


def _bodies(data: bytes) -> list[tuple[str, bytes]]:
    data = to_crlf(data)
    return [
        (part.content_type, data[part.body_offset : part.body_offset + part.body_length])
        for part in walk(scan(data))
    ]


DIGEST = b"Content-Type: multipart/digest; boundary=b\r\n\r\n"


def texts(*bodies: bytes) -> list[tuple[str, bytes]]:
    return [("text/plain", body) for body in bodies]


MIXED = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # no final boundary
        (
            MIXED % b"b" + b"--b\r\n\r\none\r\n--b\r\n\r\ntwo",
            [("text/plain", b"one"), ("text/plain", b"two")],
        ),
        # a longer boundary that starts like the outer one, and blanks behind a boundary
        (
            MIXED % b"b" + b"--b \t\r\n" + MIXED % b"bb"
            + b"--bb\r\n\r\nin\r\n--bb--\r\n--b--  \r\n",
            [("multipart/mixed", b"--bb\r\n\r\nin\r\n--bb--"), ("text/plain", b"in")],
        ),
        # the outer boundary ends an inner multipart that was never closed
        (
            MIXED % b"o" + b"--o\r\n" + MIXED % b"i"
            + b"--i\r\n\r\nin\r\n--o\r\n\r\nout\r\n--o--\r\n",
            [("multipart/mixed", b"--i\r\n\r\nin"), ("text/plain", b"in"), ("text/plain", b"out")],
        ),
        # an inner multipart with the boundary of the outer one, which goes on behind it
        (
            MIXED % b"b" + b"--b\r\n" + MIXED % b"b" + b"--b\r\n\r\nin\r\n--b--\r\n--b\r\n\r\nout",
            [("multipart/mixed", b"--b\r\n\r\nin\r\n--b--"), *texts(b"in", b"out")],
        ),
        # an epilogue with a boundary that is closed already
        (MIXED % b"b" + b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\nno", [("text/plain", b"one")]),
        # no blank line before the next boundary
        (
            MIXED % b"b" + b"--b\r\nContent-Type: text/html\r\n--b\r\n--b--\r\n",
            [("text/html", b""), ("text/plain", b"")],
        ),
        (
            DIGEST + b"--b\r\n\r\nSubject: x\r\n\r\nhi\r\n--b--",
            [("message/rfc822", b"Subject: x\r\n\r\nhi"), ("text/plain", b"hi")],
        ),
    ],
)  # fmt: skip
def test_odd_multiparts(data: bytes, expected: list[tuple[str, bytes]]) -> None:
    assert _bodies(data)[1:] == expected


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"", b""),
        (b"\r\nbody", b"body"),
        (b"no header at all", b""),
        (b"Subject: no body\r\n", b""),
        (b"Content-Type: nonsense\r\n\r\nx", b"x"),
    ],
)
def test_odd_plain_messages(data: bytes, body: bytes) -> None:
    assert _bodies(data) == [("text/plain", body)]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (MIXED % b"b" + b"nothing of the kind", "text/plain"),
        (b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx", "text/plain"),
        (
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA",
            "application/octet-stream",
        ),
    ],
)
def test_what_cannot_be_taken_apart_is_a_leaf(data: bytes, kind: str) -> None:
    root = scan(data)
    assert root.children == []
    assert root.content_type == kind
    assert root.body_offset + root.body_length == len(data)


def test_bounds_on_depth_and_parts() -> None:
    attacks = hostile(200_000)

    def depth(part: Part) -> int:
        return 1 + max((depth(child) for child in part.children), default=0)

    for name in ("deep", "deep in one boundary", "messages", "digests"):
        assert depth(scan(attacks[name])) == MAX_DEPTH, name
    assert sum(1 for _ in walk(scan(attacks["empty parts"]))) == MAX_PARTS


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], tuple[int, int]]:
    """Scans a message; counts the searches for boundaries and the octets of headers read."""
    counts = [0, 0]
    search, describe = _Scanner._next_delimiter, _Scanner._describe

    def counted_search(self: _Scanner, position: int, end: int) -> object:
        counts[0] += 1
        return search(self, position, end)

    def counted_describe(self: _Scanner, start: int, body: int, plain: object) -> Part:
        counts[1] += body - start
        return describe(self, start, body, plain)  # type: ignore[arg-type]

    monkeypatch.setattr(_Scanner, "_next_delimiter", counted_search)
    monkeypatch.setattr(_Scanner, "_describe", counted_describe)

    def run(data: bytes) -> tuple[int, int]:
        counts[:] = [0, 0]
        scan(data)
        return counts[0], counts[1]

    return run


@pytest.mark.parametrize("name", list(hostile(10)))
def test_work_is_linear_under_attack(
    name: str, looked_at: Callable[[bytes], tuple[int, int]]
) -> None:
    data = hostile(200_000)[name]
    searches, header_octets = looked_at(data)
    # Two searches a part, one a closing line; every octet belongs to at most one header.
    assert searches <= 3 * MAX_PARTS
    assert header_octets <= len(data) + 2


@given(st.binary(max_size=400))
def test_random_bytes_never_raise(data: bytes) -> None:
    for part in walk(scan(data)):
        assert part.body_length >= 0
        assert (part.filename, part.disposition, part.charset) is not None


FRAGMENTS = [
    b"Content-Type: multipart/mixed; boundary=a\r\n", b"Content-Type: multipart/x; boundary=aa\r\n",
    b"Content-Type: message/rfc822\r\n", b"\r\n", b"--a\r\n", b"--aa\r\n", b"--a--\r\n", b"--aa--",
    b"--a", b"x", b" ", b"\n", b"\r",
]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join))
def test_parts_lie_inside_their_parents_in_order(data: bytes) -> None:
    data = to_crlf(data)
    for part in walk(scan(data)):
        end = part.body_offset + part.body_length
        assert part.header_offset + part.header_length == part.body_offset
        assert end <= len(data)
        position = part.body_offset
        for child in part.children:
            assert position <= child.header_offset
            position = child.body_offset + child.body_length
            assert position <= max(end, child.body_offset)


STATUS = "message/delivery-status"


def _tree(part: Part, data: bytes) -> object:
    if part.children:
        return part.content_type, [_tree(child, data) for child in part.children]
    body = data[part.body_offset : part.body_offset + part.body_length]
    return part.content_type, b"" if part.content_type == STATUS else body


def _stdlib_tree(part: email.message.Message) -> object:
    kind = part.get_content_type()
    payload = part._payload  # type: ignore[attr-defined]  # get_payload decodes 8-bit text
    if kind == STATUS:
        return kind, b""  # the library makes messages of its blocks
    if isinstance(payload, list):
        return kind, [_stdlib_tree(child) for child in payload]
    # The library leaves a multipart without parts as it is.
    kind = "text/plain" if kind.startswith("multipart/") else kind
    return kind, (payload or "").encode("ascii", "surrogateescape")


@given(_nodes([10**6]))
def test_the_standard_library_sees_the_same_tree(node: Node) -> None:
    data = node.whole
    if b"\r" in data.replace(b"\r\n", b""):
        return  # it takes a bare CR for a line end
    assert _tree(scan(data), data) == _stdlib_tree(email.message_from_bytes(data))


# The library ends a header at the first line that is no field, and takes the last line end from a
# part that is never closed; the broken ones it reads in its own way.
DIFFERENT = {"raw_email4.eml", "raw_email_incorrect_header.eml", "example13.eml", "error_emails"}


def test_the_corpus_gives_the_tree_of_the_standard_library() -> None:
    compared = 0
    for name, data in corpus().items():
        if set(name.split("/")) & DIFFERENT:
            scan(data)
            continue
        expected = _stdlib_tree(email.message_from_bytes(data))
        assert _tree(scan(data), data) == expected, name
        compared += 1
    assert compared > 50
