"""Words, needles and vocabularies: what is found among terms is what is in the texts."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from message.search_text import SearchText, octets
from storage.search.build import (
    MOST_TEXT,
    Old,
    describe,
    merge_segments,
    pack_text,
    segment_of,
    unpack_text,
)
from storage.search.looking import HEAD, docs_of, look_for_text, terms_of, together
from storage.search.vocabulary import (
    Blocks,
    Column,
    build,
    directory_of,
    joined_postings,
    matching,
    names,
    pack_postings,
    pack_terms,
    unpack_postings,
    unpack_terms,
)
from storage.search.words import LONGEST, Needle, Place, words

_texts = st.text(st.sampled_from("abcAB-_ \n.\u00e4\u0308\u00df\u65e5\u201c\u3002"), max_size=30)
_terms = st.sets(st.text("ab\u00e4", min_size=1, max_size=6).map(octets))
_docs = st.lists(
    st.dictionaries(st.text("abc", min_size=1, max_size=3).map(octets), st.integers(1, 255)),
    max_size=6,
)


def packed(terms: set[bytes]) -> bytes:
    return b"\n" + b"\n".join(sorted(terms)) + b"\n" if terms else b""


@given(_terms, st.text("ab\u00e4", min_size=1, max_size=4).map(octets), st.sampled_from(Place))
def test_matching_terms(terms: set[bytes], piece: bytes, place: Place) -> None:
    holds: Callable[[bytes], bool] = {
        Place.INSIDE: lambda term: piece in term,
        Place.START: lambda term: term.startswith(piece),
        Place.END: lambda term: term.endswith(piece),
        Place.WHOLE: lambda term: term == piece,
    }[place]
    ordered = sorted(terms)
    found = list(matching(packed(terms), piece, place))
    assert found == [at for at, term in enumerate(ordered) if holds(term)]


@settings(max_examples=500)
@given(_texts, _texts, st.booleans())
def test_terms_name_every_text_that_holds_the_needle(text: str, other: str, cut: bool) -> None:
    """A needle of one word exactly those."""
    needle = octets(text[1:4] if cut else other[:3])
    body = octets(text)
    if not needle:
        return
    vocabulary = build([dict.fromkeys(words(body), int(Column.BODY))])
    look = look_for_text((text[1:4] if cut else other[:3]), False)
    found = terms_of(vocabulary.terms, look)
    docs = together([docs_of(vocabulary.postings, found, look.columns)])
    if look.needle.exact:
        assert bool(docs) is (needle in body)
    elif needle in body and look.needle.pieces:
        assert docs


def test_needles() -> None:
    assert Needle.of(b"FOO").exact
    assert Needle.of(b"O BA").pieces == ((b"O", Place.END), (b"BA", Place.START))
    assert Needle.of(b" FOO").pieces == ((b"FOO", Place.START),)
    assert Needle.of(b"FOO.").pieces == ((b"FOO", Place.END),)
    assert Needle.of(b"A.B.C").pieces == (
        (b"A", Place.END),
        (b"B", Place.WHOLE),
        (b"C", Place.START),
    )
    assert Needle.of(b" - ").pieces == ()


@given(_docs, st.integers(0, 6), st.sets(st.integers(0, 5)))
def test_merging_is_building_at_once(
    docs: list[dict[bytes, int]], cut: int, dead: set[int]
) -> None:
    from storage.search.vocabulary import merge

    numbers, count = [], 0
    for at in range(len(docs)):
        numbers.append(-1 if at in dead else count)
        count += at not in dead
    merged = merge([(build(docs[:cut]), numbers[:cut]), (build(docs[cut:]), numbers[cut:])])
    whole = build([doc for at, doc in enumerate(docs) if at not in dead])
    assert merged == whole
    assert unpack_terms(pack_terms(whole.terms)) == whole.terms
    directory, blocks = pack_postings(whole.postings, 3)
    assert joined_postings(blocks) == whole.postings
    firsts = directory_of(directory)
    some = Blocks(firsts, {at: unpack_postings(data) for at, data in enumerate(blocks)})
    for term in range(len(whole.postings.starts) - 1):
        assert some.of(term, 255) == whole.postings.of(term, 255)


@given(_texts.map(octets), _texts.map(octets), _texts.map(octets))
def test_texts_come_back(header: bytes, body: bytes, attached: bytes) -> None:
    text = SearchText(header, body, attached)
    assert unpack_text(pack_text(text)) == text


def test_what_terms_do_not_describe_is_loose() -> None:
    long_word = SearchText(b"SUBJECT: A", b"X" * (LONGEST + 1), b"")
    long_text = SearchText(b"", b"WORD " * (MOST_TEXT // 5 + 1), b"")
    fine = SearchText(b"", b"X" * LONGEST, b"")
    assert describe(long_word) is None
    assert describe(long_text) is None
    built = segment_of([(7, long_word), (8, fine), (9, long_text)])
    assert list(built.loose) == [0, 2]
    old = Old(built.blobs, built.loose, built.parts, frozenset({0}))
    merged = merge_segments([old, old])
    assert list(merged.blobs) == [8, 9, 8, 9]
    assert list(merged.loose) == [1, 3]


def test_columns() -> None:
    described = describe(SearchText(b"FROM: ANN\nX-FROM: BOB", b"HELLO BOB", b"REPORT"))
    assert described is not None
    head, body = described
    assert head[b"ANN"] == Column.FROM | Column.HEADER
    assert head[b"BOB"] == Column.HEADER
    assert body == {
        b"HELLO": Column.BODY,
        b"BOB": Column.BODY,
        b"REPORT": Column.ATTACHED,
    }
    assert not any(columns & ~HEAD for columns in head.values())
    assert names(packed({b"A"})) == [b"A"]
