"""The checker itself: each kind of lawlessness is found."""

import pytest

from tests.system.consistency_model import Model
from tests.system.consistency_truth import Truth, message


def opened(count: int = 3, *, condstore: bool = False, qresync: bool = False) -> Model:
    """UIDs 2, 4, 6, ... and no command under way."""
    model = Model(Truth(), "INBOX", opening=True, condstore=condstore, qresync=qresync)
    model.response(b"* %d EXISTS\r\n" % count)
    model.opening = False
    for number in range(1, count + 1):
        model.response(b"* %d FETCH (UID %d FLAGS () MODSEQ (7))\r\n" % (number, number * 2))
    return model


def test_a_lawful_conversation() -> None:
    model = opened()
    model.command = "UID FETCH"
    model.response(b"* 2 EXPUNGE\r\n")
    model.response(b"* 3 EXISTS\r\n")
    model.response(b"* 2 FETCH (UID 6 FLAGS (\\Seen Blue) MODSEQ (9))\r\n")
    model.response(b"* 3 FETCH (UID 8 FLAGS () MODSEQ (8))\r\n")
    assert model.numbers == [2, 6, 8]
    assert model.flags[6] == {"\\seen", "blue"}
    model.settled()
    assert model.cached == 9


@pytest.mark.parametrize(
    ("command", "line", "told"),
    [
        ("FETCH", b"* 1 EXPUNGE", "vanish during FETCH"),
        ("", b"* 1 EXPUNGE", "while no command runs"),
        ("NOOP", b"* 4 EXPUNGE", "EXPUNGE 4 of 3"),
        ("NOOP", b"* 2 EXISTS", "EXISTS 2 after 3"),
        ("NOOP", b"* 4 FETCH (FLAGS ())", "with 3 messages"),
        ("NOOP", b"* 1 FETCH (UID 3 FLAGS ())", "and was 2"),
        ("NOOP", b"* 1 FETCH (UID 2 FLAGS () MODSEQ (6))", "MODSEQ 6 after 7"),
        ("NOOP", b"* 1 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (7))", "at 7"),
        ("NOOP", b"* VANISHED 2", "without ENABLE QRESYNC"),
    ],
)
def test_what_is_not_lawful(command: str, line: bytes, told: str) -> None:
    model = opened()
    model.command = command
    with pytest.raises(AssertionError, match=told):
        model.response(line + b"\r\n")


def test_flags_without_modseq() -> None:
    with pytest.raises(AssertionError, match="without MODSEQ"):
        opened(condstore=True).response(b"* 1 FETCH (FLAGS (\\Seen))\r\n")


def test_vanished_names_what_is_there() -> None:
    model = opened(qresync=True)
    model.command = "NOOP"
    model.response(b"* 5 EXISTS\r\n")
    model.response(b"* VANISHED 2,4,9\r\n")
    assert model.numbers == [6, 0]
    with pytest.raises(AssertionError, match="VANISHED 5"):
        model.response(b"* VANISHED 5\r\n")
    with pytest.raises(AssertionError, match="EXPUNGE after"):
        model.response(b"* 1 EXPUNGE\r\n")


def test_changed_bytes_and_a_reused_uid() -> None:
    model = opened()
    text = message("1-1")
    model.truth.sent |= {"1-1", "1-2"}
    model.response(b"* 1 FETCH (UID 2 BODY[] {%d}\r\n%b)\r\n" % (len(text), text))
    with pytest.raises(AssertionError, match="bytes of 1-1 changed"):
        model.response(b"* 1 FETCH (UID 2 BODY[] {%d}\r\n%b)\r\n" % (len(text) - 1, text[:-1]))
    other = message("1-2")
    with pytest.raises(AssertionError, match="is 1-2, and was 1-1"):
        model.response(b"* 1 FETCH (UID 2 BODY[] {%d}\r\n%b)\r\n" % (len(other), other))


def test_what_is_missing_or_back() -> None:
    truth = Truth()
    truth.given("INBOX", 1, None)
    truth.given("INBOX", 2, None)
    truth.deletes("INBOX", [2])
    truth.all_present("INBOX", {1})
    with pytest.raises(AssertionError, match=r"missing: \[1\]"):
        truth.all_present("INBOX", {2})
    truth.gone.add(("INBOX", 3))
    with pytest.raises(AssertionError, match=r"and there: \[3\]"):
        truth.all_present("INBOX", {1, 3})
    truth.copied("INBOX", "Trash", [(1, 1)], move=True)
    with pytest.raises(AssertionError, match="moved twice"):
        truth.copied("INBOX", "Trash", [(1, 2)], move=True)


def test_what_comes_and_goes_while_a_mailbox_is_opened() -> None:
    model = Model(Truth(), "INBOX", opening=True, qresync=True, command="SELECT")
    for line in (b"* 3 EXISTS", b"* 1 FETCH (UID 5 FLAGS ())", b"* VANISHED 5", b"* 4 EXISTS"):
        model.response(line + b"\r\n")
    assert (model.opened, model.numbers) == (2, [0, 0, 0, 0])
