"""Conversations: who belongs together, that numbers never change, and that a new index gives the
same ones.
"""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select, update

from storage import threads
from storage.schema import conversation, message, threaded
from storage.store import Store
from storage.values import Delivery, LocalRecipient
from tests.support.store_site import USER, content, opened_site
from tests.support.stores import ACCOUNT, OTHER, appended, deliver, inbox


def mail(number: str, *references: str, subject: str = "Plan", to: str = "") -> bytes:
    """A message <number>; `to` is its In-Reply-To."""
    head = f"Subject: {subject}\r\n"
    head += f"Message-ID: <{number}@x>\r\n" if number else ""
    if references:
        head += "References: " + " ".join(f"<{each}@x>" for each in references) + "\r\n"
    head += f"In-Reply-To: <{to}@x>\r\n" if to else ""
    return f"{head}\r\ntext\r\n".encode()


async def given(store: Store, uids: Sequence[int] = range(1, 50)) -> list[int]:
    """The conversations of INBOX, with small numbers in order of their appearance."""
    raw = await numbers(store, uids)
    small = {number: place for place, number in enumerate(dict.fromkeys(raw))}
    return [small[number] for number in raw]


async def numbers(store: Store, uids: Sequence[int] = range(1, 50)) -> list[int]:
    box = await inbox(store)
    await store.threads.ensure(ACCOUNT, box, uids)
    rows, _ = await store.summaries(ACCOUNT, box, uids, ids=True)
    assert all(row[6] for row in rows)
    return [row[6] for row in rows]


async def forget(store: Store) -> None:
    """What an index that was built from the files lacks."""

    def work(conn: Connection) -> None:
        conn.execute(update(message).values(thread=None))
        conn.execute(delete(conversation))
        conn.execute(delete(threaded))

    await store.submit(work)


async def test_replies_join_the_conversation_of_what_they_answer(store: Store) -> None:
    for data in (
        mail("a"),
        mail("b", "a", subject="Re: plan"),
        mail("c", to="b", subject="RE: Plan"),
        mail("d", to="c", subject="Fwd: PLAN"),
        mail("e", "a", "b", subject="Another"),
        mail("f"),
        mail("", subject="Alone"),
    ):
        await deliver(store, data)
    assert await given(store) == [0, 0, 0, 0, 1, 2, 3]


async def test_what_came_first_may_be_missing(store: Store) -> None:
    await deliver(store, mail("b", "a"))
    await deliver(store, mail("c", "a"))
    assert await given(store) == [0, 0]
    await deliver(store, mail("a"))
    assert await given(store) == [0, 0, 0]


async def test_numbers_stay_and_two_conversations_are_not_made_one(store: Store) -> None:
    await deliver(store, mail("a"))
    await deliver(store, mail("b"))
    before = await numbers(store)
    await deliver(store, mail("c", "a", "b"))
    assert (await numbers(store))[:2] == before
    assert await given(store) == [0, 1, 1]


async def test_an_index_built_anew_gives_the_same(store: Store) -> None:
    tree = [("a", (), ""), ("b", ("a",), ""), ("c", (), "b"), ("d", ("a", "b"), ""), ("e", (), "d")]
    for number, references, to in tree:
        await deliver(store, mail(number, *references, to=to))
    await deliver(store, mail("", subject="Alone"))
    before = await numbers(store)
    await forget(store)
    assert await numbers(store) == before
    assert len(set(before)) == 2


async def test_what_is_looked_at_before_the_rest_agrees(store: Store) -> None:
    """Numbers kept by a repair go on in what arrives later."""
    await deliver(store, mail("a"))
    await deliver(store, mail("b", to="a"))
    before = await numbers(store)
    await store.submit(_clear)
    await deliver(store, mail("c", to="b"))
    assert await numbers(store) == [*before, before[0]]


def _clear(conn: Connection) -> None:
    conn.execute(delete(conversation))
    conn.execute(delete(threaded))


