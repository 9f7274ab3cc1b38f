"""Fresh mail handed over to the sending side: what, when, and what happens without a taker."""

import asyncio
from dataclasses import replace

import pytest

from storage.queue_batch import Wanted
from storage.queue_handover import SMALL
from storage.queue_scan import DueLane
from storage.queue_values import Claim, Result, State
from storage.store import Store
from storage.values import Hold, QueuedRecipient
from tests.support.stores import content, delivery, message, spooled

LANE = DueLane("there.test", "09:example.org")
DONE = Result(State.DELIVERED, "250 ok")


class Taker:
    """Takes what `wants` says, and keeps it."""

    def __init__(self, *, wants: bool = True, together: bool = False) -> None:
        self.wants, self.together = wants, together
        self.taken: list[tuple[DueLane, Claim]] = []
        self.came = asyncio.Event()

    def takes(self, due: DueLane) -> bool:
        return self.wants

    def take(self, due: DueLane, claim: Claim) -> None:
        self.taken.append((due, claim))
        self.came.set()


@pytest.fixture
async def taker(store: Store) -> Taker:
    store.queue.handover.taker = taker = Taker()
    return taker


async def waiting(store: Store, due: DueLane = LANE) -> list[Claim]:
    """What could be claimed from the rows."""
    return (await store.queue.claim([Wanted(due.domain, due.lane, 10)]))[0]


async def test_a_delivery_is_handed_over_leased_and_whole(store: Store, taker: Taker) -> None:
    prefixed = replace(content(message("hello")), prefix=b"Received: here\r\n")
    whole = b"Received: here\r\n" + message_of(prefixed.data)
    prefixed = replace(prefixed, size=len(whole))
    result = await store.deliver(delivery(prefixed, queued=["a@there.test", "b@There.test"]))
    ((due, claim),) = taker.taken
    assert (due, claim.queue, claim.data) == (LANE, result.queue_id, whole)
    assert [(r.position, r.address) for r in claim.recipients] == [
        (0, "a@there.test"),
        (1, "b@There.test"),
    ]
    assert await waiting(store) == []
    recorded = await store.queue.record(claim, {0: DONE, 1: DONE})
    assert recorded.done
    assert not claim.path.exists()


async def test_a_claim_from_the_rows_says_the_same(store: Store, taker: Taker) -> None:
    await store.deliver(delivery(message("hello"), queued=["a@there.test"]))
    ((_, handed),) = taker.taken
    await store.queue.give_back([handed])
    (claim,) = await waiting(store)
    alike = replace(handed, owner=claim.owner, leased_until=None, data=None)
    assert replace(claim, queued_at=handed.queued_at) == alike


async def test_large_mail_is_handed_over_without_its_octets(store: Store, taker: Taker) -> None:
    await store.deliver(delivery(message("x" * SMALL), queued=["a@there.test"]))
    await store.deliver(
        delivery(spooled(store, message("x" * 300_000), b""), queued=["a@there.test"])
    )
    assert [claim.data for _, claim in taker.taken] == [None, None]
    assert all(claim.path.stat().st_size > claim.size for _, claim in taker.taken)


@pytest.mark.parametrize("together", [False, True])
async def test_several_domains_are_one_claim_where_one_host_takes_all(
    store: Store, taker: Taker, together: bool
) -> None:
    taker.together = together
    await store.deliver(delivery(message(), queued=["a@there.test", "b@other.test"]))
    assert len(taker.taken) == together
    assert len(await waiting(store)) == (not together)


async def test_what_is_held_or_not_wanted_waits_in_the_rows(store: Store, taker: Taker) -> None:
    one = delivery(message(), queued=["a@there.test"])
    await store.deliver(replace(one, held=True))
    await store.deliver(replace(one, hold_until=4e9))
    by_rule = QueuedRecipient("a@there.test", hold=Hold(1.0, rule=1))
    await store.deliver(replace(one, queued=[by_rule]))
    taker.wants = False
    await store.deliver(one)
    assert not taker.taken
    assert len(await waiting(store)) == 1


async def test_a_sender_that_goes_away_does_not_keep_its_mail(store: Store, taker: Taker) -> None:
    sending = asyncio.create_task(store.deliver(delivery(message(), queued=["a@there.test"])))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    async with asyncio.timeout(20):
        await taker.came.wait()
    assert len(taker.taken) == 1


async def test_what_the_taker_fails_at_is_given_back(
    store: Store, taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(due: DueLane, claim: Claim) -> None:
        raise ValueError("not today")

    monkeypatch.setattr(taker, "take", fails)
    await store.deliver(delivery(message(), queued=["a@there.test"]))
    await store.queue.close()
    assert len(await waiting(store)) == 1


async def test_what_nobody_takes_any_more_is_given_back(store: Store, taker: Taker) -> None:
    sending = asyncio.create_task(store.deliver(delivery(message(), queued=["a@there.test"])))
    await asyncio.sleep(0)
    store.queue.handover.taker = None
    await sending
    await store.queue.close()
    (claim,) = await waiting(store)
    assert not taker.taken
    assert claim.recipients[0].attempts == 0


def message_of(data: bytes | None) -> bytes:
    assert data is not None
    return data
