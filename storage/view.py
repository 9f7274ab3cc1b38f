"""A mailbox as three parallel arrays, one view a mailbox and process, shared by its sessions.

Invariants: `uids` ascends; a change comes in commit order and once; an expunge makes new array
objects (a generation), an append extends them in place, a flag change writes in place. A view
belongs to the loop's thread. Nothing here reads SQL: storage/views.py loads and feeds.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from storage.keywords import KeywordTable
from storage.schema import KEYWORD_SHIFT
from storage.values import AccountId, Mailbox, MailboxId, System

_SYSTEM = (1 << KEYWORD_SHIFT) - 1
_STEP = 1024
_SEEN = int(System.SEEN)  # & with an IntFlag costs ten times as much


class View:
    """The newest committed state of one mailbox. `release()` when a session closes it."""

    __slots__ = (
        "_counts",
        "_drop",
        "_first",
        "_kept",
        "_keywords",
        "account",
        "flags",
        "generation",
        "highestmodseq",
        "mailbox",
        "modseqs",
        "uidnext",
        "uids",
        "uidvalidity",
        "users",
    )

    def __init__(
        self, box: Mailbox, keywords: KeywordTable, drop: Callable[["View"], None]
    ) -> None:
        self.account: AccountId = box.account
        self.mailbox: MailboxId = box.id
        self.uidvalidity = box.uidvalidity
        self.uidnext = box.uidnext
        self.highestmodseq = box.highestmodseq
        self.uids = array("I")
        self.flags = array("I")
        self.modseqs = array("Q")
        self.generation = 0
        self.users = 0
        self._keywords = keywords
        self._drop = drop
        self._kept: dict[int, int] = {}
        self._counts: Counter[int] = Counter()
        self._first = 0

    def __len__(self) -> int:
        return len(self.uids)

    def index_of(self, uid: int) -> int:
        """The index of `uid` in the arrays, or -1 when it is not in the mailbox."""
        uids = self.uids
        index = bisect_left(uids, uid)
        return index if index < len(uids) and uids[index] == uid else -1

    def flags_text(self, field: int) -> bytes:
        """The flag list of a field of `flags` as IMAP writes it, without parentheses."""
        return self._keywords.text(field)

    def keywords(self) -> list[str]:
        """Keywords in use in the mailbox, sorted."""
        numbers = {field >> KEYWORD_SHIFT for field in self.fields()}
        return sorted({word for number in numbers for word in self._keywords.words(number)})

    def unseen(self) -> int:
        """How many messages have no \\Seen."""
        return sum(count for field, count in self._counts.items() if not field & _SEEN)

    def fields(self) -> list[int]:
        """The flag fields in use, each once."""
        return list(self._counts)

    def counts(self) -> "Counter[int]":
        """How often each flag field stands in `flags`; a copy."""
        return self._counts.copy()

    def first_unseen(self) -> int:
        """The index of the first message without \\Seen, or -1."""
        flags, unseen = self.flags, {field for field in self._counts if not field & _SEEN}
        if not unseen:
            return -1
        for start in range(self._first, len(flags), _STEP):
            piece = flags[start : start + _STEP]
            if not unseen.isdisjoint(piece):
                self._first = start + next(i for i, field in enumerate(piece) if field in unseen)
                return self._first
        return -1

    def keep(self, uids: Iterable[int]) -> Callable[[], None]:
        """Keeps the files of `uids` from being unlinked until the returned function is called.

        The mirror asks `kept`; it unlinks after 10 minutes all the same.
        """
        held = tuple(uids)
        for uid in held:
            self._kept[uid] = self._kept.get(uid, 0) + 1

        def release() -> None:
            nonlocal held
            for uid in held:
                left = self._kept.get(uid, 0) - 1
                if left > 0:
                    self._kept[uid] = left
                else:
                    self._kept.pop(uid, None)
            held = ()

        return release

    def kept(self, uid: int) -> bool:
        """True while some session still lists `uid`."""
        return uid in self._kept

    def release(self) -> None:
        """One user less; the last one lets the view be dropped."""
        self.users -= 1
        if self.users <= 0:
            self._drop(self)

    # What follows is called by storage/views.py alone, in commit order.

    def extend(self, uids: "array[int]", flags: "array[int]", modseqs: "array[int]") -> None:
        """Adds messages at the end; those at or below the last UID are known already."""
        start = bisect_left(uids, self.uids[-1] + 1) if self.uids else 0
        self.load(uids[start:], flags[start:], modseqs[start:])

    def load(self, uids: Sequence[int], flags: Sequence[int], modseqs: Sequence[int]) -> None:
        """Adds messages behind the last UID."""
        self.uids.extend(uids)
        self.flags.extend(flags)
        self.modseqs.extend(modseqs)
        self._counts.update(flags)

    def adopt(
        self,
        uids: "array[int]",
        flags: "array[int]",
        modseqs: "array[int]",
        counts: "Counter[int]",
    ) -> None:
        """Takes arrays that were packed from a view of this mailbox, with the counts of fields."""
        self.uids, self.flags, self.modseqs, self._counts = uids, flags, modseqs, counts

    def change(self, uids: "array[int]", flags: "array[int]", modseq: int) -> None:
        """Sets the fields of `uids` (ascending); vanished ones and newer ones are left alone."""
        if not uids:
            return
        start = bisect_left(self.uids, uids[0])
        if self.highestmodseq < modseq and self.uids[start : start + len(uids)] == uids:
            self._recount(self.flags[start : start + len(uids)], flags)
            self._first = min(self._first, start)
            self.flags[start : start + len(uids)] = flags
            self.modseqs[start : start + len(uids)] = array("Q", (modseq,)) * len(uids)
        else:
            gone, come = list[int](), list[int]()
            for uid, field in zip(uids, flags, strict=True):
                index = self.index_of(uid)
                if index >= 0 and self.modseqs[index] < modseq:
                    gone.append(self.flags[index])
                    come.append(field)
                    self._first = min(self._first, index)
                    self.flags[index] = field
                    self.modseqs[index] = modseq
            self._recount(gone, come)

    def remove(self, uids: Sequence[int]) -> None:
        """Drops `uids` by making a generation; unknown ones are ignored."""
        gone = {index for index in map(self.index_of, uids) if index >= 0}
        if not gone:
            return
        self._recount([self.flags[index] for index in gone], ())
        self._first -= sum(1 for index in gone if index < self._first)
        cuts = [-1, *sorted(gone), len(self.uids)]
        self.uids = _without(self.uids, cuts)
        self.flags = _without(self.flags, cuts)
        self.modseqs = _without(self.modseqs, cuts)
        self.generation += 1

    def replace(self, fresh: "View") -> None:
        """Takes the arrays of a view that was read anew, as a generation of its own."""
        if self.uids != fresh.uids:
            self.uids = fresh.uids
            self.generation += 1
        self.flags, self.modseqs = fresh.flags, fresh.modseqs
        self._counts, self._first = fresh._counts, 0
        self.uidnext = max(self.uidnext, fresh.uidnext)
        self.highestmodseq = max(self.highestmodseq, fresh.highestmodseq)

    def empty(self) -> "View":
        """The view without messages, as `replace` takes it."""
        bare = View.__new__(View)
        bare.uids, bare.flags, bare.modseqs = array("I"), array("I"), array("Q")
        bare.uidnext, bare.highestmodseq = self.uidnext, self.highestmodseq
        bare._counts = Counter()
        return bare

    def _recount(self, gone: Sequence[int], come: Sequence[int]) -> None:
        """Counts of fields, none of them zero."""
        counts = self._counts
        counts.update(come)
        counts.subtract(gone)
        for field in set(gone):
            if not counts[field]:
                del counts[field]

    def settle(self, box: Mailbox) -> None:
        """Takes the counters that go with the changes applied before."""
        self.uidnext = max(self.uidnext, box.uidnext)
        self.highestmodseq = max(self.highestmodseq, box.highestmodseq)


def _without(values: "array[int]", cuts: list[int]) -> "array[int]":
    """`values` without the indices of `cuts` (which begins with -1 and ends with the length)."""
    kept = array(values.typecode)
    for before, after in pairwise(cuts):
        if after > before + 1:
            kept.extend(values[before + 1 : after])
    return kept
