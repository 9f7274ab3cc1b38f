"""SORT and THREAD of a large mailbox, without a store: no piece keeps others waiting."""

import gc
import random
import time
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from imap.grammar.number_lists import as_set, spaced
from imap.sort_columns import Column, Columns, SortCache
from message.meta import pack_meta
from message.pieces import Pieces, finish, order_by
from message.render import render
from message.threads import Keys, references, written
from net.pacing import Slices
from storage.store import Store
from storage.values import AccountId, MailboxId
from storage.view import View

_COUNT = 200_000
# Seconds of processor time; others run on the machine too.
_LONGEST = 0.05


@pytest.fixture(autouse=True)
def _without_collections() -> Iterator[None]:
    """The server collects garbage rarely; here the heap is the test run's."""
    gc.disable()
    yield
    gc.enable()


def longest(pieces: Pieces[Any]) -> tuple[float, Any]:
    """The longest piece of a computation, and its result."""
    worst = 0.0
    while True:
        start = time.thread_time()
        try:
            next(pieces)
        except StopIteration as stop:
            return max(worst, time.thread_time() - start), stop.value
        worst = max(worst, time.thread_time() - start)


@pytest.mark.parametrize("kind", ["random", "few", "texts"])
def test_sorting_goes_in_pieces(kind: str) -> None:
    chance = random.Random(1)
    numbers = [chance.randrange(3 if kind == "few" else 50_000) for _ in range(_COUNT)]
    keys = [f"subject {number}" for number in numbers] if kind == "texts" else numbers
    worst, found = longest(order_by(range(_COUNT), keys, True))
    assert worst < _LONGEST
    assert found == sorted(range(_COUNT), key=keys.__getitem__, reverse=True)


def test_threading_and_writing_go_in_pieces() -> None:
    chance = random.Random(2)
    named: list[tuple[int, ...]] = [()]
    for number in range(1, _COUNT):
        parent = chance.randrange(max(0, number - 500), number)
        named.append((*named[parent][-10:], parent) if chance.random() < 0.6 else ())
    keys = Keys(
        [float(number) for number in range(_COUNT)],
        [str(number % 90_000) for number in range(_COUNT)],
        [bool(references) for references in named],
        range(_COUNT),
        named,
    )
    worst, forest = longest(references(range(_COUNT), keys))
    assert worst < _LONGEST
    worst, text = longest(written(forest, range(_COUNT)))
    assert worst < _LONGEST
    numbers = text.replace(b"(", b" ").replace(b")", b" ").split()
    assert len(numbers) == len(set(numbers)) == _COUNT


def test_numbers_are_written_in_pieces() -> None:
    every = list(range(0, 2 * _COUNT, 2))
    for pieces in (spaced(every, list), as_set(every, list, ascending=True)):
        worst, text = longest(pieces)
        assert worst < _LONGEST
        assert text.endswith(b"%d" % every[-1])


class Rows:
    """What Columns need of a store; counts what is read."""

    def __init__(self) -> None:
        self.read = 0

    async def narrow(self, _a: int, _m: int, uids: Sequence[int]) -> list[tuple[int, float, int]]:
        self.read += len(uids)
        return [(uid, float(-uid), uid % 7) for uid in uids if uid % 50]

    async def summaries(
        self, _a: int, _m: int, uids: Sequence[int]
    ) -> tuple[list[tuple[Any, ...]], bool]:
        self.read += len(uids)
        some = uids[:100]
        return [(uid, float(uid), 1, _meta(uid)) for uid in some], len(some) == len(uids)


def _meta(uid: int) -> bytes:
    return pack_meta(render(b"Subject: Re: S%d\r\nMessage-ID: <%d@x>\r\n\r\n" % (uid % 5, uid)))


def a_view(count: int) -> View:
    view = View.__new__(View)
    view.account, view.mailbox = AccountId(1), MailboxId(1)
    view.uids = array("I", range(1, count + 1))
    return view


async def _update(columns: Columns, rows: Rows, view: View, *wanted: Column) -> None:
    await columns.update(cast(Store, rows), view, wanted, Slices())


async def test_only_what_came_is_read_and_what_went_is_dropped() -> None:
    rows, columns, view = Rows(), Columns(), a_view(1_000)
    await _update(columns, rows, view, Column.SIZE, Column.SUBJECT)
    assert rows.read < 1_000 + 1_000 * 2
    assert [columns[Column.SUBJECT][place] for place in range(3)] == ["S1", "S2", "S3"]
    before = rows.read
    view.uids.extend([1_001, 1_002])
    await _update(columns, rows, view, Column.SIZE, Column.SUBJECT)
    assert rows.read == before + 4
    view.uids = array("I", [uid for uid in view.uids if uid % 2])
    await _update(columns, rows, view, Column.SIZE)
    assert rows.read == before + 4
    assert list(columns[Column.SIZE]) == [uid % 7 if uid % 50 else 0 for uid in view.uids]
    assert columns.place(1_001) == 500
    assert columns.place(1_002) == -1


async def test_an_order_follows_the_generation() -> None:
    rows, columns, view = Rows(), Columns(), a_view(100)
    await _update(columns, rows, view, Column.SIZE)
    order = finish(order_by(range(100), columns[Column.SIZE]))
    columns.keep("size", columns.uids, 100, order)
    columns.keep("text", columns.uids, 100, b"text")
    view.uids = array("I", [uid for uid in view.uids if uid > 30])
    await _update(columns, rows, view, Column.SIZE)
    assert columns.result("size") == finish(order_by(range(70), columns[Column.SIZE]))
    assert columns.result("text") is None


async def test_what_is_kept_beside_the_columns_weighs_too() -> None:
    columns, view = Columns(), a_view(2_000)
    await _update(columns, Rows(), view, Column.SIZE)
    before = columns.weight
    columns.keep("threads", view.uids, 2_000, b"(1)", 500)
    assert columns.weight == before + 500
    assert columns.taken("threads") == (b"(1)", 2_000)
    assert columns.weight == before


async def test_the_oldest_columns_go_when_there_are_too_many() -> None:
    rows, cache = Rows(), SortCache(limit=5_000)
    for number in range(1, 5):
        columns = cache.columns(AccountId(1), MailboxId(number))
        await _update(columns, rows, a_view(2_000), Column.SIZE)
        cache.settle()
    before = rows.read
    for number, kept in ((4, True), (3, True), (1, False)):
        columns = cache.columns(AccountId(1), MailboxId(number))
        assert (columns.weight > 1_000) is kept
    assert rows.read == before
