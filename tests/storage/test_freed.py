"""Jobs that were refused leave no circle of references, which would hold whole accounts."""

from storage.errors import MailboxExists
from storage.job import Job
from storage.store import Store
from tests.support.freed import eventually, uncollected
from tests.support.stores import ACCOUNT, StoreHome


async def test_a_refused_job_is_free_without_a_collection(home: StoreHome) -> None:
    store = await home.open()
    await store.add_account(ACCOUNT)
    with uncollected(Job) as left:
        assert [await _exists(store) for _ in range(3)] == [True] * 3
        await store.create(ACCOUNT, "After")
        await eventually(lambda: left() <= 1)  # the writer holds its last group until the next


async def _exists(store: Store) -> bool:
    try:
        await store.create(ACCOUNT, "Sent")
    except MailboxExists:
        return True
    return False
