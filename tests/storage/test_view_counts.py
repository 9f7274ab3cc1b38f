"""What a view counts as it changes is what its arrays hold, whatever happens to it."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from storage.keywords import KeywordSets, KeywordTable
from storage.values import AccountId, Mailbox, MailboxId, System
from storage.view import View

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["come", "go", "flag", "part"]), st.integers(1, 60), st.integers(0, 3)
    ),
    max_size=30,
)


def new_view() -> View:
    box = Mailbox(MailboxId(1), AccountId(1), "INBOX", 1, 1, 1, 0, 0, 0, 0)
    return View(box, KeywordTable(KeywordSets(()).sets), lambda _: None)


def first_unseen(view: View) -> int:
    return next((i for i, field in enumerate(view.flags) if not field & System.SEEN), -1)


@given(_STEPS)
def test_counts_and_the_first_unseen(steps: list[tuple[str, int, int]]) -> None:
    view, modseq = new_view(), 1
    for what, number, field in steps:
        modseq += 1
        last = view.uids[-1] if view.uids else 0
        if what == "come":
            uids = array("I", range(last + 1, last + 1 + number))
            view.extend(uids, array("I", [field] * number), array("Q", [modseq] * number))
        elif what == "go":
            view.remove([uid for uid in view.uids if uid % number == 0])
        else:
            step = 1 if what == "part" else number
            some = array("I", view.uids[number // 2 :: step][: number + 1])
            view.change(some, array("I", [field] * len(some)), modseq)
        view.highestmodseq = modseq
        assert set(view.fields()) == set(view.flags)
        assert view.unseen() == sum(1 for each in view.flags if not each & System.SEEN)
        assert view.first_unseen() == first_unseen(view)
