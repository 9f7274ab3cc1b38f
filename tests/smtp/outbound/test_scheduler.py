"""The scheduler with real sockets: fairness, windows, dead sites, priorities, memory."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from config.logging import get_logger
from smtp.outbound.desk import AHEAD, Desk
from smtp.outbound.sites import Sites
from storage.queue_batch import Wanted
from storage.queue_claims import Recorded
from storage.queue_scan import DueLane
from storage.queue_values import Claim, Result
from storage.values import AccountId
from tests.smtp.outbound.conftest import Sender
from tests.support.smtp_sink import Sink, smtp_sink


async def test_sessions_grow_while_mail_is_taken_up_to_the_setting(
    sender: Sender, there: Sink
) -> None:
    there.pause = 0.01
    for number in range(150):
        await sender.store.put(f"u{number}@there.test")
    await sender.start(there.endpoint.port, connections_per_destination=7)
    await there.wait(150, 20)
    assert 4 < there.most_at_once <= 7


async def test_site_that_takes_few_connections_gets_few_and_no_message_waits(
    sender: Sender, there: Sink
) -> None:
    there.at_most, there.pause = 2, 0.01
    queued = [await sender.store.put(f"u{number}@there.test") for number in range(60)]
    await sender.start(there.endpoint.port)
    await there.wait(60, 20)
    for queue in queued:
        await sender.until_gone(queue)


async def test_one_message_overtakes_a_thousand_of_another_sender(
    sender: Sender, there: Sink
) -> None:
    there.pause = 0.01
    for number in range(120):
        await sender.store.put(f"u{number}@there.test", account=AccountId(1))
    await sender.store.put("late@there.test", account=AccountId(2))
    await sender.start(there.endpoint.port, connections_per_destination=2)
    await there.wait_for("late@there.test")
    assert len(there.received) < 30


async def test_urgent_mail_goes_first(sender: Sender, there: Sink) -> None:
    there.pause = 0.01
    for number in range(80):
        await sender.store.put(f"u{number}@there.test")
    await sender.store.put("urgent@there.test", priority=5)
    await sender.start(there.endpoint.port, connections_per_destination=1)
    await there.wait_for("urgent@there.test")
    assert len(there.received) <= 3


async def test_domains_of_one_site_share_its_sessions(sender: Sender, there: Sink) -> None:
    for number in range(30):
        sender.dns.set(f"d{number}.test", "MX", "10 mx.there.test.")
        await sender.store.put(f"u@d{number}.test")
    await sender.start(there.endpoint.port, connections_per_destination=2)
    await there.wait(30)
    assert there.most_at_once <= 2
    assert there.sessions < 10


async def test_hosts_that_hang_do_not_keep_others_from_their_mail(
    sender: Sender, there: Sink
) -> None:
    async with smtp_sink(Sink(stall_at="EHLO"), "127.0.0.2", there.endpoint.port) as hanging:
        await sender.start(there.endpoint.port, connections=8)
        await sender.store.put("ann@there.test")
        await there.wait()
        for number in range(40):
            sender.dns.mail_domain(f"h{number}.test", (10, f"mx.h{number}.test", "127.0.0.2"))
            await sender.store.put(f"a@h{number}.test", f"b@h{number}.test")
        await hanging.wait_for_sessions(4)
        await sender.store.put("bob@there.test")
        await there.wait(2, 5)


async def test_dead_site_is_not_asked_again_for_new_mail(sender: Sender, there: Sink) -> None:
    there.greeting = "421 4.3.2 gone fishing"
    first = await sender.store.put("a@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_tried(first)
    sessions = there.sessions
    later = [await sender.store.put(f"u{number}@there.test") for number in range(20)]
    for queue in later:
        shown = await sender.until_tried(queue)
        assert shown.recipients[0].last_reply.endswith("421 4.3.2 gone fishing")
        assert shown.recipients[0].next_attempt == sender.clock.at + 60
    assert there.sessions == sessions
    there.greeting = "220 back"
    sender.advance(61)
    await there.wait(21)


async def test_back_off_of_a_dead_site_grows(sender: Sender, there: Sink) -> None:
    there.greeting = "421 4.3.2 gone fishing"
    queue = await sender.store.put("a@there.test")
    await sender.start(there.endpoint.port)
    waits = []
    for attempt in (1, 2, 3):
        shown = await sender.until_tried(queue, attempt)
        at = shown.recipients[0].next_attempt
        assert at is not None
        waits.append(at - sender.clock.at)
        sender.advance(waits[-1])
    assert waits == [60, 300, 900]


async def test_operator_can_try_a_dead_site_at_once(sender: Sender, there: Sink) -> None:
    there.greeting = "421 4.3.2 gone fishing"
    queue = await sender.store.put("a@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_tried(queue)
    there.greeting = "220 back"
    await sender.store.queue.retry(queue)
    await there.wait(1, 2)


async def test_delay_and_end_of_life_are_told_although_a_dead_site_is_not_tried(
    sender: Sender, there: Sink
) -> None:
    there.greeting = "421 4.3.2 gone fishing"
    queued = [await sender.store.put(f"u{number}@there.test") for number in range(5)]
    await sender.start(there.endpoint.port, delay_notice_after="10m", life="1h")
    for attempt, seconds in ((1, 60), (2, 300), (3, 900), (4, 1800), (5, 1800)):
        for queue in queued:
            await sender.until_tried(queue, attempt)
        sender.advance(seconds)
    for queue in queued:
        await sender.until_gone(queue)
    notices = [notice for _, notice in sender.notices.taken]
    assert sum(b"Action: delayed" in notice for notice in notices) == 5
    assert sum(b"Action: failed" in notice for notice in notices) == 5
    assert there.sessions <= 8


async def test_long_queue_goes_with_few_claims_and_lanes_in_memory(
    sender: Sender, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smtp.outbound.scout.LANES", 10)
    monkeypatch.setattr("smtp.outbound.desk.READY", 20)
    monkeypatch.setattr("storage.queue._SCAN", 5)
    for number in range(60):
        sender.dns.set(f"d{number}.test", "MX", "10 mx.there.test.")
        await sender.store.put(f"u@d{number}.test", account=AccountId(number))
    await sender.start(there.endpoint.port)
    await there.wait(60, 20)


async def test_results_that_are_recorded_late_stop_nothing(
    sender: Sender, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for claims until a record is done, when no worker is left that would look."""
    monkeypatch.setattr("smtp.outbound.scout.LANES", 2)
    monkeypatch.setattr("smtp.outbound.desk.READY", 2)
    monkeypatch.setattr("smtp.outbound.desk.AHEAD", 1)
    monkeypatch.setattr("smtp.outbound.backlog.LANES_AT_ONCE", 1)
    monkeypatch.setattr("smtp.outbound.crew.IDLE", 0.05)
    record = sender.store.queue.record

    async def late(claim: Claim, results: Mapping[int, Result]) -> Recorded:
        await asyncio.sleep(0.5)
        return await record(claim, results)

    monkeypatch.setattr(sender.store.queue, "record", late)
    for number in range(6):
        await sender.store.put("u@there.test", account=AccountId(number))
    await sender.start(there.endpoint.port)
    await there.wait(6, 20)


