"""Tells webhooks their events: one at a time each, in order, again and again until it is taken.

What a webhook doesn't take for WHOLE_LIFE switches it off, and so does 410. Where it leads is its
owner's word: HTTPS alone, no redirects, addresses as net/guarded.py allows them.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from config.clock import Clock
from config.logging import Logger
from filters.webhooks.events import event_of, signed
from filters.webhooks.gathering import Gathering
from net.https import HttpsClient, HttpsError
from net.outside_url import outside_url
from storage.bus import Bus
from storage.directory import Directory
from storage.errors import NoSuchAccount, StoreError
from storage.values import AccountId, Event, MailboxChanged
from storage.webhook_values import WHOLE_LIFE, Fresh, State, Told, Webhook, WebhookEvent

WAITS: Final = (10.0, 60.0, 300.0, 900.0, 3600.0, 3600.0, 7200.0, 14400.0, 21600.0, 21600.0)
"""Seconds between tries of one event; then the next one has its turn."""
PAUSE: Final = 0.2
"""Seconds from new mail to when it is looked for."""
AT_ONCE: Final = 16
SECONDS: Final = 20.0
_ANSWER: Final = 64 * 1024
_GONE: Final = 410
_RETRY: Final = 30.0


class WebhookSender:
    """One a process."""

    def __init__(
        self,
        directory: Directory,
        bus: Bus,
        gathering: Gathering,
        https: HttpsClient,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._directory, self._webhooks = directory, directory.webhooks
        self._bus, self._gathering, self._https = bus, gathering, https
        self._clock, self._log = clock, log
        self._accounts: set[AccountId] = set()
        self._timers: dict[AccountId, asyncio.TimerHandle] = {}
        self._looking: set[AccountId] = set()
        self._telling: set[int] = set()
        self._more: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Raises StoreError."""
        self._unsubscribe = self._bus.subscribe(None, self._event)
        self._webhooks.changed = self._changed
        for account in await self._webhooks.accounts():
            self._changed(account)

    async def stop(self) -> None:
        """What is under way is broken off, and told again after a start."""
        self._unsubscribe()
        self._webhooks.changed = lambda account: None
        for timer in self._timers.values():
            timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def handed_on(
        self, account: AccountId, sender: str, results: Sequence[tuple[str, dict[str, Any]]]
    ) -> None:
        """Recipients of a message of the account are finished: a key of each, and its data with
        `delivered`. Never fails.
        """
        if account not in self._accounts:
            return
        try:
            await self._write(account, sender, results)
        except StoreError as error:
            self._log.error("events are not written", account=account, reason=str(error))

    async def _write(
        self, account: AccountId, sender: str, results: Sequence[tuple[str, dict[str, Any]]]
    ) -> None:
        owner = await self._directory.account_by_id(account)
        if owner is None:
            return
        now = self._clock.now()
        for one in await self._webhooks.of(account):
            events: list[Fresh] = []
            for key, data in results:
                told = {name: value for name, value in data.items() if name != "delivered"}
                kind = WebhookEvent.DELIVERED if data["delivered"] else WebhookEvent.BOUNCED
                if kind in one.events and not one.ended:
                    events.append(event_of(kind, key, owner.address, now, {"from": sender} | told))
            if events:
                await self._webhooks.write(one, events)

    def _event(self, event: Event) -> None:
        if isinstance(event, MailboxChanged) and event.appended and event.account in self._accounts:
            self._look_soon(event.account, PAUSE)

    def _changed(self, account: AccountId) -> None:
        self._accounts.add(account)
        self._look_soon(account, 0.0)

    def _look_soon(self, account: AccountId, seconds: float) -> None:
        if account not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[account] = loop.call_later(seconds, self._begin, account)

    def _begin(self, account: AccountId) -> None:
        self._timers.pop(account, None)
        if account in self._looking:  # one after the other, so that the last one is right
            self._look_soon(account, PAUSE)
            return
        self._looking.add(account)
        self._start(self._look(account))

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self, account: AccountId) -> None:
        """New mail of the account becomes events, and each webhook is told what waits."""
        try:
            owner = await self._directory.account_by_id(account)
            hooks = [one for one in await self._webhooks.of(account) if not one.ended]
            if owner is None or not hooks:
                self._accounts.discard(account)
            elif owner.enabled:
                for one in hooks:
                    await self._look_at(one, owner.address)
        except NoSuchAccount:
            self._accounts.discard(account)
        except StoreError as error:
            self._log.warning("webhooks cannot be looked at", reason=str(error))
            self._look_soon(account, _RETRY)
        finally:
            self._looking.discard(account)

    async def _look_at(self, one: Webhook, address: str) -> None:
        if WebhookEvent.RECEIVED in one.events:
            await self._gather(one, address)
        self._more.add(one.id)
        if one.id not in self._telling:
            self._telling.add(one.id)
            self._start(self._tell(one))

    async def _gather(self, one: Webhook, address: str) -> None:
        point = one.point
        while True:
            events, until = await self._gathering.since(one.account, address, point)
            if until == point:
                return
            await self._webhooks.write(one, events, until)
            point = until

    async def _tell(self, one: Webhook) -> None:
        """Until nothing waits, and nothing was written while that was asked."""
        try:
            while one.id in self._more:
                self._more.discard(one.id)
                while (event := await self._webhooks.next(one.id)) is not None:
                    owner = await self._directory.account_by_id(one.account)
                    if owner is None or not owner.enabled or not await self._told(one, event):
                        return
        except StoreError as error:
            self._log.warning("webhook cannot be told", reason=str(error))
            self._look_soon(one.account, _RETRY)
        finally:
            self._telling.discard(one.id)

    async def _told(self, one: Webhook, event: Told) -> bool:
        """Whether the webhook goes on, behind a pause where it has not taken the event."""
        status, answer = await self._post(one, event)
        if 200 <= status < 300:
            await self._webhooks.told(event, State.TOLD, answer)
            return True
        last = event.tries >= len(WAITS)
        since = await self._webhooks.told(event, State.FAILED if last else State.WAITING, answer)
        now = self._clock.now()
        if status == _GONE or (since is not None and now - since >= WHOLE_LIFE):
            why = "gone" if status == _GONE else "nothing got through for three days"
            self._log.warning("webhook switched off", webhook=one.id, reason=why)
            await self._webhooks.switch(one, f"{why}: {answer}")
            return False
        if not last:
            await asyncio.sleep(WAITS[event.tries])
        return True

    async def _post(self, one: Webhook, event: Told) -> tuple[int, str]:
        """The status, 0 where there is none, and what to say of it."""
        url, body = outside_url(one.url), event.body.encode()
        fields = signed(one.secret, event.key, body, int(self._clock.now()))
        try:
            async with self._turns:
                found = await self._https.post(
                    *(url.host, url.port, url.path, body, fields), limit=_ANSWER, seconds=SECONDS
                )
        except HttpsError as error:
            return 0, str(error)[:200]
        return found.status, str(found.status)
