"""Which mail teaches tags, read from a store; what is read is let go."""

from array import array
from pathlib import Path

from filters.autotags.choosing import Reader
from net.threads import Offload
from storage.values import FlagChange, Flags, LocalRecipient, System
from tests.support.stores import ACCOUNT, StoreHome, deliver, delivery, inbox, message


def length(data: bytes) -> "array[int]":
    return array("I", [len(data)])


async def test_mail_with_its_keywords_but_that_in_junk(tmp_path: Path) -> None:
    home, offload = StoreHome(tmp_path, "sqlite"), Offload(processes=1)
    store = await home.open()
    await store.add_account(ACCOUNT)
    first = message()
    await deliver(store, first)
    await deliver(store, message())
    await store.deliver(delivery(message(), LocalRecipient(ACCOUNT, "user@example.test", "Junk")))
    box = await inbox(store)
    flags = Flags(System.SEEN, frozenset({"Work", "$AutoTagged"}))
    await store.store(ACCOUNT, box, [1], FlagChange.ADD, flags)
    reader = Reader(store, offload, length)
    found = await reader.messages(ACCOUNT)
    assert [(one.mailbox, one.uid, one.keywords) for one in found] == [
        (box, 1, frozenset({"work", "$autotagged"})),
        (box, 2, frozenset()),
    ]
    view = await store.view(ACCOUNT, box)
    assert view.users == 1  # this one
    view.release()
    assert await reader.features(ACCOUNT, found[0]) == array("I", [len(first)])
    await store.store(ACCOUNT, box, [1], FlagChange.ADD, Flags(System.DELETED))
    await store.expunge(ACCOUNT, box, [1])
    assert await reader.features(ACCOUNT, found[0]) is None
    offload.close()
    await home.clean_up()
