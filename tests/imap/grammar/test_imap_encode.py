"""Values and responses as bytes, against what the RFCs print and what the parser takes back."""

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.grammar import utf7
from imap.grammar.dates import format_date_time, format_seconds
from imap.grammar.encode import (
    ascending_ranges,
    astring,
    fetch_label,
    flag_list,
    literal,
    mailbox,
    nstring,
    sequence_set,
    string,
    uid_set,
)
from imap.grammar.fetch_item import FetchAtom, FetchBody, Section, SectionKind
from imap.grammar.mailbox_commands import StatusItem
from imap.grammar.number_lists import as_set, spaced
from imap.grammar.responses import (
    appenduid_code,
    copyuid_code,
    esearch_start,
    fetch_line,
    id_line,
    list_line,
    modified_code,
    namespace_line,
    status_line,
)
from imap.grammar.tokens import Cursor
from imap.grammar.values import STAR, Partial, SequenceSet
from message.pieces import finish
from tests.support.imap_commands import frame_of, sets


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("INBOX", b"INBOX"),
        ("a b", b"a b"),
        ("a&b", b"a&-b"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("\U0001f600", b"&2D3eAA-"),
        ("a\r\nb", b"a&AA0ACg-b"),
    ],
)
def test_utf7_as_printed(name: str, octets: bytes) -> None:
    assert utf7.encode(name) == octets
    assert utf7.decode(octets) == name


@settings(max_examples=200, deadline=None)
@given(st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("&-,+"))))
def test_utf7_round_trip(name: str) -> None:
    octets = utf7.encode(name)
    assert octets.decode("ascii").isprintable()
    assert utf7.decode(octets) == name


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(), st.text("&-,ABab+/=").map(str.encode)))
def test_utf7_takes_anything_that_is_text(octets: bytes) -> None:
    try:
        name = utf7.decode(octets)
    except UnicodeDecodeError:
        return
    assert utf7.decode(utf7.encode(name)) == name


def test_half_surrogates_do_no_harm() -> None:
    assert utf7.decode(utf7.encode("a\udc80b")) == "a?b"
    assert utf7.decode(b"&2AA-") == "&2AA-"


@pytest.mark.parametrize(
    ("octets", "encoded"),
    [
        (b"x", b"x"),
        (b"", b'""'),
        (b"nil", b'"nil"'),
        (b"a b", b'"a b"'),
        (b'a"\\b', b'"a\\"\\\\b"'),
        (b"50%", b'"50%"'),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"\xc3\xbc", b"{2}\r\n\xc3\xbc"),
        (b"x" * 2000, b"x" * 2000),
    ],
)
def test_strings(octets: bytes, encoded: bytes) -> None:
    assert astring(octets) == encoded


def test_string_forms() -> None:
    assert string(b"x" * 1025) == b"{1025}\r\n" + b"x" * 1025
    assert (nstring(None), nstring(b"")) == (b"NIL", b'""')
    assert literal(b"a\0", binary=True) == b"~{2}\r\na\0"
    assert literal(b"a", plus=True) == b"{1+}\r\na"
    assert mailbox("Entwürfe") == b"Entw&APw-rfe"
    assert mailbox("Entwürfe & x", utf8=True) == '"Entwürfe & x"'.encode()
    assert mailbox("ü\r\n", utf8=True) == b"{4}\r\n\xc3\xbc\r\n"
    assert flag_list(["\\Seen", "$x"]) == b"(\\Seen $x)"


@settings(max_examples=100, deadline=None)
@given(st.binary().map(lambda octets: octets.replace(b"\0", b"")))
def test_astring_is_read_back(octets: bytes) -> None:
    cursor = Cursor(frame_of(b"a SELECT " + astring(octets, plus=True) + b"\r\n"))
    cursor.space()
    assert cursor.astring("anything") == octets
    assert cursor.at_end()


@given(sets)
def test_sequence_set_is_read_back(sequence: SequenceSet) -> None:
    cursor = Cursor(frame_of(b"a FETCH " + sequence_set(sequence) + b"\r\n"))
    cursor.space()
    assert cursor.sequence() == sequence


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(1, 60), min_size=1).map(sorted))
def test_ranges_are_those_of_the_plain_way(numbers: list[int]) -> None:
    expected = SequenceSet.of(numbers)
    assert tuple(ascending_ranges(array("Q", numbers))) == expected.ranges
    assert uid_set(numbers) == sequence_set(expected)


class Counting(list[int]):
    """A list that counts how often it is asked."""

    asked = 0

    def __getitem__(self, index: int) -> int:  # type: ignore[override]
        self.asked += 1
        return super().__getitem__(index)


def test_one_run_is_found_without_visiting_it() -> None:
    numbers = Counting(range(7, 100_007))
    assert uid_set(numbers) == b"7:100006"
    assert numbers.asked < 60


