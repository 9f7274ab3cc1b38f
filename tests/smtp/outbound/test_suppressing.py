"""Whom nothing is sent to any more: told at once, and learnt from what mail hosts say."""

import email
import email.policy

import pytest

from storage.suppressions import Origin, Suppressions
from tests.smtp.outbound.conftest import Sender
from tests.support.smtp_sink import Sink

HOUR, DAY = 3600.0, 86_400.0
NOBODY = "550 5.1.1 no such user"


def rcpts(sink: Sink) -> list[str]:
    return [line for line in sink.commands if line.startswith("RCPT")]


async def test_a_suppressed_recipient_fails_at_once_and_the_other_is_served(
    sender: Sender, there: Sink, suppressions: Suppressions
) -> None:
    await suppressions.add("Gone@there.test", reason="asked us to stop.")
    queue = await sender.store.put("gone@THERE.test", "bob@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert [one.recipients for one in there.received] == [["bob@there.test"]]
    assert not any("gone" in line.lower() for line in there.commands)
    ((to, notice),) = sender.notices.taken
    assert to == "me@example.test"
    report = email.message_from_bytes(notice, policy=email.policy.default)
    text, status, _ = report.iter_parts()
    assert "This server does not send to the address." in text.get_content()
    _, fields = status.iter_parts()
    assert fields["Final-Recipient"] == "rfc822; gone@THERE.test"
    assert (fields["Action"], fields["Status"]) == ("failed", "5.7.1")
    assert fields["Diagnostic-Code"] == (
        "x-local; on the suppression list of this server: asked us to stop; an administrator lifts "
        "that with: mailserver queue suppress delete Gone@there.test"
    )


async def test_a_suppressed_domain_is_not_even_looked_up(
    sender: Sender, suppressions: Suppressions
) -> None:
    await suppressions.add("@There.Test")
    queue = await sender.store.put("a@there.test", "b@there.test", sender="")
    await sender.start()
    await sender.until_gone(queue)
    assert sender.dns.asked == []
    assert sender.notices.taken == []  # the null sender is told nothing


async def test_what_waits_for_a_dead_host_is_answered_at_once_too(
    sender: Sender, sink: Sink, suppressions: Suppressions
) -> None:
    sender.dns.mail_domain("there.test", (10, "mx.there.test", "127.0.0.1"))
    await sink.close()
    await sender.start(sink.endpoint.port)
    waiting = await sender.store.put("bob@there.test")
    await sender.until_tried(waiting)
    await suppressions.add("gone@there.test")
    queue = await sender.store.put("gone@there.test")
    other = await sender.store.put("eve@there.test")
    await sender.until_gone(queue)
    await sender.until_tried(other)
    assert len(sender.notices.taken) == 1


async def test_an_entry_that_is_over_stops_nothing(
    sender: Sender, there: Sink, suppressions: Suppressions
) -> None:
    await suppressions.add("bob@there.test", until=sender.clock.at + HOUR)
    sender.clock.at += HOUR
    queue = await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert len(there.received) == 1


async def fail(sender: Sender, sink: Sink, times: int, apart: float, me: str = "me@a.test") -> None:
    """So many messages to gone@there.test, each followed by a pause."""
    for _ in range(times):
        queue = await sender.store.put("gone@there.test", sender=me)
        if sender.outbound is None:
            await sender.start(sink.endpoint.port)
        await sender.until_gone(queue)
        await sender.until_idle()
        sender.advance(apart)


@pytest.mark.parametrize("reply", [NOBODY, "550 mailbox unavailable"])
async def test_who_is_unknown_three_times_is_suppressed(
    sender: Sender, there: Sink, suppressions: Suppressions, reply: str
) -> None:
    there.refuse["gone@there.test"] = reply
    await fail(sender, there, 2, HOUR)
    assert suppressions.listed() == []
    await fail(sender, there, 1, HOUR)
    (entry,) = suppressions.listed()
    assert (entry.address, entry.origin) == ("gone@there.test", Origin.AUTOMATIC)
    assert entry.until == sender.clock.at - HOUR + 90 * DAY
    assert entry.reason.endswith(reply)
    assert len(rcpts(there)) == 3
    await fail(sender, there, 1, HOUR)
    assert len(rcpts(there)) == 3
    assert b"Status: 5.1.1" in sender.notices.taken[-1][1]
    assert b"queue suppress delete" in sender.notices.taken[-1][1]
    await suppressions.delete("gone@there.test")
    await fail(sender, there, 2, HOUR)
    assert len(rcpts(there)) == 5 and suppressions.listed() == []


async def test_a_null_mx_counts(sender: Sender, sink: Sink, suppressions: Suppressions) -> None:
    sender.dns.set("there.test", "MX", "0 .")
    await fail(sender, sink, 3, HOUR)
    assert "556 5.1.10 there.test accepts no mail" in suppressions.listed()[0].reason


@pytest.mark.parametrize("reply", ["550 5.7.1 not from you", "550 5.2.1 off", "554 no"])
async def test_other_refusals_do_not_count(
    sender: Sender, there: Sink, suppressions: Suppressions, reply: str
) -> None:
    there.refuse["gone@there.test"] = reply
    await fail(sender, there, 3, HOUR)
    assert suppressions.listed() == [] and sender.notices.taken


async def test_what_does_not_add_up(
    sender: Sender, there: Sink, suppressions: Suppressions
) -> None:
    there.refuse["gone@there.test"] = NOBODY
    await fail(sender, there, 3, HOUR, me="")  # anybody may have written to us as them
    await fail(sender, there, 4, 60.0)  # one outage of the host's directory
    await fail(sender, there, 3, 4 * DAY)  # weeks
    assert suppressions.listed() == []
    del there.refuse["gone@there.test"]
    await fail(sender, there, 1, HOUR)  # it is there after all
    there.refuse["gone@there.test"] = NOBODY
    await fail(sender, there, 2, HOUR)
    assert suppressions.listed() == []


async def test_a_smarthost_has_to_be_plain_and_none_is_learnt_when_switched_off(
    sender: Sender, sink: Sink, suppressions: Suppressions
) -> None:
    sink.refuse["gone@there.test"] = "550 relaying denied"
    await sender.start(smarthost=f"smtp://{sink.endpoint}")
    await fail(sender, sink, 3, HOUR)
    assert suppressions.listed() == []
    sink.refuse["gone@there.test"] = NOBODY
    sender.settings["suppression"] = {"after": 0}
    sender.reload(smarthost=f"smtp://{sink.endpoint}")
    await fail(sender, sink, 3, HOUR)
    assert suppressions.listed() == []
    sender.settings["suppression"] = {"after": 1, "keep": "0s"}
    sender.reload(smarthost=f"smtp://{sink.endpoint}")
    await fail(sender, sink, 1, HOUR)
    assert suppressions.listed()[0].until is None
