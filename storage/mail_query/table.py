"""The Emails of an account as columns: what a search compares most, a row each, by content.

Invariants: rows ascend by blob, and a row stays where it is; an Email without a visible copy has a
row with no mailboxes. Values change in place, new rows come at the end; where one has to come in
between, the table begins new columns, and who uses the old ones has them still. The loop's thread
only.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from functools import lru_cache
from sys import getsizeof
from typing import Final, Generic, TypeVar

from storage.emails import StoredEmail
from storage.values import NO_FLAGS, BlobId, Flags, MailboxId, System

K = TypeVar("K", bound=Hashable)
UNKNOWN: Final = -1
_EMPTY: Final = 4_000
_OCTETS: Final = 68
"""Of a row, about: arrays are longer than what is in them."""

_VALUE: Final = 150
"""Octets of a value's number and place, about, beside its own."""


Loaded = tuple[BlobId, MailboxId, int, float, int, int | None]
"""A copy: its blob, mailbox, flag field, internal date, size and thread."""


class Interned(Generic[K]):
    """Values by number; equal ones have one. Numbers never change. `octets` in memory, about."""

    __slots__ = ("_numbers", "octets", "values")

    def __init__(self, first: Iterable[K] = ()) -> None:
        self.octets = 0
        self.values: list[K] = list(first)
        self._numbers: dict[K, int] = {value: at for at, value in enumerate(self.values)}

    def number(self, value: K) -> int:
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self.values)
            self.values.append(value)
            self.octets += _VALUE + getsizeof(value)
        return found


class Rows:
    """Columns of equal length. `boxes` and `flags` are numbers in the table's interned values,
    `threads` 0 where none was given yet; `received` are whole seconds. The others are filled when
    somebody asks: UNKNOWN where nobody did.
    """

    __slots__ = (
        "attached",
        "blobs",
        "boxes",
        "flags",
        "received",
        "senders",
        "sent",
        "sizes",
        "subjects",
        "threads",
        "to",
    )

    def __init__(self) -> None:
        self.blobs = array("q")
        self.boxes = array("I")
        self.flags = array("I")
        self.received = array("q")
        self.sizes = array("q")
        self.threads = array("q")
        self.attached = array("b")
        self.sent = array("q")
        self.subjects = array("i")
        self.senders = array("i")
        self.to = array("i")

    def __len__(self) -> int:
        return len(self.blobs)

    def place(self, blob: int) -> int:
        """The row of a blob, -1 where there is none."""
        at = bisect_left(self.blobs, blob)
        return at if at < len(self.blobs) and self.blobs[at] == blob else -1

    def insert(self, at: int, blob: BlobId) -> None:
        """A row of which nothing is known."""
        self.blobs.insert(at, blob)
        for column in (self.boxes, self.flags, self.received, self.sizes, self.threads):
            column.insert(at, 0)
        for column in (self.attached, self.sent, self.subjects, self.senders, self.to):
            column.insert(at, UNKNOWN)

    def fill(self) -> None:
        """As many values of the columns that are filled when asked for as there are rows."""
        for column in (self.attached, self.sent, self.subjects, self.senders, self.to):
            column.extend(array(column.typecode, [UNKNOWN]) * (len(self.blobs) - len(column)))

    def copy(self) -> "Rows":
        """The same values in columns of their own."""
        made = Rows()
        for name in self.__slots__:
            setattr(made, name, getattr(self, name)[:])
        return made


