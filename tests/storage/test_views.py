"""Views that are read while others change, forget or read them: none misses a change."""

import asyncio

from storage.store import Store
from storage.values import Event, MailboxChanged, MailboxId
from tests.support.stores import ACCOUNT, StoreHome, appended, deliver, message

MANY = 6_000  # more than two pieces of a view's rows


async def opened(home: StoreHome) -> tuple[Store, MailboxId]:
    store = await home.open()
    await store.add_account(ACCOUNT)
    return store, (await store.mailbox(ACCOUNT, "INBOX")).id


async def test_a_view_forgotten_before_anybody_has_it_is_loaded_again(home: StoreHome) -> None:
    store, inbox = await opened(home)
    await deliver(store, message())
    views, key = store._views, (ACCOUNT, inbox)
    waiting = asyncio.create_task(store.view(*key))
    await asyncio.sleep(0)
    views._loading[key].add_done_callback(lambda _: views._forget(key))
    view = await waiting
    await deliver(store, message())
    assert list(view.uids) == [1, 2]


async def test_two_readers_at_once_both_hear_of_arrivals(home: StoreHome) -> None:
    store, inbox = await opened(home)
    one = appended(message())
    for _ in range(MANY // 500):
        await store.append(ACCOUNT, inbox, [one] * 500)
    view = await store.view(ACCOUNT, inbox)
    gone: list[int] = []

    def heard(event: Event) -> None:
        if isinstance(event, MailboxChanged):
            gone.extend(event.expunged)

    store.bus.subscribe(ACCOUNT, heard)

    async def refresh(after: int) -> None:
        for _ in range(after):
            await asyncio.sleep(0)
        await store._refresh(ACCOUNT)

    refreshes = [asyncio.create_task(refresh(after)) for after in (0, 3, 40)]
    while not all(task.done() for task in refreshes):
        await deliver(store, message())
        await asyncio.sleep(0)
        assert len(view) == view.uids[-1]
    assert gone == []
