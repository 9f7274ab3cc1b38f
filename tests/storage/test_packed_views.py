"""Views from packed files: always the same as those from rows, whatever happened meanwhile."""

import random
from array import array
from pathlib import Path

import pytest

from storage import packed_views
from storage.errors import NoSuchMailbox
from storage.snapshots import Packed, Snapshots, folder_of, forget_all
from storage.store import Store
from storage.values import FlagChange, Flags, System
from storage.view import View
from tests.support.stores import ACCOUNT, StoreHome, appended, inbox, message

_State = tuple[list[int], list[int], list[int], int, int, int]


@pytest.fixture(autouse=True)
def _every_view_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_views, "FROM", 1)
    monkeypatch.setattr(packed_views, "PIECE", 3)
    monkeypatch.setattr(packed_views, "_JOURNAL", 4)


async def _fill(store: Store, count: int = 30) -> None:
    await store.append(ACCOUNT, "INBOX", [appended(message()) for _ in range(count)])


async def _state(store: Store) -> _State:
    view = await store.view(ACCOUNT, await inbox(store))
    try:
        return (
            list(view.uids),
            list(view.flags),
            list(view.modseqs),
            view.highestmodseq,
            view.uidnext,
            view.unseen(),
        )
    finally:
        view.release()


async def _act(store: Store, rng: random.Random) -> None:
    """One change of INBOX."""
    box = await inbox(store)
    view = await store.view(ACCOUNT, box)
    uids = sorted(rng.sample(list(view.uids), min(len(view), rng.randrange(1, 6))))
    view.release()
    kind = rng.randrange(4)
    if kind == 0 or not uids:
        await store.append(ACCOUNT, "INBOX", [appended(message()) for _ in range(2)])
    elif kind == 1:
        words = frozenset(rng.sample(["$Work", "$Home", "x"], 2))
        await store.store(ACCOUNT, box, uids, FlagChange.SET, Flags(System.SEEN, words))
    elif kind == 2:
        await store.store(ACCOUNT, box, uids, FlagChange.ADD, Flags(System.DELETED))
        await store.expunge(ACCOUNT, box, uids)
    else:
        await store.move(ACCOUNT, box, uids, "Trash")


def _path(home: StoreHome, box: int) -> Path:
    return folder_of(home.data_dir) / str(ACCOUNT) / str(box)


@pytest.mark.parametrize("seed", range(3))
async def test_a_packed_view_is_the_one_of_the_rows(
    home: StoreHome, store: Store, seed: int
) -> None:
    rng = random.Random(seed)
    await _fill(store)
    await _state(store)
    for number in range(6):
        for _ in range(rng.randrange(8)):
            await _act(store, rng)
        if number % 2:
            await home.crash(store)
            store = await home.open()
        else:
            store = await home.reopen(store)
        packed = await _state(store)
        forget_all(home.data_dir)
        monkey = await home.reopen(store)
        forget_all(home.data_dir)
        store = await home.reopen(monkey)
        assert await _state(store) == packed
        store = await home.reopen(store)
        assert await _state(store) == packed


async def test_the_file_is_used_and_brought_up_to_date(
    home: StoreHome, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _fill(store)
    await _state(store)
    store = await home.reopen(store)
    box = await inbox(store)
    await store.store(ACCOUNT, box, [3, 4], FlagChange.ADD, Flags(System.FLAGGED))
    await _fill(store, 2)
    loaded: list[int] = []
    adopt = View.adopt

    def spy(self: View, uids: "array[int]", *rest: "array[int]") -> None:
        loaded.append(len(uids))
        adopt(self, uids, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(View, "adopt", spy)
    state = await _state(store)
    assert loaded == [30]
    assert state[0] == list(range(1, 33))
    assert state[1][2:4] == [int(System.FLAGGED)] * 2


@pytest.mark.parametrize("damage", ["torn", "bits", "other", "gone"])
async def test_a_file_that_is_not_whole_is_not_used(
    home: StoreHome, store: Store, damage: str
) -> None:
    await _fill(store)
    state = await _state(store)
    box = await inbox(store)
    await home.close(store)
    path = _path(home, box)
    data = path.read_bytes()
    if damage == "torn":
        path.write_bytes(data[:-7])
    elif damage == "bits":
        path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    elif damage == "other":
        path.write_bytes(b"something else")
    else:
        path.unlink()
    store = await home.open()
    assert await _state(store) == state


async def test_a_file_whose_sums_are_wrong_is_removed(home: StoreHome, store: Store) -> None:
    await _fill(store)
    await _state(store)
    box = await inbox(store)
    await home.close(store)
    kept = _path(home, box).read_bytes()
    store = await home.open()
    await store.store(ACCOUNT, box, [1, 2], FlagChange.ADD, Flags(System.SEEN))
    state = await _state(store)
    store = await home.reopen(store)
    # as if the journal had lost what happened since
    snapshots = Snapshots(folder_of(home.data_dir))
    fresh = snapshots.read(ACCOUNT, box)
    _path(home, box).write_bytes(kept)
    old = snapshots.read(ACCOUNT, box)
    assert fresh is not None
    assert old is not None
    wrong = Packed(
        old.uidvalidity, old.uidnext, fresh.modseq, old.uids, old.flags, old.modseqs, old.counts
    )
    snapshots.write(ACCOUNT, box, wrong, [box])
    assert await _state(store) == state


async def test_another_uidvalidity_or_a_newer_file_is_not_taken(
    home: StoreHome, store: Store
) -> None:
    await _fill(store)
    state = await _state(store)
    box = await inbox(store)
    store = await home.reopen(store)
    snapshots = Snapshots(folder_of(home.data_dir))
    good = snapshots.read(ACCOUNT, box)
    assert good is not None
    for uidvalidity, modseq in ((good.uidvalidity + 1, good.modseq), (good.uidvalidity, 1 << 60)):
        wrong = Packed(
            uidvalidity, good.uidnext, modseq, array("I"), array("I"), array("Q"), good.counts
        )
        snapshots.write(ACCOUNT, box, wrong, [box])
        assert await _state(store) == state
        store = await home.reopen(store)


async def test_files_go_with_their_mailbox_and_account(home: StoreHome, store: Store) -> None:
    await _fill(store)
    await store.create(ACCOUNT, "Other")
    other = await store.mailbox(ACCOUNT, "Other")
    box = await inbox(store)
    await store.copy(ACCOUNT, box, [1, 2], "Other")
    (await store.view(ACCOUNT, other.id)).release()
    store = await home.reopen(store)
    assert _path(home, other.id).exists()
    await store.delete(ACCOUNT, "Other")
    with pytest.raises(NoSuchMailbox):
        await store.view(ACCOUNT, other.id)
    await _state(store)
    await _fill(store, 1)
    store = await home.reopen(store)
    assert not _path(home, other.id).exists()
    await store.remove_account(ACCOUNT)
    assert not _path(home, box).exists()