def test_sets_are_resolved() -> None:
    assert SequenceSet(((9, STAR),)).resolve(3) == ((3, 9),)
    assert SequenceSet(((4, 6), (1, 2), (3, 3), (6, 8))).resolve(9) == ((1, 8),)
    assert SequenceSet(((STAR, STAR),)).resolve(5) == ((5, 5),)
    assert SequenceSet(((1, 2), (5, STAR))).contains(7, 7)


@pytest.mark.parametrize(
    ("item", "label"),
    [
        (FetchAtom.RFC822_PEEK, b"RFC822"),
        (FetchAtom.RFC822_TEXT_PEEK, b"RFC822.TEXT"),
        (FetchAtom.FLAGS, b"FLAGS"),
        (FetchBody(Section(), True), b"BODY[]"),
        (FetchBody(Section((1, 2), SectionKind.MIME)), b"BODY[1.2.MIME]"),
        (FetchBody(Section((3,)), True, Partial(0, 10)), b"BODY[3]<0>"),
        (
            FetchBody(Section((), SectionKind.HEADER_FIELDS, ("To", "a b")), True),
            b'BODY[HEADER.FIELDS (To "a b")]',
        ),
    ],
)
def test_labels_of_answers(item: FetchAtom | FetchBody, label: bytes) -> None:
    assert fetch_label(item) == label


def test_fetch_lines() -> None:
    assert fetch_line(3, [b"UID 5", b"FLAGS ()"]) == b"* 3 FETCH (UID 5 FLAGS ())\r\n"


def test_mailbox_lines() -> None:
    assert list_line("a b", ["\\HasNoChildren"], "/") == b'* LIST (\\HasNoChildren) "/" "a b"\r\n'
    assert list_line("x", [], None, command=b"LSUB") == b"* LSUB () NIL x\r\n"
    assert (
        list_line("x", ["\\HasChildren"], ".", child_info=["SUBSCRIBED"])
        == b'* LIST (\\HasChildren) "." x ("CHILDINFO" ("SUBSCRIBED"))\r\n'
    )
    assert list_line("ü", [], "\\", utf8=True) == '* LIST () "\\\\" "ü"\r\n'.encode()
    assert (
        status_line("a b", {StatusItem.MESSAGES: 3, StatusItem.APPENDLIMIT: None})
        == b'* STATUS "a b" (MESSAGES 3 APPENDLIMIT NIL)\r\n'
    )
    assert namespace_line([("", "/")]) == b'* NAMESPACE (("" "/")) NIL NIL\r\n'
    assert (
        namespace_line([("", ".")], [("~", None)], [("a b.", ".")])
        == b'* NAMESPACE (("" ".")) (("~" NIL)) (("a b." "."))\r\n'
    )


def numbers(found: Sequence[int]) -> list[int]:
    return list(found)


@pytest.mark.parametrize(
    ("found", "text", "listed"),
    [
        ([], b"", b""),
        ([2], b" 2", b"2"),
        ([2, 3, 4, 9], b" 2 3 4 9", b"2:4,9"),
        (range(1, 10_001), None, b"1:10000"),
    ],
)
def test_number_lists(found: Sequence[int], text: bytes | None, listed: bytes) -> None:
    for ascending in (True, False):
        assert finish(as_set(found, numbers, ascending=ascending)) == listed
    written = finish(spaced(found, numbers))
    assert text in (written, None)
    assert list(map(int, written.split())) == list(found)


def test_a_set_in_sort_order_has_ascending_ranges_only() -> None:
    found = [5, 4, 3, 7, 8, 9, 1]
    assert finish(as_set(found, numbers, ascending=False)) == b"5,4,3,7:9,1"


def test_the_start_of_esearch() -> None:
    assert esearch_start("A282", uid=False) == b'* ESEARCH (TAG "A282")'
    assert esearch_start("A283", uid=True) == b'* ESEARCH (TAG "A283") UID'


def test_codes_and_id() -> None:
    assert appenduid_code(38505, [3955, 3956]) == b"APPENDUID 38505 3955:3956"
    assert copyuid_code(38505, [304, 319, 320], [3956, 3957, 3958]) == (
        b"COPYUID 38505 304,319:320 3956:3958"
    )
    assert modified_code([7, 9]) == b"MODIFIED 7,9"
    assert id_line([("name", "x y"), ("os", None)]) == b'* ID ("name" "x y" "os" NIL)\r\n'
    assert id_line(None) == b"* ID NIL\r\n"


def test_dates() -> None:
    moment = datetime(1996, 7, 7, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7, minutes=-30)))
    assert format_date_time(moment) == b'"07-Jul-1996 02:44:25 -0730"'
    for seconds in (0, -1, 1_700_000_000, 253_402_300_799):
        plain = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
        assert format_seconds(seconds) == format_date_time(plain)