async def test_settings_of_a_reload_hold_for_the_next_message(sender: Sender, there: Sink) -> None:
    await sender.start(there.endpoint.port)
    await sender.store.put("a@there.test")
    await there.wait()
    async with smtp_sink(Sink()) as other:
        sender.reload(smarthost=f"smtp://127.0.0.1:{other.endpoint.port}")
        await sender.store.put("b@there.test")
        await other.wait()


async def test_fresh_mail_is_sent_without_being_looked_for_or_claimed(
    sender: Sender, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed: list[object] = []
    queue, claim = sender.store.queue, sender.store.queue.claim

    async def counted(wanted: Sequence[Wanted]) -> list[list[Claim]]:
        claimed.append(wanted)
        return await claim(wanted)

    monkeypatch.setattr(queue, "claim", counted)
    await sender.start(there.endpoint.port)
    for number in range(30):
        await sender.store.put(f"u{number}@there.test", data=b"Subject: x\r\n\r\n.dot\r\n")
        await there.wait(number + 1)
    assert not claimed
    assert {one.data for one in there.received} == {b"Subject: x\r\n\r\n.dot\r\n"}


async def test_fresh_mail_goes_into_the_rows_where_others_wait_there_already(
    sender: Sender,
) -> None:
    desk = Desk(sender.store.queue, sender.clock, get_logger("outbound"))
    site = Sites().add(DueLane("there.test", "09:=1"))
    assert not desk.has_room(site)
    site.fetching = True  # they are being claimed at this moment
    assert desk.has_room(site)
    site.backlog.put(site.backlog.wanted(10), [[]])  # and they are gone
    site.fetching = False
    assert desk.has_room(site)


async def test_a_site_has_no_more_fresh_mail_at_hand_than_its_sessions_claim_beforehand(
    sender: Sender, there: Sink
) -> None:
    there.pause = 0.01
    await sender.start(there.endpoint.port, connections_per_destination=1)
    assert sender.outbound is not None
    for number in range(40):
        await sender.store.put(f"u{number}@there.test")
        _, site = await sender.outbound.site(DueLane("there.test", "09:example.test"))
        assert site is not None
        assert site.backlog.claimed <= 2 * AHEAD  # handed over and claimed
    await there.wait(40, 20)


def _smarthost(sink: Sink) -> str:
    return f"smtp://127.0.0.1:{sink.endpoint.port}"


async def test_what_waits_when_a_smarthost_comes_or_goes_is_sent_the_other_way(
    sender: Sender, there: Sink
) -> None:
    there.pause = 0.05
    queued = [await sender.store.put(f"u{number}@there.test") for number in range(30)]
    await sender.start(there.endpoint.port, connections_per_destination=1)
    await there.wait(3)  # others are claimed and wait for a session
    async with smtp_sink(Sink(pause=0.05)) as other:
        sender.reload(smarthost=_smarthost(other), connections_per_destination=1)
        await other.wait(3, 20)
        sender.reload(port=there.endpoint.port, connections_per_destination=1)
        before = len(there.received)
        await there.wait(before + 3, 20)
        for queue in queued:
            await sender.until_gone(queue)
        assert len(there.received) + len(other.received) == len(queued)
    await sender.until_idle()


async def test_one_message_to_many_domains_is_sent_when_the_smarthost_goes(
    sender: Sender, there: Sink
) -> None:
    for number in range(3):
        sender.dns.set(f"d{number}.test", "MX", f"10 mx{number}.test.")
        sender.dns.set(f"mx{number}.test", "A", f"127.0.0.{1 + number}")
    async with (
        smtp_sink(Sink(), "127.0.0.2", there.endpoint.port) as second,
        smtp_sink(Sink(), "127.0.0.3", there.endpoint.port) as third,
        smtp_sink(Sink(stall_at="RCPT")) as held_up,
    ):
        await sender.start(smarthost=_smarthost(held_up), connections_per_destination=1)
        first = await sender.store.put("a@there.test")
        rest = [await sender.store.put("u@d0.test", "u@d1.test", "u@d2.test") for _ in range(5)]
        sender.reload(port=there.endpoint.port)
        for queue in rest:
            await sender.until_gone(queue)
        for number, sink in enumerate((there, second, third)):
            got = {to for one in sink.received for to in one.recipients}
            assert got <= {f"u@d{number}.test", "a@there.test"}
        await sender.until_tried(first)


async def test_the_next_message_goes_to_another_smarthost_while_mail_flows(
    sender: Sender, there: Sink
) -> None:
    there.pause = 0.02
    for number in range(60):
        await sender.store.put(f"u{number}@there.test")
    await sender.start(smarthost=_smarthost(there), connections_per_destination=1)
    await there.wait(3)
    async with smtp_sink(Sink()) as other:
        sender.reload(smarthost=_smarthost(other), connections_per_destination=1)
        await other.wait(40, 20)
    assert len(there.received) + len(other.received) <= 60
