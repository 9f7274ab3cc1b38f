"""The selected mailbox as one session sees it: its generation of sequence numbers.

Sequence number n is `uids[n - 1]`, and `count` messages are known to the client. Flags and modseqs
are read by UID in the view's newest arrays; a UID that is absent there was expunged.
Invariant: the generation moves only in `take_expunged`, when EXPUNGE may be sent (RFC 9051 §7.5.1).
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from auth.rights import Rights
from imap.grammar.values import NO_MESSAGES, SequenceSet
from imap.place import Place
from imap.replies import Bad, No
from storage.values import AccountId, Mailbox, MailboxChanged, MailboxId
from storage.view import View

if TYPE_CHECKING:
    from imap.live import LiveResult

_CHANGING = frozenset("ieswt")


class Selected:
    """One session's hold on a view."""

    __slots__ = (
        "_keeping",
        "_told",
        "count",
        "examined",
        "expunged",
        "fields",
        "flagged",
        "keywords",
        "live",
        "place",
        "refresh",
        "regranted",
        "saved",
        "touched",
        "uids",
        "view",
    )

    def __init__(self, view: View, place: Place, examined: bool) -> None:
        self.view = view
        self.place = place
        self.examined = examined
        self.regranted = False
        self.uids: array[int] = view.uids
        self.count = len(view.uids)
        self.expunged: list[int] = []
        self.saved = NO_MESSAGES  # by UID: what `$` means
        self.live: dict[str, LiveResult] = {}
        self.touched: set[int] = set()  # UIDs that live results have to look at
        self.refresh: Callable[[], Awaitable[None]] | None = None  # looks at them
        self.flagged: dict[int, int] = {}
        self.keywords: set[str] = set()
        self.fields: set[int] = set()
        self._told = max(1, view.highestmodseq)
        self._keeping: list[Callable[[], None]] = []

    @property
    def account(self) -> AccountId:
        """The account that the mailbox belongs to."""
        return self.view.account

    @property
    def mailbox(self) -> MailboxId:
        return self.view.mailbox

    def is_at(self, box: Mailbox) -> bool:
        """Whether this is the mailbox."""
        return (box.account, box.id) == (self.account, self.mailbox)

    @property
    def name(self) -> str:
        """As the session names it."""
        return self.place.shown

    @property
    def read_only(self) -> bool:
        """By EXAMINE, or since nothing may be changed (RFC 4314 §5.2)."""
        return self.examined or _CHANGING.isdisjoint(self.place.rights)

    def check(self, rights: str) -> None:
        """Raises No for who lacks one of the rights, which can be told: the mailbox is open."""
        if not set(rights) <= set(self.place.rights):
            raise No("You have no right to do that", b"NOPERM")

    def regrant(self, rights: Rights) -> None:
        """Other rights hold from here on; the client is told with what is due next."""
        if rights != self.place.rights:
            self.place = replace(self.place, rights=rights)
            self.regranted = True

    @property
    def rights(self) -> Rights:
        """What the user may do here."""
        return self.place.rights

    def close(self) -> None:
        """Lets go of the view."""
        self._let_unlink()
        self.view.release()

    # Numbers.

    def number(self, uid: int) -> int:
        """The sequence number of a UID, 0 when the client does not know it."""
        index = bisect_left(self.uids, uid, 0, self.count)
        return index + 1 if index < self.count and self.uids[index] == uid else 0

    def indices(self, sequence: SequenceSet, by_uid: bool) -> Sequence[int]:
        """Ascending indices into `uids` of the messages that a set names.

        UIDs that do not exist are left out; a sequence number that does not exist is an error
        (RFC 9051 §6.4.8, §9 seq-number).
        """
        spans = self._uid_spans(sequence) if by_uid else self._number_spans(sequence)
        if len(spans) == 1:
            return range(*spans[0])
        return [index for low, high in spans for index in range(low, high)]

    def uids_of(self, sequence: SequenceSet, by_uid: bool) -> Sequence[int]:
        """The UIDs that a set names, ascending."""
        spans = self._uid_spans(sequence) if by_uid else self._number_spans(sequence)
        if len(spans) == 1:
            return self.uids[spans[0][0] : spans[0][1]]
        return [uid for low, high in spans for uid in self.uids[low:high]]

    def _uid_spans(self, sequence: SequenceSet) -> list[tuple[int, int]]:
        uids, count = self.uids, self.count
        if sequence.saved:
            return self._saved_spans()
        spans = []
        for low, high in sequence.resolve(uids[count - 1] if count else 0):
            start = bisect_left(uids, min(low, 0xFFFFFFFF), 0, count)
            end = bisect_right(uids, min(high, 0xFFFFFFFF), start, count)
            if start < end:
                spans.append((start, end))
        return spans

    def _number_spans(self, sequence: SequenceSet) -> list[tuple[int, int]]:
        if sequence.saved:
            return self._saved_spans()
        if sequence.largest > self.count or (sequence.has_star and not self.count):
            raise Bad(f"No such message: the mailbox has {self.count}")
        return [(low - 1, high) for low, high in sequence.resolve(self.count)]

    def _saved_spans(self) -> list[tuple[int, int]]:
        """Those of `$`; what was expunged meanwhile is no longer part of it (RFC 5182 §2.1)."""
        return self._uid_spans(self.saved)

    # Changes.

    @property
    def stale(self) -> bool:
        """Whether messages of this generation are expunged."""
        return self.uids is not self.view.uids

    @property
    def dirty(self) -> bool:
        """Whether there is anything to tell the client."""
        return bool(self.flagged) or self.regranted or self.stale or len(self.uids) != self.count

    def told(self) -> int:
        """The modseq up to which the client knows everything, as HIGHESTMODSEQ says it."""
        if not self.dirty:
            self._told = max(1, self.view.highestmodseq)
        return self._told

    def only_expunged(self, uids: Collection[int]) -> bool:
        """Whether these messages' end is all that the client was not told."""
        new = len(self.uids) != self.count or len(self.view.uids) > self.count - len(uids)
        return not self.flagged and not new and set(self.expunged) == set(uids)

    def note(self, event: MailboxChanged) -> None:
        """Remembers what changed; the view is up to date already."""
        if event.expunged:
            self.expunged += event.expunged
            self._keeping.append(self.view.keep(event.expunged))
        if self.live:
            self.touched.update(event.flagged)
        flagged = self.flagged
        for uid in event.flagged:
            flagged[uid] = flagged.get(uid, 0) + 1

    def own_change(self, uids: Iterable[int]) -> None:
        """Forgets one change of each UID: this session made it and tells it itself."""
        flagged = self.flagged
        for uid in uids:
            left = flagged.pop(uid, 0) - 1
            if left > 0:
                flagged[uid] = left

    def take_expunged(self) -> tuple[list[int], list[int]]:
        """Moves to the newest generation: the numbers to send with EXPUNGE, in that order, and the
        UIDs of the same messages, ascending.
        """
        uids, newest = self.uids, self.view.uids
        known = uids[self.count - 1] if self.count else 0
        left = bisect_right(newest, known)
        gone = sorted(index for index in map(self._index, set(self.expunged)) if index >= 0)
        if self.count - len(gone) != left:
            present = set(newest[:left])
            gone = [i for i, uid in enumerate(uids[: self.count]) if uid not in present]
        self.uids, self.count = newest, left
        self.expunged = []
        self._let_unlink()
        numbers = [index + 1 - before for before, index in enumerate(gone)]
        return numbers, [uids[index] for index in gone]

    def _index(self, uid: int) -> int:
        return self.number(uid) - 1

    def _let_unlink(self) -> None:
        for release in self._keeping:
            release()
        self._keeping = []

    def new_keywords(self, fields: Iterable[int]) -> bool:
        """Whether the flag fields bring a keyword that the client was not told of (RFC 9051
        §7.3.1). It counts as told from here on.
        """
        fresh = False
        for field in set(fields) - self.fields:
            self.fields.add(field)
            for word in self.view.flags_text(field).decode().split():
                if word[0] != "\\" and word.casefold() not in self.keywords:
                    self.keywords.add(word.casefold())
                    fresh = True
        return fresh
