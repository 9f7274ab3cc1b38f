"""The queue's rows and files: claims, leases, results, the operator's changes, rebuilding."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from net.threads import Offload
from storage import queue_claims, queue_jobs
from storage.migrations import m0004_queue_wishes
from storage.migrations.apply import migrate
from storage.queue_batch import Wanted
from storage.queue_file import QueueFileDamaged, append_log, read_queue_file
from storage.queue_scan import START
from storage.queue_values import LEASE, Claim, Result, State
from storage.schema import queue_message
from storage.values import AccountId, DeliverBy, QueuedRecipient
from tests.support.queue_harness import ManualClock, QueueHarness, claim_one


@pytest.fixture
def store(tmp_path: Path) -> Iterator[QueueHarness]:
    offload = Offload(processes=1)
    harness = QueueHarness(tmp_path, ManualClock(), offload)
    yield harness
    harness.close()
    offload.close()


async def claimed(store: QueueHarness, domain: str | None = None) -> Claim:
    claim = await claim_one(store.queue, domain)
    assert claim is not None
    return claim


async def domains(store: QueueHarness) -> list[str]:
    return [due.domain for due in (await store.queue.due()).lanes]


async def test_claim_takes_all_recipients_of_one_domain_and_no_other(store: QueueHarness) -> None:
    queue = await store.put("a@one.test", "b@two.test", "c@ONE.test", envid="e1", ret="HDRS")
    claim = await claimed(store, "one.test")
    assert (claim.queue, claim.sender, claim.envid, claim.ret) == (
        queue,
        "me@example.test",
        "e1",
        "HDRS",
    )
    assert [r.address for r in claim.recipients] == ["a@one.test", "c@ONE.test"]
    assert await claim_one(store.queue, "one.test") is None
    assert await domains(store) == ["one.test", "two.test"]
    assert [r.address for r in (await claimed(store)).recipients] == ["b@two.test"]


async def test_claim_takes_at_most_the_recipients_of_one_transaction(store: QueueHarness) -> None:
    await store.put(*(f"u{n}@one.test" for n in range(250)))
    sizes = []
    while claim := await claim_one(store.queue, "one.test"):
        sizes.append(len(claim.recipients))
    assert sizes == [100, 100, 50]


async def test_longest_waiting_goes_first(store: QueueHarness) -> None:
    first = await store.put("a@one.test")
    store.clock.at += 1
    await store.put("b@one.test")
    assert (await claimed(store, "one.test")).queue == first


async def test_delivered_message_leaves_neither_row_nor_file(store: QueueHarness) -> None:
    queue = await store.put("a@one.test")
    claim = await claimed(store)
    recorded = await store.queue.record(claim, {0: Result(State.DELIVERED, "250 ok")})
    assert recorded.done
    assert await store.queue.show(queue) is None
    assert not claim.path.exists()


async def test_failed_attempt_waits_and_counts(store: QueueHarness) -> None:
    queue = await store.put("a@one.test")
    later = store.clock.at + 60
    claim = await claimed(store)
    await store.queue.record(claim, {0: Result(State.WAITING, "450 later", later)})
    shown = await store.queue.show(queue)
    assert shown is not None
    assert shown.state == "deferred"
    recipient = shown.recipients[0]
    assert (recipient.attempts, recipient.next_attempt, recipient.last_reply) == (
        1,
        later,
        "450 later",
    )
    assert await claim_one(store.queue) is None
    assert await store.queue.next_due() == later
    store.clock.at = later
    assert (await claimed(store)).recipients[0].attempts == 1


async def test_lease_expires_and_its_former_holder_can_record_nothing(store: QueueHarness) -> None:
    await store.put("a@one.test")
    slow = await claimed(store)
    store.clock.at += LEASE + 1
    second = await claimed(store)
    late = await store.queue.record(slow, {0: Result(State.FAILED, "550")})
    assert late.applied == frozenset()
    assert await store.queue.renew([slow]) == {slow.queue}
    assert await store.queue.renew([second]) == set()
    done = await store.queue.record(second, {0: Result(State.DELIVERED, "250")})
    assert done.done


async def test_start_after_a_kill_frees_leases(store: QueueHarness) -> None:
    await store.put("a@one.test")
    await claimed(store)
    assert await store.queue.recover() == 1
    await claimed(store)


async def test_result_that_a_killed_process_noted_holds_after_the_start(
    store: QueueHarness,
) -> None:
    whole = await store.put("a@one.test")
    part = await store.put("b@one.test", "c@two.test")
    lanes = [Wanted(due.domain, due.lane, 9) for due in (await store.queue.due()).lanes]
    for claim in [claim for found in await store.queue.claim(lanes) for claim in found]:
        if claim.recipients[0].domain == "one.test":
            await store.queue.note(claim, {0: Result(State.DELIVERED, "250 ok")})
    await store.queue.recover()
    assert await store.queue.show(whole) is None
    assert not (store.folder / f"{whole}.msg").exists()
    shown = await store.queue.show(part)
    assert shown is not None
    assert [r.state for r in shown.recipients] == ["delivered", "queued"]
    assert [r.address for r in (await claimed(store)).recipients] == ["c@two.test"]
    assert await claim_one(store.queue) is None


async def test_lanes_are_claimed_together_each_in_its_order(store: QueueHarness) -> None:
    mine = [await store.put(f"u{n}@one.test", account=AccountId(1)) for n in range(3)]
    other = await store.put("x@one.test", account=AccountId(2))
    urgent = await store.put("y@one.test", account=AccountId(2), priority=4)
    lanes = (await store.queue.due()).lanes
    assert [due.lane for due in lanes] == [
        "05:=2:example.test",
        "09:=1:example.test",
        "09:=2:example.test",
    ]
    claims = await store.queue.claim([Wanted("one.test", due.lane, 2) for due in lanes])
    assert [[claim.queue for claim in found] for found in claims] == [[urgent], mine[:2], [other]]
    assert len({claim.owner for found in claims for claim in found}) == 1


async def test_walk_names_each_lane_once_and_ends(
    store: QueueHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.queue._SCAN", 2)
    for number in range(10):
        await store.put(f"a@d{number % 3}.test")
        store.clock.at += number % 2
    named, mark = [], START
    while True:
        piece = await store.queue.due(mark)
        named += [due.domain for due in piece.lanes]
        if piece.after is None:
            break
        mark = piece.after
    assert set(named) == {"d0.test", "d1.test", "d2.test"}
    assert len(named) <= 10
    assert (await store.queue.due((store.clock.at, "z", ""))).lanes == ()


async def test_lane_is_put_off_but_for_what_somebody_has_to_be_told_of(
    store: QueueHarness,
) -> None:
    old = await store.put("old@one.test")
    store.clock.at += 100
    young = await store.put("young@one.test")
    by = await store.put("by@one.test", deliver_by=DeliverBy(store.clock.at + 50, "R", False))
    (due,) = (await store.queue.due()).lanes
    want = Wanted(due.domain, due.lane, 10)
    until = store.clock.at + 60
    assert await store.queue.defer(want, store.clock.at - 50, until, "421 gone") == 1
    assert await store.queue.defer(want, store.clock.at - 50, until, "421 gone") == 0
    shown = await store.queue.show(young)
    assert shown is not None
    recipient = shown.recipients[0]
    assert (recipient.attempts, recipient.next_attempt, recipient.last_reply) == (
        1,
        until,
        "421 gone",
    )
    (left,) = await store.queue.claim([want])
    assert [claim.queue for claim in left] == [old, by]


async def test_several_results_of_one_message_are_recorded_together(store: QueueHarness) -> None:
    queue = await store.put(*(f"u{n}@d{n}.test" for n in range(3)))
    lanes = [Wanted(due.domain, due.lane, 9) for due in (await store.queue.due()).lanes]
    claims = [claim for found in await store.queue.claim(lanes) for claim in found]
    results = [{claim.recipients[0].position: Result(State.DELIVERED, "250")} for claim in claims]
    pairs = zip(claims, results, strict=True)
    recorded = await asyncio.gather(*(store.queue.record(*pair) for pair in pairs))
    assert [one.done for one in recorded].count(True) == 1
    assert await store.queue.show(queue) is None


async def test_give_back_counts_no_attempt(store: QueueHarness) -> None:
    await store.put("a@one.test")
    await store.queue.give_back([await claimed(store)])
    assert (await claimed(store)).recipients[0].attempts == 0


async def test_finished_recipients_stand_in_the_file(store: QueueHarness, tmp_path: Path) -> None:
    data = b"Subject: no final line end\r\n\r\nend"
    queue = await store.put(
        QueuedRecipient("a@one.test", "NEVER", "rfc822;x@y"),
        "b@two.test",
        data=data,
        account=AccountId(7),
        smtputf8=True,
    )
    claim = await claimed(store, "one.test")
    result = {0: Result(State.DELIVERED, "250 täken")}
    await store.queue.note(claim, result)
    await store.queue.record(claim, result)
    file = await store.offload.disk(read_queue_file, claim.path)
    assert file.finished == {0}
    assert file.envelope.id == queue
    assert file.envelope.account == 7
    assert file.envelope.smtputf8
    assert file.envelope.recipients[0] == QueuedRecipient("a@one.test", "NEVER", "rfc822;x@y")
    assert claim.path.read_bytes()[file.offset :][: file.size] == data


async def test_rows_are_rebuilt_from_the_file(store: QueueHarness) -> None:
    queue = await store.put("a@one.test", "b@two.test")
    claim = await claimed(store, "one.test")
    result = {0: Result(State.FAILED, "550 no")}
    await store.queue.note(claim, result)
    await store.queue.record(claim, result)
    await store.queue.hold(queue)
    file = await store.offload.disk(read_queue_file, claim.path)
    await store.submit(lambda conn: queue_claims.forget(conn, queue))
    assert await store.queue.show(queue) is None
    await store.submit(lambda conn: queue_jobs.insert_file(conn, file))
    shown = await store.queue.show(queue)
    assert shown is not None
    assert shown.state == "held"
    assert await store.queue.release(queue) == 1
    assert [r.address for r in (await claimed(store)).recipients] == ["b@two.test"]


WISHES: dict[str, Any] = {
    "require_tls": True,
    "hold_until": 1_800_003_600.0,
    "deliver_by": DeliverBy(1_800_007_200.0, "N", trace=True),
    "priority": -4,
}


async def test_what_the_sender_asks_of_every_hop_goes_through_rows_file_and_repair(
    store: QueueHarness,
) -> None:
    queue = await store.put("a@one.test", **WISHES)
    assert await claim_one(store.queue) is None
    assert await store.queue.next_due() == WISHES["hold_until"]
    file = await store.offload.disk(read_queue_file, store.folder / f"{queue}.msg")
    assert {name: getattr(file.envelope, name) for name in WISHES} == WISHES
    await store.submit(lambda conn: queue_claims.forget(conn, queue))
    await store.submit(lambda conn: queue_jobs.insert_file(conn, file))
    shown = await store.queue.show(queue)
    assert shown is not None
    assert (shown.hold_until, shown.deliver_by) == (WISHES["hold_until"], WISHES["deliver_by"])
    assert (shown.priority, shown.require_tls) == (-4, True)
    store.clock.at += 3600
    claim = await claimed(store)
    assert {name: getattr(claim, name) for name in WISHES} == WISHES
    assert claim.begun == WISHES["hold_until"]


async def test_a_file_of_an_older_version_has_no_wishes(store: QueueHarness) -> None:
    queue = await store.put("a@one.test")
    path = store.folder / f"{queue}.msg"
    file = await store.offload.disk(read_queue_file, path)
    _, packed, rest = path.read_bytes().split(b"\n", 2)
    values = json.loads(packed)
    packed = json.dumps({k: v for k, v in values.items() if k not in WISHES}).encode() + b"\n"
    sizes = b"%d %d\n" % (len(packed), file.size)
    path.write_bytes(b"mailserver-queue 1 " + sizes + packed + rest)
    assert (await store.offload.disk(read_queue_file, path)).envelope == file.envelope


async def test_a_message_for_later_goes_early_only_by_name(store: QueueHarness) -> None:
    later = store.clock.at + 3600
    queue = await store.put("a@one.test", hold_until=later)
    assert await store.queue.retry(None) == 0
    assert await store.queue.hold(None) == await store.queue.release(None) == 1
    assert await store.queue.next_due() == later
    assert await claim_one(store.queue) is None
    assert await store.queue.retry(queue) == 1
    await claimed(store)


async def test_columns_are_added_to_the_tables_of_an_older_version(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'index.db'}")
    with engine.begin() as conn:
        migrate(conn)
        kept = ", ".join(
            c.name for c in queue_message.c if c.name not in m0004_queue_wishes.COLUMNS
        )
        conn.execute(text(f"CREATE TABLE old AS SELECT {kept} FROM queue_message"))
        conn.execute(text("DROP TABLE queue_message"))
        conn.execute(text("ALTER TABLE old RENAME TO queue_message"))
        conn.execute(
            text("INSERT INTO queue_message (id, sender, queued_at) VALUES (5, 'a@b.test', 1.0)")
        )
        conn.execute(text("DELETE FROM schema_version WHERE version >= 4"))
        migrate(conn)
        row = conn.execute(select(queue_message)).one()
    engine.dispose()
    assert (row.priority, row.require_tls, row.deliver_by_trace) == (0, 0, 0)
    assert (row.hold_until, row.deliver_by, row.deliver_by_mode) == (None, None, "")


async def test_torn_log_line_is_ignored_and_a_torn_message_is_damage(store: QueueHarness) -> None:
    await store.put("a@one.test", "b@one.test")
    claim = await claimed(store)
    await store.offload.disk(append_log, claim.path, b'{"at": 1, "fini')
    await store.offload.disk(append_log, claim.path, b'{"at": 2, "finished": 1, "reply": "250"}\n')
    assert (await store.offload.disk(read_queue_file, claim.path)).finished == {1}
    whole = claim.path.read_bytes()
    file = await store.offload.disk(read_queue_file, claim.path)
    for cut in (0, 5, 30, file.offset - 1, file.offset + file.size - 1):
        claim.path.write_bytes(whole[:cut])
        with pytest.raises(QueueFileDamaged):
            await store.offload.disk(read_queue_file, claim.path)


async def test_files_without_rows_are_moved_finished_ones_removed(
    store: QueueHarness, tmp_path: Path
) -> None:
    lost = await store.put("a@one.test")
    done = await store.put("b@one.test")
    kept = await store.put("c@one.test")
    path = store.folder / f"{done}.msg"
    await store.offload.disk(append_log, path, b'{"finished": 0}\n')
    foreign = store.folder / "README"
    foreign.write_text("not ours")
    for queue in (lost, done):
        await store.submit(partial(queue_claims.forget, queue=queue))
    store.clock.at += 1
    await store.queue.sweep()
    assert sorted(p.name for p in store.folder.iterdir()) == sorted([f"{kept}.msg", "README"])
    assert [p.name for p in (tmp_path / "orphans").iterdir()] == [f"queue.{lost}.msg"]


async def test_hold_release_and_retry(store: QueueHarness) -> None:
    events: list[object] = []
    store.bus.subscribe(None, events.append)
    first, second = await store.put("a@one.test"), await store.put("b@one.test")
    events.clear()
    assert await store.queue.hold(first) == 1
    shown = await store.queue.show(first)
    assert shown is not None
    assert (shown.state, shown.recipients[0].state) == ("held", "held")
    assert (await claimed(store)).queue == second
    assert await claim_one(store.queue) is None
    assert await store.queue.release(None) == 1
    assert len(events) == 1
    claim = await claimed(store)
    assert claim.queue == first
    await store.queue.record(claim, {0: Result(State.WAITING, "450", store.clock.at + 999)})
    assert await store.queue.retry(first) == 1
    assert (await claimed(store)).queue == first


async def test_hold_during_an_attempt_stands_after_it(store: QueueHarness) -> None:
    queue = await store.put("a@one.test")
    claim = await claimed(store)
    await store.queue.hold(queue)
    await store.queue.record(claim, {0: Result(State.WAITING, "450", store.clock.at)})
    assert await claim_one(store.queue) is None
    await store.queue.release(queue)
    await claimed(store)


async def test_held_from_the_start(store: QueueHarness) -> None:
    await store.put("a@one.test", held=True)
    assert await claim_one(store.queue) is None


async def test_whole_message_can_be_claimed_unless_it_is_being_sent(store: QueueHarness) -> None:
    queue = await store.put("a@one.test", "b@two.test")
    sending = await claimed(store, "one.test")
    assert await store.queue.claim_message(queue) is None
    await store.queue.give_back([sending])
    await store.queue.hold(queue)
    whole = await store.queue.claim_message(queue)
    assert whole is not None
    assert len(whole.recipients) == 2


async def test_entries_come_in_pieces_in_order(
    store: QueueHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.queue_listing._MESSAGES", 2)
    monkeypatch.setattr("storage.queue_listing._RECIPIENTS", 3)
    monkeypatch.setattr("storage.queue._SPAN", 2)
    queued = [await store.put(f"u{n}@one.test", "x@two.test") for n in range(5)]
    assert await store.queue.hold(None) == await store.queue.release(None) == 5
    entries = [entry async for entry in store.queue.entries()]
    assert [entry.id for entry in entries] == queued
    wanted = [(f"u{n}@one.test", "x@two.test") for n in range(5)]
    assert [tuple(one.address for one in entry.recipients) for entry in entries] == wanted
