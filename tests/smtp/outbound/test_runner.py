"""Whole deliveries: queue, DNS, client and record, against real sockets."""

import asyncio
from collections.abc import Sequence

import pytest

from smtp.outbound.hop import Timeouts
from storage.errors import StoreUnavailable
from storage.queue_batch import Wanted
from storage.queue_values import LEASE, Claim
from storage.values import QueuedRecipient
from tests.smtp.outbound.conftest import Sender
from tests.support.queue_harness import claim_one
from tests.support.silent import silent
from tests.support.smtp_sink import Sink, smtp_sink

MESSAGE = b"Subject: dots\r\n\r\n.one\r\n..two\r\nend\r\n.\r\n"


async def test_message_arrives_byte_for_byte_and_leaves_the_queue(
    sender: Sender, there: Sink
) -> None:
    queue = await sender.store.put("bob@there.test", data=MESSAGE)
    await sender.start(there.endpoint.port)
    await there.wait()
    await sender.until_gone(queue)
    got = there.received[0]
    assert (got.sender, got.recipients, got.data) == (
        "me@example.test",
        ["bob@there.test"],
        MESSAGE,
    )
    assert there.commands[0] == "EHLO mx.example.test"
    assert sender.notices.taken == []
    await sender.until_empty()


async def test_queued_while_running_goes_at_once(sender: Sender, there: Sink) -> None:
    await sender.start(there.endpoint.port)
    await sender.store.put("bob@there.test")
    await there.wait(1, 2)


async def test_several_recipients_of_a_domain_are_one_transaction(
    sender: Sender, there: Sink
) -> None:
    await sender.store.put("a@there.test", "b@there.test", "c@there.test")
    await sender.start(there.endpoint.port)
    await there.wait()
    assert there.received[0].recipients == ["a@there.test", "b@there.test", "c@there.test"]
    assert there.pipelined


async def test_connection_is_used_again(sender: Sender, there: Sink) -> None:
    for n in range(20):
        await sender.store.put(f"u{n}@there.test")
    await sender.start(there.endpoint.port)
    await there.wait(20)
    assert there.sessions <= 4


async def test_connection_that_died_between_messages_is_made_anew(
    sender: Sender, there: Sink
) -> None:
    there.final = "421 4.3.2 going down"
    queue = await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_tried(queue)
    there.final = "250 2.0.0 ok"
    sender.advance(100)
    await sender.until_gone(queue)


