"""Operations on the queue, with a real store and directory beneath."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mailserver.operations.errors import OperationError
from mailserver.operations.registry import perform
from mailserver.services import Services
from storage.queue_values import Result, State
from storage.values import Content, Delivery, QueuedRecipient, QueueId
from tests.support.directories import PASSWORD
from tests.support.queue_harness import claim_one
from tests.support.services import open_test_services

DATA = b"Subject: outward\r\n\r\nhello\r\n"
ADA = "ada@example.test"


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_test_services(tmp_path) as opened:
        yield opened


async def run(services: Services, operation: str, **args: Any) -> Any:
    return await perform(services, operation, args, lambda *_: None)


async def put(services: Services, *recipients: str) -> str:
    """Queues one message and returns its id."""
    delivered = await services.store.deliver(
        Delivery(
            content=Content(len(DATA), b"0" * 16, data=DATA),
            sender=ADA,
            received_at=1_767_225_600.0,
            trace="t1",
            queued=[QueuedRecipient(address) for address in recipients],
        )
    )
    assert delivered.queue_id is not None
    return str(delivered.queue_id)


async def test_list_and_show_have_the_documented_shape(services: Services) -> None:
    assert await run(services, "queue.list") == []
    queue = await put(services, "a@one.test", "b@two.test")
    shown = await run(services, "queue.show", id=queue)
    due = shown["recipients"][0]["next_attempt"]
    assert abs(datetime.fromisoformat(due).timestamp() - time.time()) < 60
    expected = {
        "id": queue,
        "sender": ADA,
        "state": "queued",
        "size": len(DATA),
        "queued_at": "2026-01-01T00:00:00Z",
        "hold_until": None,
        "deliver_by": None,
        "priority": 0,
        "require_tls": False,
        "recipients": [
            {
                "address": address,
                "state": "queued",
                "attempts": 0,
                "next_attempt": due,
                "last_reply": "",
                "hold": None,
            }
            for address in ("a@one.test", "b@two.test")
        ],
    }
    assert await run(services, "queue.list") == [expected]
    assert shown == expected


async def test_hold_release_and_retry_of_one_and_of_all(services: Services) -> None:
    first, second = await put(services, "a@one.test"), await put(services, "b@two.test")
    assert await run(services, "queue.hold", id=first) == {"messages": 1}
    assert (await run(services, "queue.show", id=first))["state"] == "held"
    shown = (await run(services, "queue.show", id=first))["recipients"][0]
    assert (shown["state"], shown["next_attempt"]) == ("held", None)
    assert await run(services, "queue.hold", id=None) == {"messages": 1}
    assert await run(services, "queue.release") == {"messages": 2}
    assert {entry["state"] for entry in await run(services, "queue.list")} == {"queued"}
    assert await run(services, "queue.retry", id=second) == {"messages": 1}


@pytest.mark.parametrize("operation", ["show", "retry", "hold", "release", "bounce"])
@pytest.mark.parametrize("text", ["12345", "x1", "-1", "9" * 30])
async def test_unknown_ids_are_errors(services: Services, operation: str, text: str) -> None:
    with pytest.raises(OperationError, match="queue list"):
        await run(services, f"queue.{operation}", id=text)


async def test_bounce_tells_the_sender_in_the_inbox(services: Services) -> None:
    await run(services, "account.add", address=ADA, password=PASSWORD)
    account = await services.directory.account(ADA)
    assert account is not None
    queue = await put(services, "a@one.test")
    claim = await claim_one(services.store.queue)
    assert claim is not None
    with pytest.raises(OperationError, match="being sent"):
        await run(services, "queue.bounce", id=queue)
    later = Result(State.WAITING, "450 4.2.0 greylisted", claim.queued_at + 999)
    await services.store.queue.record(claim, {0: later})
    assert await run(services, "queue.bounce", id=queue) == {"messages": 1}
    assert await run(services, "queue.list") == []
    inbox = await services.store.mailbox(account.id, "INBOX")
    (row,) = [
        row async for piece in services.store.rows(account.id, inbox.id, [1]) for row in piece
    ]
    notice = await services.store.read_body(account.id, row.blob, inbox.id, row.uid)
    assert b"Action: failed" in notice
    assert b"450 4.2.0 greylisted" in notice


async def put_later(services: Services, seconds: float, owner: str = "") -> str:
    """Queues one message that waits; `owner` is the account that submitted it."""
    account = await services.directory.account(owner) if owner else None
    now = services.clock.now()
    delivered = await services.store.deliver(
        Delivery(
            content=Content(len(DATA), b"0" * 16, data=DATA),
            sender=ADA,
            received_at=now,
            trace="abc123",
            queued=[QueuedRecipient("a@one.test"), QueuedRecipient("b@two.test")],
            hold_until=now + seconds,
            account=account.id if account is not None else None,
        )
    )
    assert delivered.queue_id is not None
    return str(delivered.queue_id)


async def test_what_waits_for_its_time_can_be_taken_back(services: Services) -> None:
    for address in (ADA, "eve@example.test"):
        await run(services, "account.add", address=address, password=PASSWORD)
    for named in ("queue id", "id of the reply"):
        queue = await put_later(services, 60.0, ADA)
        wanted = queue if named == "queue id" else "abc123"
        with pytest.raises(OperationError, match="not in the queue"):
            await run(services, "queue.cancel", id=wanted, account="eve@example.test")
        gone = await run(services, "queue.cancel", id=wanted, account=ADA)
        assert gone == {"messages": 1, "recipients": 2}
        assert await run(services, "queue.list") == []
        with pytest.raises(OperationError, match="not in the queue"):
            await run(services, "queue.cancel", id=wanted, account=ADA)


async def test_what_does_not_wait_is_not_taken_back(services: Services) -> None:
    queue = await put(services, "a@one.test")
    with pytest.raises(OperationError, match="does not wait"):
        await run(services, "queue.cancel", id=queue)
    over = await put_later(services, -1.0)
    with pytest.raises(OperationError, match="does not wait"):
        await run(services, "queue.cancel", id=over)
    later = await put_later(services, 60.0)
    claim = await services.store.queue.claim_message(claim_id(later))
    assert claim is not None
    with pytest.raises(OperationError, match="being sent"):
        await run(services, "queue.cancel", id=later)
    assert len(await run(services, "queue.list")) == 3


def claim_id(text: str) -> QueueId:
    return QueueId(int(text))


async def test_why_names_replies_and_what_is_known_of_destinations(services: Services) -> None:
    queue = await put(services, "a@[192.0.2.1]", "b@[192.0.2.1]")
    why = await run(services, "queue.why", id=queue)
    shown = await run(services, "queue.show", id=queue)
    (there,) = why.pop("destinations")
    assert [recipient.pop("suppressed") for recipient in why["recipients"]] == [None, None]
    assert why == shown
    assert (there["domain"], there["recipients"]) == ("[192.0.2.1]", 2)
    assert (there["sessions"], there["not_before"], there["hosts"]) == (None, None, [])
    with pytest.raises(OperationError, match="queue list"):
        await run(services, "queue.why", id="1")
