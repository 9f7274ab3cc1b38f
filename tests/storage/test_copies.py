"""Copies of one content in several mailboxes, on both databases."""

import pytest

from storage import copies
from storage.store import Store
from tests.support.stores import ACCOUNT, deliver, message


async def test_copies_share_their_content(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_PIECE", 2)
    for _ in range(5):
        await deliver(store, message(), ACCOUNT)
    here, there = await store.mailbox(ACCOUNT, "INBOX"), await store.mailbox(ACCOUNT, "Sent")
    await store.copy(ACCOUNT, here.id, [1, 3, 5], "Sent")
    blobs = await store.contents(ACCOUNT, here.id, [1, 2, 3, 4, 5, 9])
    assert sorted(blobs) == [1, 2, 3, 4, 5]
    found = await store.copies(ACCOUNT, [blobs[1], blobs[2]])
    assert sorted((mailbox, uid) for _, mailbox, uid in found) == sorted(
        [(here.id, 1), (there.id, 1), (here.id, 2)]
    )
    assert await store.shared(ACCOUNT, here.id, there.id) == [1, 3, 5]
    assert await store.shared(ACCOUNT, there.id, here.id) == [1, 2, 3]
    assert await store.copies(ACCOUNT, []) == []