async def test_refused_recipient_bounces_and_the_other_is_delivered(
    sender: Sender, there: Sink
) -> None:
    there.refuse["nobody@there.test"] = "550-5.1.1 no such\r\n550 5.1.1 user"
    queue = await sender.store.put("nobody@there.test", "bob@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert there.received[0].recipients == ["bob@there.test"]
    recipient, notice = sender.notices.taken[0]
    assert recipient == "me@example.test"
    assert b"Action: failed" in notice
    assert b"Status: 5.1.1" in notice
    assert b"550 5.1.1 no such user" in notice
    assert b"nobody@there.test" in notice
    assert b"Final-Recipient: rfc822; bob@there.test" not in notice
    assert b"Subject: hello" in notice
    assert len(sender.notices.taken) == 1


async def test_deferred_recipient_waits_with_its_reply(sender: Sender, there: Sink) -> None:
    there.refuse["slow@there.test"] = "450 4.2.0 greylisted"
    queue = await sender.store.put("slow@there.test")
    await sender.start(there.endpoint.port)
    shown = await sender.until_tried(queue)
    recipient = shown.recipients[0]
    assert shown.state == recipient.state == "deferred"
    assert recipient.last_reply.endswith("450 4.2.0 greylisted")
    assert recipient.next_attempt is not None
    assert 48 <= recipient.next_attempt - sender.clock.at <= 72
    assert sender.notices.taken == []
    del there.refuse["slow@there.test"]
    sender.advance(72)
    await sender.until_gone(queue)
    assert len(there.received) == 1


async def test_deferred_together_is_tried_together(sender: Sender, there: Sink) -> None:
    there.refuse |= {f"u{n}@there.test": "450 4.2.0 later" for n in range(5)}
    queue = await sender.store.put(*there.refuse)
    await sender.start(there.endpoint.port)
    shown = await sender.until_tried(queue)
    assert len({recipient.next_attempt for recipient in shown.recipients}) == 1


async def test_life_exceeded_bounces_with_the_last_reply(sender: Sender, there: Sink) -> None:
    there.refuse["slow@there.test"] = "450 4.2.0 still greylisted"
    queue = await sender.store.put("slow@there.test")
    await sender.start(there.endpoint.port, life="1h", delay_notice_after="2h")
    await sender.until_tried(queue)
    sender.advance(3600)
    await sender.until_gone(queue)
    (_, notice), *others = sender.notices.taken
    assert others == []
    assert b"Action: failed" in notice
    assert b"Status: 4.4.7" in notice
    assert b"still greylisted" in notice


async def test_delay_is_told_once(sender: Sender, there: Sink) -> None:
    there.refuse["slow@there.test"] = "450 4.2.0 later"
    queue = await sender.store.put("slow@there.test")
    await sender.start(there.endpoint.port, delay_notice_after="10m")
    await sender.until_tried(queue)
    for attempt in (2, 3, 4):
        sender.advance(5000)
        await sender.until_tried(queue, attempt)
    assert len(sender.notices.taken) == 1
    notice = sender.notices.taken[0][1]
    assert b"Action: delayed" in notice
    assert b"Will-Retry-Until:" in notice


async def test_null_sender_never_gets_a_notice(sender: Sender, there: Sink) -> None:
    there.refuse["nobody@there.test"] = "550 5.1.1 no"
    queue = await sender.store.put("nobody@there.test", sender="")
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert sender.notices.taken == []
    assert "MAIL FROM:<>" in there.commands[-4] or any("FROM:<>" in c for c in there.commands)


@pytest.mark.parametrize(
    ("notify", "told"), [("", 1), ("FAILURE", 1), ("NEVER", 0), ("SUCCESS,DELAY", 0)]
)
async def test_notify_is_honoured(sender: Sender, there: Sink, notify: str, told: int) -> None:
    there.refuse["nobody@there.test"] = "550 5.1.1 no"
    queue = await sender.store.put(QueuedRecipient("nobody@there.test", notify))
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert len(sender.notices.taken) == told


async def test_success_is_relayed_to_a_server_without_dsn(sender: Sender, there: Sink) -> None:
    there.extensions = ()
    queue = await sender.store.put(QueuedRecipient("bob@there.test", "SUCCESS"))
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert b"Action: relayed" in sender.notices.taken[0][1]


async def test_dsn_wishes_go_to_a_server_that_offers_it(sender: Sender, there: Sink) -> None:
    client = QueuedRecipient("bob@there.test", "SUCCESS,FAILURE", "rfc822;Bob+2Bx@there.test")
    alias = QueuedRecipient("ann@there.test", "", "rfc822;Ann+x@there.test")
    queue = await sender.store.put(client, alias, envid="env id", ret="HDRS")
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    got = there.received[0]
    assert "RET=HDRS" in got.mail
    assert "ENVID=env+20id" in got.mail
    assert "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+2Bx@there.test" in got.rcpt[0]
    assert got.rcpt[1].endswith(" ORCPT=rfc822;Ann+2Bx@there.test")
    assert sender.notices.taken == []


async def test_report_names_the_original_recipient(sender: Sender, there: Sink) -> None:
    there.refuse["no@there.test"] = "550 5.1.1 no"
    queue = await sender.store.put(QueuedRecipient("no@there.test", "", "rfc822;a+2Bb@x.test"))
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert b"Original-Recipient: rfc822; a+b@x.test" in sender.notices.taken[0][1]


async def test_reply_lost_after_the_data_is_tried_again(sender: Sender, there: Sink) -> None:
    there.drop_after_data = 1
    queue = await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    shown = await sender.until_tried(queue)
    assert len(there.received) == 1
    assert "closed the connection" in shown.recipients[0].last_reply
    sender.advance(100)
    await sender.until_gone(queue)
    # SMTP can't tell that the first copy was taken: RFC 1047.
    assert len(there.received) == 2


async def test_connection_lost_before_the_data_goes_to_the_next_host(
    sender: Sender, there: Sink
) -> None:
    async with smtp_sink(Sink(), "127.0.0.2", there.endpoint.port) as second:
        sender.dns.mail_domain(
            "two.test", (10, "a.two.test", "127.0.0.1"), (20, "b.two.test", "127.0.0.2")
        )
        there.drop_after_rcpt = 1
        queue = await sender.store.put("bob@two.test")
        await sender.start(there.endpoint.port)
        await sender.until_gone(queue)
        assert (len(there.received), len(second.received)) == (0, 1)


async def test_host_that_refuses_connections_is_passed_over(sender: Sender, there: Sink) -> None:
    sender.dns.mail_domain(
        "two.test", (5, "dead.two.test", "127.0.0.7"), (10, "live.two.test", "127.0.0.1")
    )
    await sender.store.put("bob@two.test")
    await sender.start(there.endpoint.port)
    await there.wait()


async def test_ipv6_address_is_used(sender: Sender) -> None:
    async with smtp_sink(Sink(), "::1") as six:
        sender.dns.set("six.test", "MX", "10 mx.six.test.")
        sender.dns.set("mx.six.test", "AAAA", "::1")
        await sender.store.put("bob@six.test")
        await sender.start(six.endpoint.port)
        await six.wait()


async def test_silent_address_of_a_host_costs_a_moment(sender: Sender, there: Sink) -> None:
    sender.timeouts = Timeouts(connect=30)
    with silent("::1", there.endpoint.port):
        sender.dns.set("both.test", "MX", "10 mx.both.test.")
        sender.dns.set("mx.both.test", "AAAA", "::1")
        sender.dns.set("mx.both.test", "A", "127.0.0.1")
        await sender.store.put("bob@both.test")
        await sender.start(there.endpoint.port)
        await there.wait(1, 8)


async def test_address_literal_needs_no_dns(sender: Sender, sink: Sink) -> None:
    await sender.store.put("bob@[127.0.0.1]")
    await sender.start(sink.endpoint.port)
    await sink.wait()
    assert sender.dns.asked == []


async def test_null_mx_and_absent_domain_bounce(sender: Sender, sink: Sink) -> None:
    sender.dns.set("nomail.test", "MX", "0 .")
    queue = await sender.store.put("a@nomail.test", "b@absent.test")
    await sender.start(sink.endpoint.port)
    await sender.until_gone(queue)
    notices = b"".join(notice for _, notice in sender.notices.taken)
    assert b"Status: 5.1.10" in notices
    assert b"Status: 5.1.2" in notices


async def test_dns_failure_is_temporary(sender: Sender, sink: Sink) -> None:
    sender.dns.failing.add("broken.test")
    queue = await sender.store.put("a@broken.test")
    await sender.start(sink.endpoint.port)
    shown = await sender.until_tried(queue)
    assert shown.state == "deferred"


async def test_unreachable_destination_is_tried_once_for_all_that_is_due(
    sender: Sender, there: Sink
) -> None:
    there.greeting = "421 4.3.2 too busy"
    queued = [await sender.store.put(f"u{n}@there.test") for n in range(30)]
    await sender.start(there.endpoint.port)
    for queue in queued:
        shown = await sender.until_tried(queue)
        assert "421 4.3.2 too busy" in shown.recipients[0].last_reply
    assert there.sessions <= 4


async def test_slow_destination_does_not_delay_another(sender: Sender, there: Sink) -> None:
    async with smtp_sink(Sink(drip=0.02), "127.0.0.2", there.endpoint.port):
        sender.dns.mail_domain("slow.test", (10, "mx.slow.test", "127.0.0.2"))
        slow = [await sender.store.put(f"u{n}@slow.test") for n in range(20)]
        await sender.store.put("bob@there.test")
        await sender.start(there.endpoint.port)
        await there.wait(1, 2)
        assert await sender.store.queue.show(slow[0]) is not None


async def test_silent_peer_is_left_in_time(sender: Sender, there: Sink) -> None:
    there.drip = 5
    sender.timeouts = Timeouts(connect=1, greeting=0.1)
    queue = await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    shown = await sender.until_tried(queue)
    assert "did not answer in time" in shown.recipients[0].last_reply


async def test_stop_in_the_middle_gives_the_message_back(sender: Sender, there: Sink) -> None:
    there.drip = 0.5
    queue = await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await there.connected.wait()
    assert sender.outbound is not None
    await sender.outbound.stop()
    claim = await claim_one(sender.store.queue)
    assert claim is not None
    assert claim.queue == queue
    assert claim.recipients[0].attempts == 0


async def test_claim_of_a_killed_process_is_taken_after_its_lease(
    sender: Sender, there: Sink
) -> None:
    queue = await sender.store.put("bob@there.test")
    assert await claim_one(sender.store.queue) is not None
    other = await sender.store.put("ann@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_gone(other)
    assert [one.recipients for one in there.received] == [["ann@there.test"]]
    sender.advance(LEASE + 1)
    await sender.until_gone(queue)


async def test_result_is_recorded_although_the_store_was_away(
    sender: Sender, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smtp.outbound.settle.RECORD_RETRY", (0.01,) * 5)
    real = sender.store.queue.record
    failures = [StoreUnavailable("away")] * 3

    async def record(*args: object) -> object:
        if failures:
            raise failures.pop()
        return await real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sender.store.queue, "record", record)
    queue = await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert len(there.received) == 1


async def test_bounce_that_can_not_be_stored_is_made_later(sender: Sender, there: Sink) -> None:
    there.refuse["nobody@there.test"] = "550 5.1.1 no"
    sender.notices.failing.append(StoreUnavailable("away"))
    queue = await sender.store.put("nobody@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_tried(queue)
    assert sender.notices.taken == []
    sender.advance(301)
    await sender.until_gone(queue)
    assert len(sender.notices.taken) == 1


async def test_missing_file_is_a_bounce_not_a_loop(sender: Sender, there: Sink) -> None:
    queue = await sender.store.put("bob@there.test")
    for path in sender.store.folder.iterdir():
        path.unlink()
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert b"Status: 5.3.0" in sender.notices.taken[0][1]


async def test_smarthost_gets_all_domains_in_one_transaction(sender: Sender, sink: Sink) -> None:
    sink.login = ("user", "pass")
    queue = await sender.store.put("a@one.test", "b@two.test")
    smarthost = f"smtp://user:pass@127.0.0.1:{sink.endpoint.port}"
    await sender.start(smarthost=smarthost)
    await sender.until_gone(queue)
    assert sink.received[0].recipients == ["a@one.test", "b@two.test"]
    assert any(command.startswith("AUTH PLAIN") for command in sink.commands)
    assert sender.dns.asked == []


async def test_wrong_smarthost_password_keeps_all_mail(sender: Sender, sink: Sink) -> None:
    sink.login = ("user", "pass")
    queued = [await sender.store.put(f"u{n}@one.test") for n in range(3)]
    await sender.start(smarthost=f"smtp://user:wrong@127.0.0.1:{sink.endpoint.port}")
    for queue in queued:
        shown = await sender.until_tried(queue)
        assert "535 5.7.8 wrong" in shown.recipients[0].last_reply
    assert sender.notices.taken == []


async def test_lost_reply_is_not_taken_to_the_next_host_at_once(
    sender: Sender, there: Sink
) -> None:
    async with smtp_sink(Sink(), "127.0.0.2", there.endpoint.port) as second:
        sender.dns.mail_domain(
            "two.test", (10, "a.two.test", "127.0.0.1"), (20, "b.two.test", "127.0.0.2")
        )
        there.drop_after_data = 1
        queue = await sender.store.put("bob@two.test")
        await sender.start(there.endpoint.port)
        await sender.until_tried(queue)
        assert (len(there.received), second.sessions) == (1, 0)


async def test_host_that_is_busy_outweighs_one_that_takes_no_mail(
    sender: Sender, there: Sink
) -> None:
    async with smtp_sink(Sink(greeting="521 no mail"), "127.0.0.2", there.endpoint.port) as second:
        sender.dns.mail_domain(
            "two.test", (10, "a.two.test", "127.0.0.1"), (20, "b.two.test", "127.0.0.2")
        )
        there.greeting = "421 4.3.2 busy"
        queue = await sender.store.put("bob@two.test")
        await sender.start(there.endpoint.port)
        shown = await sender.until_tried(queue)
        assert second.sessions == 1
        assert "421 4.3.2 busy" in shown.recipients[0].last_reply


async def test_message_queued_while_the_last_claim_is_made_is_not_forgotten(
    sender: Sender, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sender.store.queue.claim
    late = ["bob@there.test"]

    async def claim(wanted: Sequence[Wanted]) -> list[list[Claim]]:
        found = await real(wanted)
        if late:
            await sender.store.put(late.pop())
            await asyncio.sleep(0.05)
        return found

    monkeypatch.setattr(sender.store.queue, "claim", claim)
    await sender.store.put("anna@there.test")
    await sender.start(there.endpoint.port)
    await there.wait(2, 3)
