"""Rows put together in pieces, and what is looked at while a table changes."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.pacing import Slices
from storage.emails import StoredEmail
from storage.mail_query import places, texts
from storage.mail_query.conditions import Key, Order
from storage.mail_query.evaluate import Evaluation
from storage.mail_query.filled import Filler
from storage.mail_query.places import common, union, without
from storage.mail_query.table import Rows, Table
from storage.mail_query.texts import Covered, Texts
from storage.search.looking import Answer
from storage.values import AccountId, BlobId, Flags, MailboxId, System

ROWS = st.one_of(
    st.sets(st.integers(0, 60)).map(sorted), st.integers(0, 60).map(lambda count: range(count))
)
TEXTS = cast("Texts", None)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_BLOCK", 3)


@given(one=ROWS, other=ROWS)
async def test_rows_are_put_together(one: Sequence[int], other: Sequence[int]) -> None:
    pause = Slices()
    assert list(await union(one, other, pause)) == sorted({*one, *other})
    assert list(await common(one, other, pause)) == sorted({*one} & {*other})
    assert list(await without(one, other, pause)) == sorted({*one} - {*other})


@given(blobs=st.sets(st.integers(0, 120)), among=ROWS)
async def test_rows_of_blobs_are_found(blobs: set[int], among: Sequence[int]) -> None:
    rows = Rows()
    rows.blobs.extend(range(0, 122, 2))
    wanted = [at for at in among if 2 * at in blobs]
    for fewer in (0, 1_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(texts, "_FEWER", fewer)
            assert list(await texts._placed(rows, blobs, among, Slices())) == wanted


async def test_an_older_look_leaves_open_what_was_covered_after_it() -> None:
    rows = Rows()
    rows.blobs.extend((1, 2, 3))
    since, index = {1: 1, 2: 2}, object()
    covered = Covered()
    assert list(await covered.open_rows(rows, Answer(since, 2, index), Slices())) == [2]
    assert list(await covered.open_rows(rows, Answer(since, 1, index), Slices())) == [1, 2]


def _email(blob: int, flags: Flags) -> StoredEmail:
    return StoredEmail(BlobId(blob), ((MailboxId(1), blob),), flags, 0.0, 1, blob)


async def test_flags_that_come_in_meanwhile_are_looked_at() -> None:
    table = Table()
    table.add([_email(1, Flags()), _email(2, Flags())])
    evaluation = Evaluation(AccountId(1), table, Covered(), TEXTS, cast("Filler", None))
    wanted = Flags(System.SEEN)
    column = (await evaluation.columns([Order(Key.FLAG, flags=wanted)], range(2)))[0]
    new = Flags(System.SEEN | System.FLAGGED)
    table.change([BlobId(2)], {BlobId(2): _email(2, new)})
    found: list[Any] = [column[0], column[1]]
    assert found == [False, True]


def test_rows_between_others_need_new_columns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[Rows] = []

    def counted(rows: Rows) -> Rows:
        copies.append(rows)
        return copied(rows)

    copied = Rows.copy
    monkeypatch.setattr(Rows, "copy", counted)
    table = Table()
    table.add([_email(1, Flags()), _email(9, Flags())])
    used = table.rows
    table.add([_email(blob, Flags()) for blob in (3, 5, 7, 11)])
    assert copies == [used]
    assert (list(used.blobs), list(table.rows.blobs)) == ([1, 9], [1, 3, 5, 7, 9, 11])
    assert list(table.rows.threads) == [1, 3, 5, 7, 9, 11]