async def test_copies_take_it_along_and_accounts_have_their_own(store: Store) -> None:
    await deliver(store, mail("a"), ACCOUNT, OTHER)
    box = await inbox(store)
    await store.copy(ACCOUNT, box, [1], "Sent")
    (number,) = await numbers(store, [1])
    await store.copy(ACCOUNT, box, [1], "Archive")
    sent, archive = [await store.mailbox(ACCOUNT, name) for name in ("Sent", "Archive")]
    assert await store.threads.messages(ACCOUNT, sent.id, number) == [1]
    assert await store.threads.messages(ACCOUNT, archive.id, number) == [1]
    other = await inbox(store, OTHER)
    assert await store.threads.messages(OTHER, other, number) == []
    await store.threads.ensure(OTHER, other, [1])
    assert await store.threads.messages(OTHER, other, number) == [1]


async def test_rows_that_came_out_of_order_are_found(store: Store) -> None:
    await deliver(store, mail("a"))
    await deliver(store, mail("b", "a"))
    before = await numbers(store)
    await store.submit(_clear_messages)
    assert await numbers(store) == before


def _clear_messages(conn: Connection) -> None:
    conn.execute(update(message).values(thread=None))


async def test_several_ask_at_once_and_pieces_fit(store: Store) -> None:
    count = threads._PIECE + 50
    chain = [mail("n0"), *(mail(f"n{n}", to=f"n{n - 1}") for n in range(1, count))]
    await store.append(ACCOUNT, "INBOX", [appended(data) for data in chain])
    box = await inbox(store)
    await asyncio.gather(*(store.threads.ensure(ACCOUNT, box, range(1, count + 1)) for _ in "abc"))
    (number,) = set(await numbers(store, [1]))
    assert await store.threads.messages(ACCOUNT, box, number) == list(range(1, count + 1))

    def left(conn: Connection) -> int:
        return len(conn.execute(select(conversation).where(conversation.c.reference < 0)).all())

    assert await store.submit(left) == 0


async def test_any_order_of_arrival_gives_one_conversation(store: Store) -> None:
    for place, order in enumerate(itertools.permutations("abc")):
        names = {name: f"{name}{place}" for name in "abc"}
        tree = {
            "a": mail(names["a"], subject=f"S{place}"),
            "b": mail(names["b"], names["a"], subject=f"S{place}"),
            "c": mail(names["c"], names["a"], names["b"], subject=f"S{place}"),
        }
        for name in order:
            await deliver(store, tree[name])
    assert await given(store) == [number for number in range(6) for _ in "abc"]


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
async def test_a_repaired_index_gives_the_same(database: str, tmp_path: Path) -> None:
    """The files alone are left; In-Reply-To alone leads from one message to the next."""
    async with opened_site(tmp_path, database) as site:
        for data in (mail("a"), mail("b", to="a"), mail("c", to="b"), mail("d", subject="Else")):
            recipient = LocalRecipient(USER, "user@example.test")
            await site.store.deliver(Delivery(content(data), "", 1.5e9, "trace", [recipient]))
        box = await site.box("INBOX")
        await site.store.copy(USER, box.id, [2], "Archive")
        before = await _site_numbers(site.store)
        await site.close()
        await site.delete_index()
        await site.repair()
        await site.open()
        assert await _site_numbers(site.store) == before
        assert len(set(before)) == 2


async def _site_numbers(store: Store) -> list[int]:
    found: list[int] = []
    for name in ("INBOX", "Archive"):
        box = await store.mailbox(USER, name)
        await store.threads.ensure(USER, box.id, range(1, 10))
        rows, _ = await store.summaries(USER, box.id, range(1, 10), ids=True)
        found += [row[6] for row in rows]
    return found


async def test_narrow_rows_have_date_and_size(store: Store) -> None:
    await store.append(ACCOUNT, "INBOX", [appended(mail("a"), date=1.5e9), appended(mail("b"))])
    box = await inbox(store)
    found = await store.narrow(ACCOUNT, box, [1, 3])
    assert found == [(1, 1.5e9, len(mail("a")))]
    assert [row[0] for row in await store.narrow(ACCOUNT, box, [1, 2])] == [1, 2]
