"""Time limits (RFC 2852) and priorities (RFC 6710) on the way out: what the peer hears, what the
sender hears, and when a message is given up.
"""

from typing import Any

import pytest

from smtp.outbound import deadline
from storage.values import DeliverBy, QueuedRecipient
from tests.smtp.outbound.conftest import Sender
from tests.support.smtp_sink import EXTENSIONS, Sink

BOB = "bob@there.test"
TIMED = (*EXTENSIONS, "DELIVERBY 60", "MT-PRIORITY")


def by(sender: Sender, seconds: float, mode: str, *, trace: bool = False) -> DeliverBy:
    return DeliverBy(sender.clock.at + seconds, mode, trace)


async def sent(sender: Sender, sink: Sink, notify: str = "", **put: Any) -> bytes:
    """Sends one message until it is gone; all notices."""
    queue = await sender.store.put(QueuedRecipient(BOB, notify), **put)
    await sender.start(sink.endpoint.port)
    await sender.until_gone(queue)
    return b"".join(notice for _, notice in sender.notices.taken)


async def test_the_peer_hears_what_is_left(sender: Sender, there: Sink) -> None:
    there.extensions = TIMED
    limit = by(sender, 600, "R", trace=False)
    sender.clock.at += 100
    assert await sent(sender, there, deliver_by=limit, priority=-3) == b""
    assert there.received[0].mail.endswith(" BY=500;R MT-PRIORITY=-3")


async def test_a_late_message_of_mode_n_goes_with_its_delay(sender: Sender, there: Sink) -> None:
    there.extensions = TIMED
    assert await sent(sender, there, deliver_by=by(sender, -30, "N")) == b""
    assert there.received[0].mail.endswith(" BY=-30;N")


@pytest.mark.parametrize("notify", ["", "SUCCESS,FAILURE", "FAILURE", "NEVER"])
async def test_trace_tells_of_the_relay(sender: Sender, there: Sink, notify: str) -> None:
    there.extensions = TIMED
    notice = await sent(sender, there, notify, deliver_by=by(sender, 600, "N", trace=True))
    assert (b"Action: relayed" in notice) == (notify != "NEVER")
    assert (b"Deliver-By-Date: " in notice) == (notify != "NEVER")
    assert there.received[0].mail.endswith(" BY=600;NT")


async def test_a_peer_without_time_limits(sender: Sender, there: Sink) -> None:
    """In mode N the sender hears that the limit was left behind; a priority is just not told."""
    notice = await sent(sender, there, deliver_by=by(sender, 600, "N"), priority=4)
    assert b"Action: relayed" in notice
    assert " BY=" not in there.received[0].mail and "PRIORITY" not in there.received[0].mail


@pytest.mark.parametrize("extensions", [EXTENSIONS, TIMED])
async def test_mode_r_goes_only_where_the_limit_is_kept(
    sender: Sender, there: Sink, extensions: tuple[str, ...]
) -> None:
    there.extensions = extensions
    notice = await sent(sender, there, deliver_by=by(sender, 30, "R"))
    assert b"Action: failed" in notice and b"Status: 5.4.7" in notice
    assert not there.received


async def test_mode_r_ends_with_its_time(sender: Sender, there: Sink) -> None:
    there.extensions = TIMED
    there.refuse[BOB] = "450 4.2.0 later"
    queue = await sender.store.put(BOB, deliver_by=by(sender, 500, "R"))
    await sender.start(there.endpoint.port)
    await sender.until_tried(queue)
    await sender.until_idle()
    sender.advance(100)
    shown = await sender.until_tried(queue, 2)
    assert (shown.recipients[0].next_attempt or 0) <= sender.clock.at + 400
    await sender.until_idle()
    sender.advance(400)
    await sender.until_gone(queue)
    ((_, notice),) = sender.notices.taken
    assert b"Action: failed" in notice and b"Status: 5.4.7" in notice


async def test_mode_n_is_told_at_its_time_and_goes_on(sender: Sender, there: Sink) -> None:
    there.extensions = TIMED
    there.refuse[BOB] = "450 4.2.0 later"
    queue = await sender.store.put(QueuedRecipient(BOB, "FAILURE"), deliver_by=by(sender, 20, "N"))
    await sender.start(there.endpoint.port)
    shown = await sender.until_tried(queue)
    assert shown.recipients[0].next_attempt == sender.clock.at + 20
    await sender.until_idle()
    assert not sender.notices.taken
    sender.advance(20)
    await sender.until_tried(queue, 2)
    await sender.until_idle()
    ((_, notice),) = sender.notices.taken
    assert b"Action: delayed" in notice and b"Deliver-By-Date: " in notice
    there.refuse.clear()
    sender.advance(1000)
    await sender.until_gone(queue)
    assert len(sender.notices.taken) == 1


@pytest.mark.parametrize(
    ("left", "mode", "text"),
    [
        (10.9, "R", "BY=10;R"),
        (0.5, "R", "BY=1;R"),
        (-0.5, "N", "BY=-1;N"),
        (1e12, "N", "BY=999999999;N"),
    ],
)
def test_the_parameter(left: float, mode: str, text: str) -> None:
    assert deadline.parameter(DeliverBy(1000 + left, mode), 1000) == text
