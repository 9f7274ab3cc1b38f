"""Journals get shorter by what is old, many and read; the floor says from where they answer."""

from storage.job import PIECE
from storage.prune import Pruner
from storage.store import Store
from storage.values import FlagChange, Flags, System
from tests.support.stores import ACCOUNT, OTHER, StoreHome, deliver, inbox, message

DELETED = Flags(System.DELETED)


def pruner(store: Store, home: StoreHome, *, numbers: int = 2, seconds: float = -60.0) -> Pruner:
    return Pruner(
        store.database, store.run_job, home.clock, keep_seconds=seconds, keep_numbers=numbers
    )


async def numbers(store: Store) -> list[int]:
    return [change.modseq for change in await store.journal(ACCOUNT, 0)]


async def test_old_rows_go_and_raise_the_floor(store: Store, home: StoreHome) -> None:
    for _ in range(6):
        await deliver(store, message(), ACCOUNT)
    box = await inbox(store)
    await store.store(ACCOUNT, box, [2, 3], FlagChange.ADD, DELETED)
    await store.expunge(ACCOUNT, box, [2, 3])
    before = await numbers(store)
    await store.mirror.settle()
    assert await pruner(store, home).prune() > 0
    assert await numbers(store) == before[-2:]
    assert await store.mailbox_changes(ACCOUNT, box, before[-4]) is None
    found = await store.mailbox_changes(ACCOUNT, box, before[-3])
    assert found is not None
    assert [list(uids) for uids in found.expunged] == [[2, 3]]
    assert [list(uids) for uids in found.flagged] == [[2, 3]]
    assert (found.until, found.complete) == (before[-1], True)
    # the floor is kept with the account, and nothing more goes
    await store.subscribe(ACCOUNT, "Elsewhere", True)
    reopened = await home.reopen(store)
    assert await reopened.mailbox_changes(ACCOUNT, box, before[-4]) is None
    assert await pruner(reopened, home, numbers=3).prune() == 0


async def test_what_is_young_or_not_followed_stays(store: Store, home: StoreHome) -> None:
    for _ in range(6):
        await deliver(store, message(), ACCOUNT)
    before = await numbers(store)
    assert await pruner(store, home).prune() == 0, "the mirror has not followed"
    await store.mirror.settle()
    assert await pruner(store, home, seconds=3600.0).prune() == 0, "younger than an hour"
    slow = pruner(store, home)

    async def read(_: int) -> int:
        return before[-4]

    slow.followers.append(read)
    await slow.prune()
    assert await numbers(store) == before[-3:]


async def test_a_piece_ends_between_modseqs(store: Store, home: StoreHome) -> None:
    many = PIECE + 50
    await deliver(store, message(), OTHER)
    for start in range(0, many, 500):
        for _ in range(0, 500, 2):
            await store.subscribe(ACCOUNT, f"Name{start}", True)
            await store.subscribe(ACCOUNT, f"Name{start}", False)
        if len(await store.journal(ACCOUNT, 0, PIECE * 2)) > many:
            break
    await store.mirror.settle()
    assert await pruner(store, home, numbers=10).prune() > PIECE
    assert len(await numbers(store)) == 10


async def test_changes_come_in_pieces(store: Store) -> None:
    for _ in range(8):
        await deliver(store, message(), ACCOUNT)
    box = await inbox(store)
    for uid in range(1, 8):
        await store.store(ACCOUNT, box, [uid], FlagChange.ADD, DELETED)
    await store.expunge(ACCOUNT, box, None)
    flagged: list[int] = []
    since, complete, pieces = 0, False, 0
    while not complete:
        found = await store.mailbox_changes(ACCOUNT, box, since, 3)
        assert found is not None
        flagged += [uid for uids in found.flagged for uid in uids]
        since, complete, pieces = found.until, found.complete, pieces + 1
    assert flagged == list(range(1, 8))
    assert pieces > 2
