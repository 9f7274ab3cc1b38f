"""What SORT and THREAD compare, kept in memory by mailbox: columns beside the view's arrays.

A column is filled when it is first asked for and afterwards only with messages that arrived; what
was expunged leaves it when the view has a new generation. Reading goes in pieces, sorting never
touches SQL. The least recently used mailboxes go when `LIMIT` is exceeded; a mailbox that is larger
by itself is read anew each time.
"""

import asyncio
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableSequence, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias

from message.casemap import casemap
from message.meta import meta_keys
from message.sort_fields import SortFields
from message.threads import DUMMY
from storage.store import Store
from storage.values import AccountId, MailboxId
from storage.view import View

Breathe: TypeAlias = Callable[[], Awaitable[None]]

LIMIT: Final = 8_000_000
"""Cells that are kept in all: a number is one, a text or a list of references TEXT."""

TEXT: Final = 8
_NARROW_ROWS: Final = 2_000
_ROWS: Final = 250
_BLOCK: Final = 10_000
_RESULTS: Final = 8
_SPARE: Final = 10_000
_EMPTY: Final = 100


class Column(Enum):
    """One value a message. The texts are casemapped."""

    ARRIVAL = "ARRIVAL"
    SIZE = "SIZE"
    DATE = "DATE"
    SUBJECT = "SUBJECT"
    FROM = "FROM"
    TO = "TO"
    CC = "CC"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"
    REPLY = "REPLY"
    ID = "ID"
    REFERENCES = "REFERENCES"


_NARROW: Final = frozenset({Column.ARRIVAL, Column.SIZE})
_TYPES: Final = {
    Column.ARRIVAL: "d",
    Column.SIZE: "Q",
    Column.DATE: "d",
    Column.REPLY: "b",
    Column.ID: "q",
}
_ADDRESSES: Final = (
    Column.FROM,
    Column.TO,
    Column.CC,
    Column.DISPLAYFROM,
    Column.DISPLAYTO,
)
_NOTHING: Final[dict[Column, Any]] = {Column.ID: DUMMY, Column.REFERENCES: ()}


