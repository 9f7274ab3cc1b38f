"""BODY[section] to a range: the numbering of RFC 9051 §6.4.5.1, and that the ranges rebuild."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.scan import scan
from message.section import Specifier, locate, pack_parts
from tests.support.messages import ENVELOPE_HEADER, Node, leaf, message, multipart

INNER = multipart("=_i", leaf(b"inner text"), leaf(b"<p>", "text/html"), extra=b"Subject: in\r\n")
PLAIN = leaf(b"plain inside", extra=b"Subject: plain\r\n")
# The example of RFC 9051 §6.4.5.1: 1 text, 2 data, 3 message with parts, 4 multipart with a message
EXAMPLE = multipart(
    "=_o",
    leaf(b"one"),
    leaf(b"AAAA", "application/octet-stream", b"Content-Transfer-Encoding: BASE64\r\n"),
    message(INNER),
    multipart("=_4", leaf(b"R0lG", "image/gif"), message(PLAIN)),
    extra=ENVELOPE_HEADER,
)
DATA = EXAMPLE.whole
TABLE = pack_parts(scan(DATA))


def at(numbers: tuple[int, ...], specifier: str = "") -> bytes | None:
    found = locate(TABLE, numbers, Specifier(specifier))
    return None if found is None else DATA[found[0] : found[0] + found[1]]


THREE, FOUR = EXAMPLE.children[2], EXAMPLE.children[3]


@pytest.mark.parametrize(
    ("numbers", "specifier", "expected"),
    [
        ((), "", DATA),
        ((), "HEADER", EXAMPLE.header),
        ((), "TEXT", EXAMPLE.body),
        ((), "MIME", None),
        ((1,), "", b"one"),
        ((1,), "MIME", EXAMPLE.children[0].header),
        ((1,), "HEADER", None),
        ((1,), "TEXT", None),
        ((1, 1), "", None),
        ((2,), "", b"AAAA"),
        ((3,), "", INNER.whole),
        ((3,), "MIME", THREE.header),
        ((3,), "HEADER", INNER.header),
        ((3,), "TEXT", INNER.body),
        ((3, 1), "", b"inner text"),
        ((3, 2), "", b"<p>"),
        ((3, 2), "MIME", INNER.children[1].header),
        ((3, 3), "", None),
        ((4,), "", FOUR.body),
        ((4,), "HEADER", None),
        ((4, 1), "MIME", FOUR.children[0].header),
        ((4, 2), "HEADER", PLAIN.header),
        ((4, 2), "TEXT", PLAIN.body),
        ((4, 2, 1), "", b"plain inside"),
        ((4, 2, 1), "MIME", PLAIN.header),
        ((4, 2, 2), "", None),
        ((4, 2, 1, 1), "", None),
        ((5,), "", None),
        ((0,), "", None),
        ((2**32,), "", None),
    ],
)
def test_sections_of_the_example(
    numbers: tuple[int, ...], specifier: str, expected: bytes | None
) -> None:
    assert at(numbers, specifier) == expected


def test_a_message_without_parts_is_its_own_part_one() -> None:
    node = leaf(b"text", extra=ENVELOPE_HEADER)
    table = pack_parts(scan(node.whole))
    whole = (len(node.header), 4)
    assert locate(table, (1,)) == locate(table, (), Specifier.TEXT) == whole
    assert locate(table, (1,), Specifier.MIME) == (0, len(node.header))
    assert locate(table, (1,), Specifier.TEXT) is None
    assert locate(table, (1, 1)) is None
    assert locate(table, (2,)) is None


def test_a_message_whose_body_is_a_message() -> None:
    node = message(INNER)
    table = pack_parts(scan(node.whole))
    start = len(node.header)
    assert locate(table, (1,)) == (start, len(INNER.whole))
    assert locate(table, (1,), Specifier.HEADER) == (start, len(INNER.header))
    found = locate(table, (1, 2))
    assert found is not None
    assert node.whole[found[0] : found[0] + found[1]] == b"<p>"


def rebuild(numbers: tuple[int, ...], node: Node, data: bytes, table: bytes) -> bytes:
    """The body of a node out of nothing but located ranges and the boundaries."""

    def read(path: tuple[int, ...], specifier: Specifier) -> bytes:
        found = locate(table, path, specifier)
        assert found is not None
        return data[found[0] : found[0] + found[1]]

    if node.kind == "message":
        inside = node.children[0]
        header = read(numbers, Specifier.HEADER)
        path = numbers if inside.kind == "multipart" else (*numbers, 1)
        return header + rebuild(path, inside, data, table)
    if node.kind == "leaf":
        return read(numbers, Specifier.ALL)
    boundary = node.header.split(b'"')[1]
    out = b""
    for number, child in enumerate(node.children, 1):
        path = (*numbers, number)
        out += b"--" + boundary + b"\r\n" + read(path, Specifier.MIME)
        out += rebuild(path, child, data, table) + b"\r\n"
    return out + b"--" + boundary + b"--\r\n"


def _trees(counter: list[int]) -> st.SearchStrategy[Node]:
    def number() -> str:
        counter[0] += 1
        return f"=_{counter[0]}"

    def grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        many = st.lists(inner, min_size=1, max_size=4)
        return many.map(lambda nodes: multipart(number(), *nodes)) | inner.map(message)

    return st.recursive(st.binary(max_size=9).map(bytes.hex).map(str.encode).map(leaf), grow)


@given(_trees([0]))
def test_located_ranges_rebuild_the_message(node: Node) -> None:
    data = node.whole
    table = pack_parts(scan(data))
    numbers = () if node.kind == "multipart" else (1,)
    found = locate(table, (), Specifier.HEADER)
    assert found == (0, len(node.header))
    assert node.header + rebuild(numbers, node, data, table) == data


@given(st.binary(max_size=300), st.lists(st.integers(0, 5), max_size=5).map(tuple))
def test_any_bytes_and_numbers_give_a_range_inside(data: bytes, numbers: tuple[int, ...]) -> None:
    table = pack_parts(scan(data))
    for specifier in Specifier:
        found = locate(table, numbers, specifier)
        assert found is None or found[0] + found[1] <= 2 * len(data)
