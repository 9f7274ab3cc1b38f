"""THREAD's algorithms on hand-made mailboxes and on any; sorting in pieces."""

import re
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from message import pieces
from message.pieces import finish, order_by
from message.threads import DUMMY, Keys, ordered_subject, references, refs, written


class Mail(NamedTuple):
    """`ids` are small numbers; `date` counts as sent and received."""

    id: int
    references: tuple[int, ...] = ()
    subject: str = ""
    reply: bool = False
    date: float = 0


def keys_of(mails: list[Mail]) -> Keys:
    return Keys(
        [mail.date for mail in mails],
        [mail.subject for mail in mails],
        [mail.reply for mail in mails],
        [mail.id for mail in mails],
        [mail.references for mail in mails],
    )


def threads(mails: list[Mail], algorithm: str = "REFERENCES") -> str:
    """The threads as they are written, by sequence number."""
    run = {"REFERENCES": references, "REFS": refs, "ORDEREDSUBJECT": ordered_subject}[algorithm]
    forest = finish(run(range(len(mails)), keys_of(mails)))
    return finish(written(forest, range(1, len(mails) + 1))).decode()


def test_replies_are_below_what_they_answer() -> None:
    assert threads([]) == ""
    assert threads([Mail(1), Mail(2, (1,)), Mail(3, (1, 2)), Mail(4)]) == "(1 2 3)(4)"
    branches = [Mail(1), Mail(2, (1,)), Mail(3, (1,)), Mail(4, (1, 3))]
    assert threads(branches) == "(1 (2)(3 4))"


def test_siblings_and_threads_go_by_date_then_number() -> None:
    mails = [Mail(1, date=9), Mail(2, date=5), Mail(3, (2,), date=8), Mail(4, (2,), date=7)]
    assert threads(mails) == "(2 (4)(3))(1)"
    assert threads([Mail(1, date=1), Mail(2, date=1)]) == "(1)(2)"


def test_a_missing_parent_of_several_stays_as_a_dummy() -> None:
    assert threads([Mail(2, (1,)), Mail(3, (1,))]) == "((1)(2))"
    assert threads([Mail(2, (1,)), Mail(4)]) == "(1)(2)"
    # the dummy in between goes: its children move up
    assert threads([Mail(1), Mail(3, (1, 2)), Mail(4, (1, 2))]) == "(1 (2)(3))"
    # a dummy sorts like its first child
    assert threads([Mail(9, date=5), Mail(2, (1,), date=7), Mail(3, (1,), date=4)]) == "((3)(2))(1)"


def test_the_last_reference_is_the_parent() -> None:
    truncated = [Mail(1), Mail(2, (1,)), Mail(4, (1, 3)), Mail(3, (1, 2))]
    assert threads(truncated) == "(1 2 4 3)"
    # without references of its own it has no parent, whatever others said
    assert threads([Mail(3, (1, 2)), Mail(1), Mail(2)]) == "(2)(3 1)"


def test_loops_and_doubles_are_not_followed() -> None:
    assert threads([Mail(1, (2,)), Mail(2, (1,))]) == "(2 1)"
    assert threads([Mail(1, (1,))]) == "(1)"
    assert threads([Mail(1), Mail(1), Mail(2, (1,))]) == "(1 3)(2)"
    assert threads([Mail(DUMMY), Mail(DUMMY, (DUMMY + 2,))]) == "(1)(2)"


def test_threads_of_one_subject_are_gathered() -> None:
    first = Mail(1, subject="A", date=1)
    assert threads([first, Mail(2, (), "A", True, 2)]) == "(1 2)"
    assert threads([Mail(2, (), "A", True, 2), first]) == "(2 1)"
    assert threads([first, Mail(2, subject="A", date=2)]) == "((1)(2))"
    assert threads([Mail(1), Mail(2)]) == "(1)(2)"
    dummy = [Mail(2, (9,), "A", True, 1), Mail(3, (9,), "A", True, 2)]
    assert threads([*dummy, Mail(4, subject="A", date=3)]) == "((1)(2)(3))"
    other = [Mail(5, (8,), "A", True, 3), Mail(6, (8,), "A", True, 4)]
    assert threads([*dummy, *other]) == "((1)(2)(3)(4))"
    three = [first, Mail(2, subject="A", date=2), Mail(3, subject="A", date=3)]
    assert threads(three) == "((1)(2)(3))"


def test_refs_leave_subjects_alone_and_go_by_the_newest_mail() -> None:
    mails = [
        Mail(1, subject="A", date=1),
        Mail(2, subject="A", date=2),
        Mail(3, (1,), "A", True, 3),
    ]
    assert threads(mails, "REFS") == "(2)(1 3)"


def test_ordered_subject_has_one_level() -> None:
    mails = [Mail(1, subject="B", date=3), Mail(2, subject="A", date=2), Mail(3, (), "B", date=1)]
    more = [*mails, Mail(4, (), "B", date=4)]
    assert threads(mails, "ORDEREDSUBJECT") == "(3 1)(2)"
    assert threads(more, "ORDEREDSUBJECT") == "(3 (1)(4))(2)"


def test_a_chain_as_long_as_the_mailbox() -> None:
    chain = [Mail(number, (number - 1,)) for number in range(1, 20_000)]
    assert threads(chain).startswith("(1 2 3 4 ")


_mails = st.lists(
    st.builds(
        Mail,
        st.integers(-1, 6),
        st.lists(st.integers(0, 8), max_size=4).map(tuple),
        st.sampled_from(["", "A", "B"]),
        st.booleans(),
        st.integers(0, 5),
    ),
    max_size=12,
)


@given(_mails, st.sampled_from(["REFERENCES", "REFS", "ORDEREDSUBJECT"]))
def test_every_message_is_in_one_thread(mails: list[Mail], algorithm: str) -> None:
    text = threads(mails, algorithm)
    found = sorted(int(number) for number in re.findall(r"\d+", text))
    assert found == list(range(1, len(mails) + 1))
    assert text.count("(") == text.count(")")


@given(_mails)
def test_dummies_are_roots_with_children_only(mails: list[Mail]) -> None:
    forest = finish(references(range(len(mails)), keys_of(mails)))
    for root in forest.roots:
        below = list(forest.children(root))
        assert forest.messages[root] != DUMMY or len(below) > 1
        while below:
            node = below.pop()
            assert forest.messages[node] != DUMMY
            below += forest.children(node)


@given(st.lists(st.integers(0, 50), max_size=300), st.booleans())
def test_pieces_sort_as_one_sort_does(values: list[int], reverse: bool) -> None:
    items = range(len(values))
    before = pieces.AT_ONCE
    try:
        pieces.AT_ONCE = 10  # type: ignore[misc]
        found = finish(order_by(items, values, reverse))
    finally:
        pieces.AT_ONCE = before  # type: ignore[misc]
    assert found == sorted(items, key=values.__getitem__, reverse=reverse)
