"""Which Emails of an account meet conditions, and in which order.

A condition filters a list of rows; under AllOf the cheap ones go first: what stands in the table,
then the word index, then what is read of the messages. Between 2 ms of work others run. Rows are
ascending places in the table's columns as they were when the search began.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from message.collations import COMPARED
from message.pieces import Indexed, order_by
from net.pacing import Slices
from storage.mail_query.conditions import (
    AllOf,
    Among,
    AnyOf,
    Attached,
    Condition,
    Contains,
    Elsewhere,
    FileNamed,
    Flagged,
    HeaderContains,
    InMailbox,
    Key,
    MailQuery,
    Not,
    Order,
    Received,
    Size,
    ThreadFlagged,
)
from storage.mail_query.filled import Filler
from storage.mail_query.places import union, without
from storage.mail_query.table import UNKNOWN, Table
from storage.mail_query.texts import Covered, Texts, settled_by_index
from storage.values import AccountId, Flags

Places: TypeAlias = Sequence[int]
_BLOCK: Final = 20_000
_MANY: Final = 50_000
_TABLE, _FIELD, _TEXT, _READ = range(4)
_NEWEST: Final = (Order(Key.RECEIVED, ascending=False),)


def cost(condition: Condition) -> int:
    """Where the answer stands: in the table, in the word index or in what is read."""
    if isinstance(condition, AllOf | AnyOf):
        return max(map(cost, condition.parts), default=_TABLE)
    if isinstance(condition, Not):
        return cost(condition.part)
    if isinstance(condition, Contains):
        return _TEXT
    if isinstance(condition, HeaderContains):
        return _FIELD
    return _READ if isinstance(condition, Attached | FileNamed) else _TABLE


def _rank(condition: Condition, many: bool) -> int:
    """The order in which parts are looked at: among many Emails what the index settles by itself
    costs less than a pass through all of them.
    """
    return -1 if many and settled_by_index(condition) else cost(condition)


class _Tests(dict[int, bool]):
    """What a test says of interned values, by number, those that come in meanwhile too."""

    def __init__(self, values: Sequence[Any], test: Callable[[Any], bool]) -> None:
        super().__init__()
        self._values, self._test = values, test

    def __missing__(self, number: int) -> bool:
        found = self[number] = self._test(self._values[number])
        return found


class _Values:
    """By the number that stands in a column."""

    def __init__(self, numbers: "array[int]", values: _Tests) -> None:
        self._numbers, self._values = numbers, values

    def __getitem__(self, at: int) -> Any:
        return self._values[self._numbers[at]]


class _Texts:
    """A text as a collation compares it; each is looked at once."""

    def __init__(self, numbers: "array[int]", table: Table, compared: Callable[[str], Any]) -> None:
        self._numbers, self._texts, self._compared = numbers, table.texts.values, compared
        self._made: dict[int, Any] = {UNKNOWN: compared("")}

    def __getitem__(self, at: int) -> Any:
        number = self._numbers[at]
        if number not in self._made:
            self._made[number] = self._compared(self._texts[number])
        return self._made[number]


class _Members:
    """Whether a row's number is in a set, or is not."""

    def __init__(self, numbers: "array[int]", members: set[int], inside: bool) -> None:
        self._numbers, self._members, self._inside = numbers, members, inside

    def __getitem__(self, at: int) -> bool:
        return (self._numbers[at] in self._members) is self._inside