class Columns:
    """Those of one mailbox; `uids` is the view's array at the last update."""

    def __init__(self) -> None:
        self.uids: array[int] = array("I")
        self.lock = asyncio.Lock()
        self._columns: dict[Column, MutableSequence[Any]] = {}
        self._texts: dict[str, str] = {}
        self._ids: dict[bytes, int] = {}
        self._results: OrderedDict[Any, tuple[Any, int, Any, int]] = OrderedDict()

    def __getitem__(self, column: Column) -> Sequence[Any]:
        return self._columns[column]

    def place(self, uid: int) -> int:
        """Where a message stands in the columns, -1 when it is not there."""
        place = bisect_left(self.uids, uid)
        return place if place < len(self.uids) and self.uids[place] == uid else -1

    @property
    def weight(self) -> int:
        """In cells."""
        kept = sum(found[3] for found in self._results.values())
        return kept + sum(
            (
                len(values) * (1 if column in _TYPES else TEXT)
                for column, values in self._columns.items()
            ),
            _EMPTY,
        )

    def result(self, key: Any) -> Any:
        """What was kept for the whole mailbox as it is, or None."""
        found = self._results.get(key)
        if found is None or found[0] is not self.uids or found[1] != len(self.uids):
            return None
        self._results.move_to_end(key)
        return found[2]

    def earlier(self, key: Any) -> tuple[Any, int]:
        """As `result`, perhaps of fewer messages; with their count."""
        uids, count, value, _ = self._results.get(key, (None, 0, None, 0))
        return (value, count) if uids is self.uids else (None, 0)

    def taken(self, key: Any) -> tuple[Any, int]:
        """As `earlier`, and kept no longer: who changes it keeps it again when it is whole."""
        found = self.earlier(key)
        self._results.pop(key, None)
        return found

    def keep(self, key: Any, uids: "array[int]", count: int, value: Any, weight: int = 0) -> None:
        """Remembers a result for `count` messages of that generation, and what it weighs."""
        self._results[key] = (uids, count, value, weight)
        while len(self._results) > _RESULTS:
            self._results.popitem(last=False)

    async def update(
        self, store: Store, view: View, wanted: Iterable[Column], breathe: Breathe
    ) -> None:
        """Brings the columns up to the view; called with the lock held."""
        columns = set(wanted)
        for column in columns:
            if column not in self._columns:
                self._columns[column] = array(_TYPES[column]) if column in _TYPES else []
        while True:
            if self.uids is not view.uids:
                await self._follow(view, breathe)
            narrow = columns & _NARROW
            await self._fill(store, view, narrow, self._read_narrow, _NARROW_ROWS, breathe)
            await self._fill(store, view, columns - narrow, self._read_meta, _ROWS, breathe)
            if self.uids is view.uids and all(
                len(self._columns[column]) >= len(self.uids) for column in columns
            ):
                return

    async def _follow(self, view: View, breathe: Breathe) -> None:
        """Moves to the view's generation: drops what is not in it."""
        uids, there = view.uids, await self._still_there(view.uids, breathe)
        columns: dict[Column, MutableSequence[Any]] = {}
        for column, values in self._columns.items():
            columns[column] = kept = values[:0]
            for start in range(0, len(there), _BLOCK):
                part = there[start : start + _BLOCK]
                kept.extend([values[place] for place in part if place < len(values)])
                await breathe()
        results = self._results
        self._results = OrderedDict()
        for key, (of, count, value, _) in results.items():
            if of is self.uids and isinstance(value, list):  # an order keeps without what has gone
                self.keep(key, uids, bisect_left(there, count), _moved(value, there))
                await breathe()
        self.uids = uids
        if len(self._ids) + len(self._texts) > _SPARE + 8 * len(uids):
            self._ids, self._texts = {}, {}  # most of them belong to what has gone
            columns = {column: values[:0] for column, values in columns.items()}
        self._columns = columns

    async def _still_there(self, uids: Sequence[int], breathe: Breathe) -> list[int]:
        """Places of what is in `uids` too."""
        old, there, place = self.uids, list[int](), 0
        for start in range(0, len(old), _BLOCK):
            for index, uid in enumerate(old[start : start + _BLOCK], start):
                while place < len(uids) and uids[place] < uid:
                    place += 1
                if place < len(uids) and uids[place] == uid:
                    there.append(index)
            await breathe()
        return there

    async def _fill(
        self,
        store: Store,
        view: View,
        columns: set[Column],
        read: Callable[..., Awaitable[list[Any]]],
        piece: int,
        breathe: Breathe,
    ) -> None:
        """Reads what is behind the ends of these columns."""
        uids = self.uids
        while columns and self.uids is view.uids:
            start = min(len(self._columns[column]) for column in columns)
            if start >= len(uids):
                return
            asked = uids[start : start + piece]
            rows = await read(store, view.account, view.mailbox, asked)
            for column in columns:
                values = self._columns[column]
                if len(values) == start:
                    values.extend(self._values(column, asked, rows))
            await breathe()

    async def _read_narrow(
        self, store: Store, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> list[Any]:
        return await store.narrow(account, mailbox, uids)

    async def _read_meta(
        self, store: Store, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> list[Any]:
        found: list[Any] = []
        while len(uids):
            rows, complete = await store.summaries(account, mailbox, uids)
            found += [(row[0], row[1], meta_keys(row[3])) for row in rows]
            if complete:
                break
            last = rows[-1][0]
            uids = [uid for uid in uids if uid > last]
        return found

    def _values(self, column: Column, uids: Sequence[int], rows: Sequence[Any]) -> list[Any]:
        """One a UID; what vanished meanwhile leaves with the next generation."""
        make = _MAKERS[column]
        made = [make(self, row) for row in rows]
        if len(rows) == len(uids):
            return made
        by_uid = dict(zip([row[0] for row in rows], made, strict=True))
        empty = _NOTHING.get(column, 0 if column in _TYPES else "")
        return [by_uid.get(uid, empty) for uid in uids]

    # One value of a row.

    def _text(self, text: str) -> str:
        """Casemapped; equal ones are one object."""
        mapped = casemap(text)
        return self._texts.setdefault(mapped, mapped)

    def _subject(self, row: Any) -> str:
        return self._text(row[2].subject_base.decode("utf-8", "replace"))

    def _address(self, row: Any, field: int) -> str:
        return self._text(SortFields.unpacked(row[2].sort)[field])

    def _number(self, message_id: bytes) -> int:
        """The number of a Message-ID; quotes that say nothing are left out (RFC 5256 §3)."""
        if b'"' in message_id:
            message_id = message_id.replace(b'"', b"")
        return self._ids.setdefault(message_id, len(self._ids))

    def _id(self, row: Any) -> int:
        message_id: bytes = row[2].message_id
        return self._number(message_id) if message_id.startswith(b"<") else DUMMY

    def _references(self, row: Any) -> tuple[int, ...]:
        return tuple(map(self._number, row[2].references.split()))


def _moved(order: list[int], there: list[int]) -> list[int]:
    """An order of places, by the places that those `there` take."""
    places = dict(zip(there, range(len(there)), strict=True))
    return [places[place] for place in order if place in places]


def _address_maker(field: int) -> Callable[[Columns, Any], str]:
    return lambda columns, row: columns._address(row, field)


_MAKERS: Final[dict[Column, Callable[[Columns, Any], Any]]] = {
    Column.ARRIVAL: lambda _, row: row[1],
    Column.SIZE: lambda _, row: row[2],
    # without a date that can be read the internal date counts (RFC 5256 §2.2)
    Column.DATE: lambda _, row: row[1] if row[2].date is None else row[2].date,
    Column.SUBJECT: Columns._subject,
    Column.REPLY: lambda _, row: row[2].is_reply,
    Column.ID: Columns._id,
    Column.REFERENCES: Columns._references,
    **{column: _address_maker(field) for field, column in enumerate(_ADDRESSES)},
}


class SortCache:
    """Columns by mailbox, for all sessions of the process."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[AccountId, MailboxId], Columns] = OrderedDict()

    def columns(self, account: AccountId, mailbox: MailboxId) -> Columns:
        """Those of a mailbox, perhaps empty; `settle` follows their use."""
        key = (account, mailbox)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = Columns()
        self._kept.move_to_end(key)
        return found

    def settle(self) -> None:
        """Lets the oldest go while there is too much; who uses them has them still."""
        weights = [columns.weight for columns in self._kept.values()]
        left = sum(weights)
        for weight in weights:
            if left <= self._limit:
                return
            self._kept.popitem(last=False)
            left -= weight
