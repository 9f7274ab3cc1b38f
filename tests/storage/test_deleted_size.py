"""The octets that an EXPUNGE would free, over more than one page of rows."""

import pytest

from storage import deleted_size
from storage.store import Store
from storage.values import FlagChange, Flags, System
from tests.support.stores import ACCOUNT, deliver, message

DELETED = Flags(System.DELETED)


async def test_it_counts_marked_messages_only(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleted_size, "_PAGE", 2)
    box = await store.mailbox(ACCOUNT, "INBOX")
    assert await store.deleted_size(box) == 0
    data = message()
    for _ in range(5):
        await deliver(store, data, ACCOUNT)
    await store.store(ACCOUNT, box.id, [1, 4, 5], FlagChange.ADD, DELETED)
    assert await store.deleted_size(await store.mailbox(ACCOUNT, "INBOX")) == 3 * len(data)
    await store.expunge(ACCOUNT, box.id, None)
    assert await store.deleted_size(await store.mailbox(ACCOUNT, "INBOX")) == 0
