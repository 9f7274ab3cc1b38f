"""Rewritten senders lead back to where they came from, and to nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.address import AddressError, Mailbox, parse_mailbox
from message.srs import MAX_AGE, Kept, SrsError, is_srs, reverse, rewrite, rewrite_kept, token_of

KEY, DAY = b"k" * 32, 20_000
ADA = Mailbox("Ada.L+x", "far.test")


def made(sender: Mailbox, day: int = DAY) -> Mailbox:
    found = rewrite(sender, "ours.test", KEY, day)
    assert found is not None
    return found


def test_there_and_back() -> None:
    there = made(ADA)
    assert there.domain == "ours.test" and there.local.endswith("=far.test=Ada.L+x")
    assert there.local.startswith("SRS0=") and is_srs(there.local)
    assert parse_mailbox(str(there)) == there
    assert reverse(there.local, KEY, DAY) == ADA
    assert reverse(there.local.replace("SRS0=", "srs0+"), KEY, DAY) == ADA
    back = reverse(there.local.upper(), KEY, DAY)
    assert isinstance(back, Mailbox) and back.key() == ADA.key()


@given(st.text(max_size=40), st.integers(0, 2000))
def test_whatever_is_rewritten_comes_back(local: str, day: int) -> None:
    try:
        sender = parse_mailbox(f"{local}@far.test")
    except (AddressError, UnicodeError):
        return
    there = rewrite(sender, "ours.test", KEY, day)
    if there is not None and not is_srs(sender.local):
        assert reverse(parse_mailbox(str(there)).local, KEY, day) == sender


@given(st.text(max_size=60))
def test_anything_else_is_refused(local: str) -> None:
    with pytest.raises(SrsError):
        reverse(local, KEY, DAY)
    with pytest.raises(SrsError):
        reverse(f"SRS0=aaaaaaaa=aa={local}", KEY, DAY)


@pytest.mark.parametrize("age", [0, 1, MAX_AGE, MAX_AGE + 1, 1000])
def test_it_ends_after_some_weeks(age: int) -> None:
    there = made(ADA).local
    if age <= MAX_AGE:
        assert reverse(there, KEY, DAY + age) == ADA
        return
    with pytest.raises(SrsError, match="too long ago"):
        reverse(there, KEY, DAY + age)


def test_forgeries() -> None:
    there = made(ADA).local
    for forged in (
        there.replace("far.test", "bank.test"),
        there.replace("Ada", "Eve"),
        made(ADA, DAY + 1).local[:14] + there[14:],
    ):
        with pytest.raises(SrsError, match="not rewritten here"):
            reverse(forged, KEY, DAY)
    with pytest.raises(SrsError):
        reverse(there, b"another key", DAY)


def test_mail_that_others_rewrote_goes_back_through_the_first() -> None:
    first = rewrite(Mailbox("u", "far.test"), "one.test", b"theirs", DAY)
    assert first is not None
    second = made(first)
    assert second.local.startswith("SRS1=") and "=one.test==" in second.local
    assert reverse(second.local, KEY, DAY + 900) == first
    third = rewrite(second, "three.test", b"thirds", DAY)
    assert third is not None and reverse(third.local, b"thirds", DAY) == first
    with pytest.raises(SrsError):
        reverse(second.local.replace("one.test", "bank.test"), KEY, DAY)


def test_long_addresses_are_kept_elsewhere() -> None:
    long = Mailbox("bounces+12345678-abcd-ada=example.test", "em1234.mail.sender.test")
    assert rewrite(long, "ours.test", KEY, DAY) is None
    assert rewrite(Mailbox("a b", "far.test"), "ours.test", KEY, DAY) is None
    token = token_of(long, KEY)
    there = rewrite_kept(token, "ours.test", KEY, DAY)
    assert len(there.local) <= 64 and reverse(there.local, KEY, DAY) == Kept(token)
    assert token != token_of(long, b"other") != token_of(ADA, b"other")
