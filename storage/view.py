"""A mailbox as three parallel arrays, one view a mailbox and process, shared by its sessions.

Invariants: `uids` ascends; a change comes in commit order and once; an expunge makes new array
objects (a generation), an append extends them in place, a flag change writes in place. A view
belongs to the loop's thread. Nothing here reads SQL: storage/views.py loads and feeds.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from storage.keywords import KeywordTable
from storage.schema import KEYWORD_SHIFT
from storage.values import AccountId, Flags, Mailbox, MailboxId, System

_SYSTEM = (1 << KEYWORD_SHIFT) - 1
_SEEN = int(System.SEEN)  # & with an IntFlag costs ten times as much


class View:
    """The newest committed state of one mailbox. `release()` when a session closes it."""

    __slots__ = (
        "_drop",
        "_kept",
        "_keywords",
        "_unseen",
        "_unseen_at",
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
        self._unseen = 0
        self._unseen_at = -1

    def __len__(self) -> int:
        return len(self.uids)

    def index_of(self, uid: int) -> int:
        """The index of `uid` in the arrays, or -1 when it is not in the mailbox."""
        uids = self.uids
        index = bisect_left(uids, uid)
        return index if index < len(uids) and uids[index] == uid else -1

    def flags_at(self, index: int) -> Flags:
        """Flags of the message at `index`."""
        return self._keywords.flags(self.flags[index])

    def flags_text(self, field: int) -> bytes:
        """The flag list of a field of `flags` as IMAP writes it, without parentheses."""
        return self._keywords.text(field)

    def keywords(self) -> list[str]:
        """Keywords in use in the mailbox, sorted."""
        numbers = {field >> KEYWORD_SHIFT for field in set(self.flags)}
        return sorted({word for number in numbers for word in self._keywords.words(number)})

    def unseen(self) -> int:
        """How many messages have no \\Seen."""
        if self._unseen_at != self.highestmodseq:
            self._unseen = sum(1 for field in self.flags if not field & _SEEN)
            self._unseen_at = self.highestmodseq
        return self._unseen

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
        self.uids.extend(uids[start:])
        self.flags.extend(flags[start:])
        self.modseqs.extend(modseqs[start:])
        self._unseen_at = -1

    def change(self, uids: "array[int]", flags: "array[int]", modseq: int) -> None:
        """Sets the fields of `uids` (ascending); vanished ones and newer ones are left alone."""
        if not uids:
            return
        start = bisect_left(self.uids, uids[0])
        if self.highestmodseq < modseq and self.uids[start : start + len(uids)] == uids:
            self.flags[start : start + len(uids)] = flags
            self.modseqs[start : start + len(uids)] = array("Q", (modseq,)) * len(uids)
        else:
            for uid, field in zip(uids, flags, strict=True):
                index = self.index_of(uid)
                if index >= 0 and self.modseqs[index] < modseq:
                    self.flags[index] = field
                    self.modseqs[index] = modseq
        self._unseen_at = -1

    def remove(self, uids: Sequence[int]) -> None:
        """Drops `uids` by making a generation; unknown ones are ignored."""
        gone = {index for index in map(self.index_of, uids) if index >= 0}
        if not gone:
            return
        cuts = [-1, *sorted(gone), len(self.uids)]
        self.uids = _without(self.uids, cuts)
        self.flags = _without(self.flags, cuts)
        self.modseqs = _without(self.modseqs, cuts)
        self.generation += 1
        self._unseen_at = -1

    def replace(self, fresh: "View") -> None:
        """Takes the arrays of a view that was read anew, as a generation of its own."""
        if self.uids != fresh.uids:
            self.uids = fresh.uids
            self.generation += 1
        self.flags, self.modseqs = fresh.flags, fresh.modseqs
        self.uidnext = max(self.uidnext, fresh.uidnext)
        self.highestmodseq = max(self.highestmodseq, fresh.highestmodseq)
        self._unseen_at = -1

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