class Evaluation:
    """One search in a table."""

    def __init__(
        self, account: AccountId, table: Table, covered: Covered, texts: Texts, filler: Filler
    ) -> None:
        self._account, self._table, self._covered = account, table, covered
        self._texts, self._filler = texts, filler
        self._rows, self._count = table.rows, len(table.rows)
        self._pause = Slices()
        self._threads: dict[Flags, tuple[set[int], set[int]]] = {}

    async def every(self) -> Places:
        """All visible Emails."""
        if not self._table.hidden:
            return range(self._count)
        return await self._where(range(self._count), self._rows.boxes, lambda number: number != 0)

    async def matching(self, condition: Condition, among: Places) -> Places:
        """Those of `among` that meet it."""
        if not among:
            return among
        if isinstance(condition, AllOf):
            many = len(among) > _MANY
            for part in sorted(condition.parts, key=lambda part: _rank(part, many)):
                among = await self.matching(part, among)
            return among
        if isinstance(condition, AnyOf):
            return await self._any(condition.parts, among)
        if isinstance(condition, Not):
            found = await self.matching(condition.part, among)
            return await without(among, found, self._pause)
        if isinstance(condition, Contains | HeaderContains):
            return await self._texts.matching(
                self._account, self._rows, self._covered, condition, among
            )
        if isinstance(condition, FileNamed):
            return await self._filler.named(self._account, self._rows, condition.text, among)
        return await self._by_column(condition, among)

    async def _any(self, parts: Sequence[Condition], among: Places) -> Places:
        found: Places = ()
        left = among
        for part in sorted(parts, key=cost):
            more = await self.matching(part, left)
            found = await union(found, more, self._pause)
            left = await without(left, more, self._pause)
        return found

    async def _by_column(self, condition: Condition, among: Places) -> Places:
        rows, table = self._rows, self._table
        if isinstance(condition, InMailbox):
            boxes = condition.boxes
            return await self._interned(
                among, rows.boxes, table.boxes.values, lambda held: not boxes.isdisjoint(held)
            )
        if isinstance(condition, Elsewhere):
            boxes = condition.boxes
            return await self._interned(
                among, rows.boxes, table.boxes.values, lambda held: not held <= boxes
            )
        if isinstance(condition, Flagged):
            wanted = condition.flags
            return await self._interned(
                among, rows.flags, table.flags.values, lambda held: has(held, wanted)
            )
        if isinstance(condition, Received):
            return await self._compared(among, rows.received, condition.since, condition.when)
        if isinstance(condition, Size):
            return await self._compared(among, rows.sizes, condition.least, condition.octets)
        if isinstance(condition, Attached):
            await self._filler.attached(self._account, rows, among)
            return await self._where(among, rows.attached, lambda value: value > 0)
        assert isinstance(condition, ThreadFlagged)
        some, lacking = await self._threads_with(condition.flags)
        if condition.among is Among.SOME:
            return await self._where(among, rows.threads, some.__contains__)
        return await self._where(among, rows.threads, lambda thread: thread not in lacking)

    async def _threads_with(self, flags: Flags) -> tuple[set[int], set[int]]:
        """Threads of which some Email has the flags, and of which some Email lacks them."""
        found = self._threads.get(flags)
        if found is None:
            every = await self.every()
            rows, threads = self._rows, self._rows.threads
            having = await self._interned(
                every, rows.flags, self._table.flags.values, lambda held: has(held, flags)
            )
            others = await without(every, having, self._pause)
            found = await self._set_of(threads, having), await self._set_of(threads, others)
            self._threads[flags] = found
        return found

    async def _set_of(self, column: "array[int]", among: Places) -> set[int]:
        """The values of rows."""
        found: set[int] = set()
        for _, values in self._blocks(among, column):
            found.update(values)
            await self._pause()
        return found

    async def _interned(
        self,
        among: Places,
        column: "array[int]",
        values: Sequence[Any],
        test: Callable[[Any], bool],
    ) -> Places:
        """Those whose value, which stands in the column by number, passes a test."""
        tests = _Tests(values, test)
        if all(map(tests.__getitem__, range(len(values)))):
            return among
        return await self._where(among, column, tests.__getitem__)

    async def _where(
        self, among: Places, column: "array[int]", test: Callable[[int], bool]
    ) -> Places:
        found: list[int] = []
        for block, values in self._blocks(among, column):
            found += [at for at, value in zip(block, values, strict=True) if test(value)]
            await self._pause()
        return found

    async def _compared(
        self, among: Places, column: "array[int]", least: bool, bound: float
    ) -> Places:
        """Those of `bound` or more (`least`), or of less."""
        found: list[int] = []
        for block, values in self._blocks(among, column):
            pairs = zip(block, values, strict=True)
            if least:
                found += [at for at, value in pairs if value >= bound]
            else:
                found += [at for at, value in pairs if value < bound]
            await self._pause()
        return found

    def _blocks(
        self, among: Places, column: "array[int]"
    ) -> Iterator[tuple[Places, Sequence[int]]]:
        """Rows with their values, some at a time."""
        for start in range(0, len(among), _BLOCK):
            block = among[start : start + _BLOCK]
            if isinstance(block, range):
                yield block, column[block.start : block.stop]
            else:
                yield block, [column[at] for at in block]

    # Order.

    async def ordered(self, query: MailQuery, among: Places) -> Places:
        """In the order of the query; what it leaves open goes by arrival, as the last key goes."""
        order = query.order or _NEWEST
        columns = await self.columns(order, among)
        found: Sequence[int] = among if order[-1].ascending else among[::-1]
        if len(order) > 1 or not await self._in_order(columns[0], among):
            for one, column in zip(reversed(order), reversed(columns), strict=True):
                # equal keys keep their order
                found = await self._pause.run(order_by(found, column, not one.ascending))
        return await self._collapsed(found) if query.collapse else found

    async def _in_order(self, column: Indexed, among: Places) -> bool:
        """Whether rows ascend already, as times of arrival mostly do."""
        last = None
        for start in range(0, len(among), _BLOCK):
            values = [column[at] for at in among[start : start + _BLOCK]]
            if (last is not None and values[0] < last) or values != sorted(values):
                return False
            last = values[-1]
            await self._pause()
        return True

    async def columns(self, order: Sequence[Order], among: Places) -> list[Indexed]:
        """What each key compares, by row."""
        if any(one.key in _FILLED for one in order):
            await self._filler.keys(self._account, self._rows, self._table.texts, among)
        return [await self._column(one) for one in order]

    async def _column(self, order: Order) -> Indexed:
        rows, table = self._rows, self._table
        if order.key in _NUMBERS:
            column: Indexed = getattr(rows, _NUMBERS[order.key])
            return column
        if order.key in _TEXTS:
            return _Texts(getattr(rows, _TEXTS[order.key]), table, COMPARED[order.collation])
        if order.key is Key.FLAG:
            wanted = order.flags
            return _Values(rows.flags, _Tests(table.flags.values, lambda held: has(held, wanted)))
        some, lacking = await self._threads_with(order.flags)
        if order.key is Key.SOME_IN_THREAD:
            return _Members(rows.threads, some, True)
        return _Members(rows.threads, lacking, False)

    async def _collapsed(self, found: Sequence[int]) -> list[int]:
        """The first Email of each thread."""
        threads, seen = self._rows.threads, set[int]()
        kept: list[int] = []
        for start in range(0, len(found), _BLOCK):
            for at in found[start : start + _BLOCK]:
                thread = threads[at]
                if thread not in seen:
                    seen.add(thread)
                    kept.append(at)
            await self._pause()
        return kept

    async def precedes(self, query: MailQuery) -> Callable[[int, int], bool]:
        """Whether one row comes before another, both of which were put in order before."""
        order = query.order or _NEWEST
        columns = [await self._column(one) for one in order]
        compared = [(column, one.ascending) for one, column in zip(order, columns, strict=True)]

        def before(left: int, right: int) -> bool:
            for column, ascending in compared:
                one, other = column[left], column[right]
                if one != other:
                    return bool(one < other) is ascending
            return (left < right) is order[-1].ascending

        return before

    async def blobs(self, order: Sequence[int]) -> "array[int]":
        """Those of rows."""
        blobs, found = self._rows.blobs, array("q")
        for start in range(0, len(order), _BLOCK):
            found.extend([blobs[at] for at in order[start : start + _BLOCK]])
            await self._pause()
        return found

    async def in_threads(self, threads: set[int]) -> Places:
        """All rows of threads, those that are not visible included."""
        return await self._where(range(self._count), self._rows.threads, threads.__contains__)


_NUMBERS: Final = {Key.RECEIVED: "received", Key.SIZE: "sizes", Key.SENT: "sent"}
_TEXTS: Final = {Key.SUBJECT: "subjects", Key.FROM: "senders", Key.TO: "to"}
_FILLED: Final = frozenset((Key.SENT, *_TEXTS))


def has(held: Flags, wanted: Flags) -> bool:
    """Whether an Email with the flags `held` has all of those wanted."""
    return wanted.system & held.system == wanted.system and wanted.keywords <= held.keywords
