"""Searches over Emails give the same whatever is known already, however large the account is."""

from typing import Any
from weakref import ref

import pytest

from storage.errors import StoreUnavailable
from storage.mail_query import evaluate, search, tables
from storage.mail_query.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Contains,
    Flagged,
    HeaderContains,
    Key,
    MailQuery,
    Not,
    Order,
    Size,
    Where,
)
from storage.mail_query.search import MailSearch
from storage.mail_query.tables import Scope, Tables
from storage.mail_query.texts import Texts
from storage.store import Store
from storage.values import FlagChange, Flags, System
from tests.support.stores import ACCOUNT, deliver, inbox, message

SCOPE = Scope(ACCOUNT)
WORDS = ("zebra", "quokka", "lynx")
CONDITIONS: list[Condition] = [
    AllOf((Size(True, 1), Contains(Where.TEXT, "zebra"))),
    AllOf((Flagged(Flags(System.SEEN)), HeaderContains("Subject", "lynx"), Size(False, 9_999))),
    AnyOf((Contains(Where.BODY, "quokka"), Flagged(Flags(System.SEEN)))),
    AllOf((Not(Contains(Where.TEXT, "lynx")), Contains(Where.TEXT, "zebra quo"))),
]


def fresh(store: Store, most: int = 1_000_000) -> MailSearch:
    """One that knows nothing."""
    made = Tables(store.database, store._images, store.threads, most)
    texts = Texts(store.search, store._reads, store._offload)
    return MailSearch(store.database, made, texts, most)


async def filled(store: Store, count: int) -> None:
    for number in range(count):
        text = " ".join(WORDS[at] for at in range(3) if number >> at & 1) + f" n{number}"
        await deliver(store, message(text, subject=WORDS[number % 3]))
    box = await inbox(store)
    seen = Flags(System.SEEN)
    await store.store(ACCOUNT, box, range(1, count, 2), FlagChange.ADD, seen)


async def results(search: MailSearch) -> list[list[int]]:
    by_subject = (Order(Key.SUBJECT), Order(Key.RECEIVED, ascending=False))
    asked = [MailQuery(one, order) for one in CONDITIONS for order in ((), by_subject)]
    return [list((await search.find(SCOPE, one)).blobs) for one in asked]


async def test_results_are_the_same_in_large_accounts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(store, 24)
    await store.search.settle()
    wanted = await results(store.mail_search)
    assert all(wanted)
    monkeypatch.setattr(evaluate, "_MANY", 0)
    monkeypatch.setattr(evaluate, "_BLOCK", 5)
    monkeypatch.setattr(tables, "_PAGE", 4)
    assert await results(fresh(store)) == wanted


async def test_results_are_the_same_without_an_index(store: Store) -> None:
    await filled(store, 12)
    await store.search.settle()
    wanted = await results(store.mail_search)
    await store.search.drop(ACCOUNT)
    assert await results(fresh(store)) == wanted


async def test_known_results_follow_what_changes(store: Store) -> None:
    await filled(store, 12)
    await results(store.mail_search)
    box = await inbox(store)
    await store.store(ACCOUNT, box, [2, 4, 5], FlagChange.ADD, Flags(System.SEEN))
    await store.store(ACCOUNT, box, [7], FlagChange.ADD, Flags(System.DELETED))
    await store.remove(ACCOUNT, box, [3, 8])
    await store.copy(ACCOUNT, box, [1, 6], "Archive")
    await deliver(store, message("zebra quokka", subject="lynx"))
    assert await results(store.mail_search) == await results(fresh(store))


async def test_tables_of_accounts_that_are_gone_are_forgotten(store: Store) -> None:
    await filled(store, 3)
    await results(store.mail_search)
    await store.remove_account(ACCOUNT)
    await store.add_account(ACCOUNT)
    assert await results(store.mail_search) == [[]] * 8


@pytest.mark.parametrize("hidden", ["INBOX", "Archive"])
async def test_emails_with_a_hidden_copy_have_threads_too(store: Store, hidden: str) -> None:
    for number in range(3):
        await deliver(store, message(f"n{number}", subject=f"Number {number}"))
    box = await inbox(store)
    await store.copy(ACCOUNT, box, [1, 2, 3], "Archive")
    gone = (await store.mailbox(ACCOUNT, hidden)).id
    await store.store(ACCOUNT, gone, [1, 2, 3], FlagChange.ADD, Flags(System.DELETED))
    found = await fresh(store).find(SCOPE, MailQuery(collapse=True))
    assert len(found.blobs) == 3


async def test_what_is_kept_of_searches_is_bounded(store: Store) -> None:
    await filled(store, 2)
    finds = fresh(store, 100_000)
    for number in range(10):
        text = f"{number}" + "x" * 20_000
        await finds.find(SCOPE, MailQuery(Contains(Where.TEXT, text)))
    assert 1 < len(finds._last) < 5
    finds.forget(ACCOUNT)
    assert (finds._octets, len(finds._last)) == (0, 0)


async def test_a_table_that_is_let_go_is_free(store: Store) -> None:
    await filled(store, 2)
    await store.search.settle()
    finds = fresh(store)
    await finds.find(SCOPE, MailQuery(Contains(Where.TEXT, "zebra")))
    table = ref(await finds._tables.table(SCOPE, threads=False))
    finds._tables.forget(ACCOUNT)
    assert table() is None
    assert not len(finds._covered)


async def test_a_search_that_takes_too_long_is_given_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(store, 2)
    monkeypatch.setattr(search, "SECONDS", 0.0)
    with pytest.raises(StoreUnavailable):
        await fresh(store).find(SCOPE, MailQuery(Contains(Where.TEXT, "zebra")))


async def test_a_result_is_found_anew_where_the_table_changed_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(store, 12)
    box, seen = await inbox(store), Flags(System.SEEN)
    query = MailQuery(order=(Order(Key.FLAG, flags=seen), Order(Key.RECEIVED)))
    finds = fresh(store)
    await store.store(ACCOUNT, box, [2, 4, 6, 12], FlagChange.ADD, seen)
    await finds.find(SCOPE, query)
    await store.store(ACCOUNT, box, [9], FlagChange.REMOVE, seen)
    merged = search._merged

    async def disturbed(*given: Any) -> Any:
        await store.store(ACCOUNT, box, [4], FlagChange.REMOVE, seen)  # the one in the middle
        await finds._tables.table(SCOPE, threads=False)
        return await merged(*given)

    monkeypatch.setattr(search, "_merged", disturbed)
    await finds.find(SCOPE, query)
    monkeypatch.setattr(search, "_merged", merged)
    found = await finds.find(SCOPE, query)
    assert list(found.blobs) == list((await fresh(store).find(SCOPE, query)).blobs)
