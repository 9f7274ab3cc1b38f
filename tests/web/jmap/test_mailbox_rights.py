"""Rights in mailboxes by the words of JMAP (RFC 8621 §2) and the letters of RFC 4314."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.rights import ALL, NONE, Rights, rights_of
from storage.values import AccountId, Mailbox, MailboxId
from web.jmap.mail.mailbox_rights import LETTERS, given_rights, told_rights

LETTER_SETS = st.sets(st.sampled_from(ALL)).map(lambda letters: rights_of("".join(letters)))


def box(name: str) -> Mailbox:
    return Mailbox(MailboxId(1), AccountId(1), name, 1, 1, 1, 0, 0, 0, 0)


@given(old=LETTER_SETS, name=st.sampled_from(["INBOX", "Work"]))
def test_what_is_given_back_as_it_was_told_changes_no_letter(old: Rights, name: str) -> None:
    told = told_rights(old, box(name), share=True)
    if "l" in old and any(told.values()):
        assert given_rights(old, told, told) == old


@given(old=LETTER_SETS, wanted=st.sets(st.sampled_from(sorted(set(LETTERS) - {"mayRename"}))))
def test_what_is_wanted_is_what_is_told_then(old: Rights, wanted: set[str]) -> None:
    after = dict.fromkeys(wanted | ({"mayRename"} if "mayDelete" in wanted else set()), True)
    made = given_rights(old, told_rights(old, box("Work"), share=True), after)
    told = told_rights(made, box("Work"), share=True)
    assert {one for one, may in told.items() if may} == set(after)


def test_nothing_wanted_is_no_entry() -> None:
    assert given_rights(ALL, told_rights(ALL, box("Work"), share=True), {}) == NONE


@pytest.mark.parametrize(
    "wrong", [None, 5, {"mayFly": True}, {"mayShare": 1}, {"mayRename": True}], ids=repr
)
def test_what_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"[Rr]ight"):
        given_rights(NONE, {}, wrong)
