"""A peer's LIMITS (RFC 9422): no transaction and no session goes beyond them."""

import pytest

from smtp.outbound.limits import Limits, parse_limits
from storage.queue_values import ClaimedRecipient
from tests.smtp.outbound.conftest import Sender
from tests.support.smtp_sink import EXTENSIONS, Sink

FIVE = [f"u{number}@there.test" for number in range(5)]


async def test_recipients_go_in_transactions_of_that_size(sender: Sender, there: Sink) -> None:
    there.extensions = (*EXTENSIONS, "LIMITS RCPTMAX=2")
    there.refuse[FIVE[3]] = "550 5.1.1 no"
    queue = await sender.store.put(*FIVE)
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert [one.recipients for one in there.received] == [FIVE[:2], FIVE[2:3], FIVE[4:]]
    assert there.sessions == 1
    ((_, notice),) = sender.notices.taken
    assert notice.count(b"Final-Recipient:") == 1


async def test_a_session_ends_after_so_many_messages(sender: Sender, there: Sink) -> None:
    there.extensions = (*EXTENSIONS, "LIMITS MAILMAX=1 RCPTMAX=3")
    queue = await sender.store.put(*FIVE)
    await sender.start(there.endpoint.port)
    await sender.until(lambda shown: shown is not None and len(there.received) == 1, queue)
    await sender.until_idle()
    sender.advance(100)
    await sender.until_gone(queue)
    assert [one.recipients for one in there.received] == [FIVE[:3], FIVE[3:]]
    assert {one.session for one in there.received} == {1, 2}


@pytest.mark.parametrize(
    ("announced", "limits"),
    [
        ("", Limits()),
        ("RCPTMAX=100", Limits(100)),
        ("rcptmax=100 MAILMAX=5 RCPTDOMAINMAX=1 FOO=3", Limits(100, 1, 5)),
        ("RCPTMAX=0 MAILMAX=x RCPTDOMAINMAX=-1 RCPTMAX", Limits()),
        ("RCPTMAX=99999999999", Limits()),
    ],
)
def test_what_is_announced(announced: str, limits: Limits) -> None:
    assert parse_limits(announced) == limits


def test_domains_of_a_transaction() -> None:
    found = [
        ClaimedRecipient(n, f"a@{domain}", domain, "", "", 0, False, "")
        for n, domain in enumerate(["a.test", "a.test", "b.test", "c.test", "b.test"])
    ]
    portions = [[one.domain for one in some] for some in Limits(0, 2).portions(found)]
    assert portions == [["a.test", "a.test", "b.test"], ["c.test", "b.test"]]
    assert [len(some) for some in Limits(1).portions(found)] == [1] * 5
    assert list(Limits().portions(found)) == [found]
    assert list(Limits(3).portions([])) == []
