"""What is pushed goes out once the database answers, too."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from auth.grant import FULL
from config.logging import get_logger
from storage.errors import StoreUnavailable
from storage.push_subscriptions import Owner, PushSubscription
from storage.type_states import StatePoint, TypeChanges
from storage.values import AccountId
from tests.support.queue_harness import ManualClock
from web.jmap.push import outgoing
from web.jmap.push.outgoing import PushSender

ADA = AccountId(1)


class Receiver:
    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.bodies: list[bytes] = []

    async def post(
        self, _host: str, _port: int, _path: str, body: bytes, *_: Any, **__: Any
    ) -> Any:
        self.bodies.append(body)
        self.told.set()
        return SimpleNamespace(status=201)


class Broken:
    """Secrets that cannot be read the first time."""

    def __init__(self) -> None:
        self.asked = 0

    async def get(self, _name: str) -> bytes:
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailable("not for the moment")
        return b"k" * 32


async def test_a_change_is_told_after_the_database_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outgoing, "WAITS", (0.0,))
    heard: list[Any] = []

    async def listen(_account: AccountId, listener: Any) -> StatePoint:
        heard.append(listener)
        return StatePoint(0, 0)

    hub = SimpleNamespace(listen=listen, leave=lambda *_: None)
    receiver, secrets, clock = Receiver(), Broken(), ManualClock()
    directory = SimpleNamespace(secrets=secrets)
    parts = (hub, None, directory, None, receiver, "mailto:a@b.test", clock, get_logger("test"))
    sender = PushSender(*cast(Any, parts))
    one = PushSubscription(
        id=1,
        owner=Owner(ADA, None),
        client="c",
        url="https://push.test/x",
        keys=None,
        types=None,
        code="x",
        verified=True,
        expires=clock.now() + 1000,
    )
    await sender.changed(one, FULL)
    (listener,) = heard
    listener.heard(ADA, TypeChanges(StatePoint(1, 0), {"Email": "7"}), {})
    try:
        async with asyncio.timeout(5):
            await receiver.told.wait()
    finally:
        await sender.stop()
    assert b'"Email":"7"' in receiver.bodies[0]
