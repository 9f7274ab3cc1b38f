"""vCard as text: what is written is read again, whatever is read never breaks the reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.vcard import (
    V3,
    V4,
    NotVcard,
    Property,
    Vcard,
    format_vcard,
    parse_vcard,
    parse_vcards,
)
from message.vcard_values import caret_decoded, caret_encoded, components, escaped, split, unescaped

_TOKEN = st.text("AXZ-7", min_size=1, max_size=6)
_CHARS = st.characters(exclude_categories=["Cs", "Cc"])
_TEXT = st.text(_CHARS | st.sampled_from("\n,;:\\\"'^ \t"), max_size=120)
_VALUE = st.text(_CHARS | st.sampled_from('\n,;:"^'), min_size=1, max_size=20)
_PARAM = st.tuples(
    _TOKEN, st.lists(_VALUE.map(str.strip).filter(bool), min_size=1, max_size=2).map(tuple)
)
_PROPERTY = st.builds(
    Property,
    _TOKEN,
    _TEXT.map(escaped),
    st.lists(_PARAM, max_size=2, unique_by=lambda one: one[0]).map(tuple),
    st.just("") | st.text("ab-1", min_size=1, max_size=4),
)
_CARD = st.builds(Vcard, st.just(V4), st.lists(_PROPERTY, max_size=3).map(tuple))


@given(_CARD)
def test_what_is_written_is_read_again(card: Vcard) -> None:
    data = format_vcard(card)
    assert parse_vcard(data) == card
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    for line in data.removesuffix(b"\r\n").split(b"\r\n"):
        line.decode()  # no character is cut in two


@given(st.lists(_CARD, max_size=2), st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_many_cards_and_any_line_end(cards: list[Vcard], end: bytes) -> None:
    data = b"".join(map(format_vcard, cards)).replace(b"\r\n", end)
    assert list(parse_vcards(data)) == cards


@given(
    st.binary(max_size=400) | st.text('BEGIN:VCARD\n\r;=,."^\\ \tQUOTED-RINTABLE').map(str.encode)
)
def test_any_bytes_are_read(data: bytes) -> None:
    for text in (data, b"BEGIN:VCARD\n" + data + b"\nEND:VCARD"):
        for card in parse_vcards(text):
            assert list(parse_vcards(format_vcard(card)))


@given(_TEXT, st.lists(_TEXT, min_size=1, max_size=4))
def test_escapes(text: str, several: list[str]) -> None:
    assert unescaped(escaped(text)) == text
    assert caret_decoded(caret_encoded(text)) == text
    assert [unescaped(one) for one in split(";".join(map(escaped, several)), ";")] == several


def test_components_are_lists_of_texts() -> None:
    assert components(r"a\;b,c;;d\,e; ") == [["a;b", "c"], [], ["d,e"], []]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"TEL;HOME;VOICE:1", Property("TEL", "1", (("TYPE", ("HOME", "VOICE")),))),
        (b"tel;type=home;TYPE=cell:1", Property("TEL", "1", (("TYPE", ("home", "cell")),))),
        (b'TEL;TYPE="home,cell":1', Property("TEL", "1", (("TYPE", ("home,cell",)),))),
        (b"item1.X-ABLabel:a", Property("X-ABLABEL", "a", (), "item1")),
        (b"NOTE;X=a^nb^'^^:n", Property("NOTE", "n", (("X", ("a^nb^'^^",)),))),
        (
            b"FN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller",
            Property("FN", "Müller"),
        ),
        (b"NOTE;ENCODING=QUOTED-PRINTABLE:a=0D=0Ab=\r\nc", Property("NOTE", "a\\nbc")),
        (b"FN:caf\xe9", Property("FN", "café")),
        (b"PHOTO;BASE64:AAAA", Property("PHOTO", "AAAA", (("ENCODING", ("BASE64",)),))),
    ],
    ids=["2.1", "twice", "quoted", "group", "carets-of-3", "latin", "soft", "octets", "bare"],
)
def test_lines_of_older_versions(line: bytes, wanted: Property) -> None:
    card = parse_vcard(b"BEGIN:VCARD\r\nVERSION:2.1\r\n" + line + b"\r\nEND:VCARD\r\n")
    assert card.properties == (wanted,)


def test_lines_that_are_none_are_left_out() -> None:
    text = b"\xef\xbb\xbfnoise\nBEGIN:VCARD\nFN:a\nno line\n:b\n\nX;Y\nNOTE:c\n d\n"
    card = parse_vcard(text)
    assert [(one.name, one.value) for one in card.properties] == [("FN", "a"), ("NOTE", "cd")]
    assert card.version == V3


@pytest.mark.parametrize("text", [b"", b"FN:a\n", b"BEGIN:VCARD\nEND:VCARD\n" * 2])
def test_one_card_is_wanted(text: bytes) -> None:
    with pytest.raises(NotVcard):
        parse_vcard(text)


def test_a_card_has_an_end() -> None:
    with pytest.raises(NotVcard):
        parse_vcard(b"BEGIN:VCARD\n" + b"NOTE:a\n" * 6000 + b"END:VCARD\n")


def test_parameters_of_3_have_no_carets() -> None:
    card = Vcard(V3, (Property("X", "1", (("P", ('a"b^\n',)), ("Q", ("",)))),))
    assert b'X;P="a\'b^ ";Q="":1\r\n' in format_vcard(card)
