"""The sender beside a store that is slow: what is written while it asks is told all the same."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from config.logging import get_logger
from filters.webhooks.sender import WebhookSender
from storage.values import AccountId
from storage.webhook_values import State, Told, Webhook, WebhookEvent
from tests.support.queue_harness import ManualClock

ADA = AccountId(1)
HOOK = Webhook(
    7, ADA, "https://hooks.test/x", (WebhookEvent.DELIVERED,), b"s" * 32, 0, 0, None, "", 0
)
EVENT = Told(1, 7, WebhookEvent.DELIVERED, "k", "{}", 0, State.WAITING, 0, None, "")


class Slow:
    """Webhooks whose first answer to `next` was made before an event was written."""

    def __init__(self) -> None:
        self.waiting: list[Told] = []
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.changed: Any = None

    async def accounts(self) -> list[AccountId]:
        return [ADA]

    async def of(self, account: AccountId) -> list[Webhook]:
        return [HOOK]

    async def next(self, number: int) -> Told | None:
        found = self.waiting[0] if self.waiting else None
        if not self.asked.is_set():
            self.asked.set()
            await self.answer.wait()
        return found

    async def told(self, one: Told, state: State, answer: str) -> None:
        self.waiting.remove(one)


class Receiver:
    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def post(self, *_: Any, **__: Any) -> Any:
        self.asked.set()
        return SimpleNamespace(status=200)


async def test_what_is_written_while_it_asks_is_told() -> None:
    webhooks, receiver = Slow(), Receiver()
    owner = SimpleNamespace(address="ada@example.test", enabled=True)

    async def account_by_id(_: AccountId) -> Any:
        return owner

    directory = SimpleNamespace(webhooks=webhooks, account_by_id=account_by_id)
    bus = SimpleNamespace(subscribe=lambda *_: lambda: None)
    parts = (directory, bus, None, receiver, ManualClock(), get_logger("test"))
    sender = WebhookSender(*cast(Any, parts))
    await sender.start()
    try:
        async with asyncio.timeout(5):
            await webhooks.asked.wait()
            webhooks.waiting.append(EVENT)
            looked = asyncio.Event()
            webhooks.of = _then(webhooks.of, looked)  # type: ignore[method-assign]
            webhooks.changed(ADA)
            await looked.wait()
            await asyncio.sleep(0)
            webhooks.answer.set()
            await receiver.asked.wait()
    finally:
        await sender.stop()


def _then(work: Any, done: asyncio.Event) -> Any:
    async def call(*arguments: Any) -> Any:
        found = await work(*arguments)
        done.set()
        return found

    return call