class Table:
    """As of all changes up to `modseq`. `texts` are those of subjects and names."""

    def __init__(self) -> None:
        self.modseq = 0
        self.rows = Rows()
        self.boxes: Interned[frozenset[MailboxId]] = Interned((frozenset(),))
        self.flags: Interned[Flags] = Interned((NO_FLAGS,))
        self.texts: Interned[str] = Interned(("",))
        self.lacking: set[BlobId] = set()
        """Those without a thread."""

        self.hidden = 0
        """Rows without mailboxes."""

        self.turns = 0
        """How often something was changed."""

    @property
    def octets(self) -> int:
        """In memory, about."""
        interned = self.texts.octets + self.boxes.octets + self.flags.octets
        return _EMPTY + _OCTETS * len(self.rows) + interned

    def add(self, emails: Sequence[StoredEmail]) -> None:
        """New ones; those that come behind the last row are cheap, others need new columns once."""
        before = self.rows
        for email in sorted(emails, key=lambda one: one.blob):
            at = bisect_left(self.rows.blobs, email.blob)
            if at < len(self.rows) and self.rows is before:
                self.rows = before.copy()
            self.rows.insert(at, email.blob)
            self.hidden += 1
            self._set(at, email)

    def load(
        self,
        found: Sequence[Loaded],
        flags_of: Callable[[int], Flags],
        within: Collection[MailboxId] | None,
    ) -> None:
        """Copies in the order of their blobs, all behind the last row; those of one Email come in
        one call. Few mailboxes and flags, hence they are looked up once.
        """
        rows, hidden = self.rows, self.hidden
        boxes: dict[int, int] = {}
        flags: dict[int, int] = {}
        last = 0
        for blob, box, field, date, size, thread in found:
            if field not in flags:
                flags[field] = self._seen(flags_of(field))
            if box not in boxes:
                there = within is None or box in within
                boxes[box] = self.boxes.number(frozenset((box,))) if there else 0
            in_box = boxes[box] if flags[field] >= 0 else 0
            if blob == last:
                if in_box:
                    self.hidden = hidden
                    self._unite(box, flags[field], int(date))
                    hidden = self.hidden
                continue
            last = blob
            rows.blobs.append(blob)
            rows.boxes.append(in_box)
            rows.flags.append(max(flags[field], 0))
            rows.received.append(int(date))
            rows.sizes.append(size)
            rows.threads.append(thread or 0)
            hidden += not in_box
            if thread is None and in_box:
                self.lacking.add(blob)
        self.hidden = hidden
        rows.fill()

    def _seen(self, flags: Flags) -> int:
        """The number of flags; below 0 where they hide a copy."""
        return -1 if flags.system & System.DELETED else self.flags.number(_lower(flags))

    def _unite(self, box: MailboxId, flags: int, received: int) -> None:
        """Another visible copy of the Email in the last row."""
        rows, before = self.rows, self.boxes.values[self.rows.boxes[-1]]
        self._show(len(rows) - 1, self.boxes.number(before | {box}))
        if not before:
            rows.flags[-1], rows.received[-1] = flags, received
            if not rows.threads[-1]:
                self.lacking.add(BlobId(rows.blobs[-1]))
            return
        one, other = self.flags.values[rows.flags[-1]], self.flags.values[flags]
        both = Flags(one.system | other.system, one.keywords | other.keywords)
        rows.flags[-1] = self.flags.number(both)
        rows.received[-1] = min(rows.received[-1], received)

    def change(self, blobs: Collection[BlobId], found: dict[BlobId, StoredEmail]) -> None:
        """What is so of these Emails; those not found are not visible."""
        self.turns += 1
        fresh: list[StoredEmail] = []
        for blob in blobs:
            at = self.rows.place(blob)
            email = found.get(blob)
            if at < 0:
                fresh += [email] if email is not None else []
            elif email is None:
                self._show(at, 0)
                self.lacking.discard(blob)
            else:
                self._set(at, email)
        self.add(fresh)

    def _set(self, at: int, email: StoredEmail) -> None:
        rows = self.rows
        self._show(at, self.boxes.number(frozenset(box for box, _ in email.places)))
        rows.flags[at] = self.flags.number(_lower(email.flags))
        rows.received[at] = int(email.received)
        rows.sizes[at] = email.size
        rows.threads[at] = email.thread or 0
        if email.thread is None:
            self.lacking.add(email.blob)
        else:
            self.lacking.discard(email.blob)

    def _show(self, at: int, boxes: int) -> None:
        before = self.rows.boxes[at]
        self.hidden += (boxes == 0) - (before == 0)
        self.rows.boxes[at] = boxes


@lru_cache(10_000)
def _lower(flags: Flags) -> Flags:
    if not flags.keywords:
        return flags
    return Flags(flags.system, frozenset(word.lower() for word in flags.keywords))
