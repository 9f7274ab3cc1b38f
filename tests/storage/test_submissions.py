"""What users sent by HTTP: one row a message, with the queue's, by key once, told and forgotten."""

from dataclasses import replace

import pytest

from filters.cancelling import cancel
from storage.errors import TooOld
from storage.queue_values import Result, State
from storage.store import Store
from storage.submission_values import AlreadySubmitted, Fate, Undo
from storage.submissions import KEPT
from storage.values import AccountId, BlobId, LocalRecipient, QueuedRecipient, QueueId, Sending
from tests.support.queue_harness import ManualClock
from tests.support.stores import ACCOUNT, OTHER, StoreHome, bodies, delivery, message

DAY = 86400.0


async def send(
    store: Store,
    *people: str,
    account: AccountId = ACCOUNT,
    key: str | None = None,
    hold: float | None = None,
    copy: bool = False,
) -> QueueId:
    sending = Sending("I1", BlobId(0 if copy else 7), 3, "{}", frozenset({"b@here.test"}), key)
    kept = [LocalRecipient(account, "me@here.test", "Sent")] if copy else []
    made = replace(
        delivery(message(), *kept),
        queued=tuple(map(QueuedRecipient, people)),
        account=account,
        sending=sending,
        hold_until=hold,
    )
    queue = (await store.deliver(made)).queue_id
    assert queue is not None
    return queue


async def test_a_row_learns_what_becomes_of_recipients(store: Store) -> None:
    queue = await send(store, "a@far.test", "b@here.test", "c@far.test")
    before = await store.submissions.state(ACCOUNT)
    claim = await store.queue.claim_message(queue)
    assert claim is not None
    await store.queue.record(
        claim,
        {
            0: Result(State.DELIVERED, "250 taken"),
            1: Result(State.DELIVERED, "250 kept"),
            2: Result(State.WAITING, "451 later", next_attempt=2e9),
        },
    )
    one = (await store.submissions.get(ACCOUNT, [queue]))[queue]
    assert [(to.fate, to.reply) for to in one.recipients] == [
        (Fate.RELAYED, "250 taken"),
        (Fate.HERE, "250 kept"),
        (Fate.QUEUED, "451 later"),
    ]
    assert (one.undo, one.email, one.thread) == (Undo.FINAL, 7, 3)
    changes = await store.submissions.changes(ACCOUNT, before, 10)
    assert (changes.created, changes.updated, changes.destroyed) == ((), (queue,), ())
    claim = await store.queue.claim_message(queue)
    assert claim is not None
    await store.queue.record(claim, {2: Result(State.FAILED, "550 no")})
    one = (await store.submissions.get(ACCOUNT, [queue]))[queue]
    assert one.recipients[2].fate is Fate.FAILED
    assert await store.queue.show(queue) is None
    assert await store.submissions.get(OTHER, [queue]) == {}


async def test_a_key_is_good_once_in_an_account(store: Store) -> None:
    queue = await send(store, "a@far.test", key="k", copy=True)
    with pytest.raises(AlreadySubmitted) as error:
        await send(store, "a@far.test", key="k", copy=True)
    assert error.value.id == queue
    assert len(await bodies(store, "Sent")) == 1
    assert [one.id async for one in store.queue.entries()] == [queue]
    assert await send(store, "a@far.test", key="k", account=OTHER) != queue
    assert (await store.submissions.get(ACCOUNT, [queue]))[queue].email != 0
    await store.submissions.destroy(ACCOUNT, queue)
    with pytest.raises(AlreadySubmitted):
        await send(store, "a@far.test", key="k")
    known = await store.submissions.under(ACCOUNT, "k")
    assert known is not None
    assert (known.id, known.envelope, known.recipients) == (queue, "{}", ())
    other = await send(store, "a@far.test", account=OTHER)
    await store.submissions.destroy(OTHER, other)
    assert await store.submissions.all(OTHER, 10) != []


async def test_what_is_taken_back_leaves_no_file_though_a_kill_came(
    home: StoreHome, store: Store
) -> None:
    queue = await send(store, "a@far.test", hold=2e10)
    path = home.data_dir / "queue" / f"{queue}.msg"
    octets = path.read_bytes()
    await cancel(store.queue, home.clock, queue, ACCOUNT)
    one = (await store.submissions.get(ACCOUNT, [queue]))[queue]
    assert one.undo is Undo.CANCELED
    assert not path.exists()
    path.write_bytes(octets)  # as if the process was killed before it went
    lost = home.data_dir / "queue" / "5.msg"
    lost.write_bytes(octets)
    await store.queue.sweep()
    assert not path.exists()
    assert [one.name for one in (home.data_dir / "orphans").iterdir()] == ["queue.5.msg"]
    await store.remove_account(ACCOUNT)
    assert await store.submissions.get(ACCOUNT, [queue]) == {}


async def test_they_are_forgotten_after_their_time(home: StoreHome) -> None:
    home.clock = clock = ManualClock()
    store = await home.open()
    await store.add_account(ACCOUNT)
    submissions = store.submissions
    empty = await submissions.state(ACCOUNT)
    queue = await send(store, "a@far.test", key="k")
    made = await submissions.changes(ACCOUNT, empty, 10)
    assert (made.created, made.has_more) == ((queue,), False)
    clock.at += KEPT + 2 * DAY
    await submissions.forget()
    with pytest.raises(TooOld):
        await submissions.changes(ACCOUNT, made.until, 10)
    assert await submissions.get(ACCOUNT, [queue]) == {}
    told = await submissions.changes(ACCOUNT, submissions.state_at(0), 10)
    assert told.destroyed == (queue,)
    second = await send(store, "a@far.test", key="k")
    state = await submissions.state(ACCOUNT)
    assert (await submissions.changes(ACCOUNT, state, 10)).created == ()
    third = await send(store, "a@far.test")
    told = await submissions.changes(ACCOUNT, state, 10)
    assert (told.created, told.destroyed) == ((third,), ())
    await submissions.destroy(ACCOUNT, third)
    told = await submissions.changes(ACCOUNT, state, 10)
    assert (told.created, told.updated, told.destroyed) == ((), (), ())
    assert [one.id for one in await submissions.all(ACCOUNT, 10)] == [second]
    with pytest.raises(TooOld):
        await submissions.changes(ACCOUNT, told.until + 1, 10)
