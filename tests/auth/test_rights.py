"""Rights as values: their order, the virtual ones of RFC 2086, and what is no right."""

import pytest

from auth.rights import ALL, Rights, edited, effective, rights_of, shown, united, without
from storage.acl import EVERYBODY, Entries, Entry
from storage.values import AccountId


def test_the_virtual_rights_are_read_as_their_members() -> None:
    assert rights_of("lrswida") == "lrswitea"
    assert rights_of("cda") == "kxtea"
    assert rights_of("dted") == "te"
    assert rights_of("aewsrl") == "lrswea"


@pytest.mark.parametrize(
    ("rights", "written"),
    [("lrswitea", "lrswitead"), ("lrswikea", "lrswikeacd"), ("lrs", "lrs"), ("x", "xc"), ("", "")],
)
def test_a_member_brings_its_virtual_right(rights: str, written: str) -> None:
    assert shown(Rights(rights)) == written


@pytest.mark.parametrize("letters", ["lrQ", "q", "0", "l r", "é"])
def test_what_is_no_right_is_refused(letters: str) -> None:
    with pytest.raises(ValueError, match="no such right"):
        rights_of(letters)


def test_union_and_difference_keep_the_order() -> None:
    assert united(Rights("ra"), Rights("ls")) == "lrsa"
    assert without(ALL, Rights("te")) == "lrswipkxa"


OWNER, BOB, CY = AccountId(1), AccountId(2), AccountId(3)


def test_what_a_list_comes_to() -> None:
    entries = (
        Entry(EVERYBODY, False, "lr"),
        Entry(BOB, False, "swi"),
        Entry(BOB, True, "r"),
    )
    assert effective(entries, BOB, OWNER) == "lswi"
    assert effective(entries, CY, OWNER) == "lr"
    assert effective((), CY, OWNER) == ""
    assert effective(entries, OWNER, OWNER) == ALL


def test_the_owner_can_give_rights_up_but_not_be_locked_out() -> None:
    entries = (Entry(OWNER, False, "lrswia"), Entry(OWNER, True, "lw"), Entry(EVERYBODY, True, "a"))
    assert effective(entries, OWNER, OWNER) == "lrsia"
    assert effective((Entry(EVERYBODY, True, "te"),), OWNER, OWNER) == "lrswipkxa"


def test_setacl_replaces_adds_and_removes() -> None:
    entries: Entries = ()
    for sign, rights, left in (
        ("+", "lrs", "lrs"),
        ("+", "te", "lrste"),
        ("-", "tes", "lr"),
        ("", "lri", "lri"),
        ("-", "p", "lri"),
    ):
        entries = edited(entries, Entry(BOB, False, rights), sign, OWNER)
        assert entries == (Entry(BOB, False, left),)
    entries = edited(entries, Entry(BOB, True, "i"), "+", OWNER)
    assert entries == (Entry(BOB, False, "lri"), Entry(BOB, True, "i"))
    assert edited(entries, Entry(BOB, False, ""), "", OWNER) == (Entry(BOB, True, "i"),)


def test_the_owners_entry_begins_with_every_right_and_keeps_some() -> None:
    entries = edited((), Entry(OWNER, False, "te"), "-", OWNER)
    assert entries == (Entry(OWNER, False, "lrswipkxa"),)
    assert edited(entries, Entry(OWNER, False, "te"), "+", OWNER) == ()
    assert edited((), Entry(OWNER, False, ""), "", OWNER) == (Entry(OWNER, False, "lra"),)
