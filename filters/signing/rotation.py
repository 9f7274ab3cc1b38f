"""How the keys of a domain follow each other: the next ones are made and published, used when DNS
serves them, and the old ones stay published for a while.

Invariant: a key that DNS does not serve never replaces one in use, unless the operator set a time
(dkim.use_unseen_after).
"""

import asyncio

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.signing.keyring import Key, Keyring
from filters.signing.published import is_published
from net.dns import DnsError, Questions
from net.threads import Busy
from storage.directory import Directory
from storage.errors import StoreError

LOOK_EVERY = 3600.0
FIRST_LOOK = 30.0


class Rotation:
    """Looks every hour from `start` on; `turn` looks once."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        keyring: Keyring,
        resolver: Questions,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._settings, self._directory, self._keyring = settings, directory, keyring
        self._resolver, self._clock, self._log = resolver, clock, log
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def reload(self, settings: Settings) -> None:
        """Takes [dkim] of a changed configuration."""
        self._settings = settings

    async def turn(self) -> None:
        """One look at every served domain that has keys. Raises StoreError, Busy."""
        for domain in await self._keyring.domains():
            if self._directory.serves(domain):
                await self._turn(domain)

    async def _run(self) -> None:
        await asyncio.sleep(FIRST_LOOK)
        while True:
            try:
                await self.turn()
            except (StoreError, Busy) as error:
                self._log.warning("DKIM keys not looked at", reason=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def _turn(self, domain: str) -> None:
        limits, now = self._settings.dkim, self._clock.now()
        keys = await self._keyring.keys(domain)
        waiting = [key for key in keys if key.waiting]
        for key in waiting:
            if await self._is_due(key, now):
                await self._keyring.use(key)
                self._log.info("DKIM key in use", domain=domain, selector=key.stored.selector)
        for key in keys:
            retired = key.stored.retired
            if retired is not None and retired + limits.overlap <= now:
                await self._keyring.forget(domain, key.stored.selector)
                self._log.info("DKIM key forgotten", domain=domain, selector=key.stored.selector)
        newest = max(key.stored.created for key in keys)
        if not waiting and limits.rotate_every and newest + limits.rotate_every <= now:
            await self._keyring.prepare(domain)

    async def _is_due(self, key: Key, now: float) -> bool:
        unseen = self._settings.dkim.use_unseen_after
        try:
            if await is_published(self._resolver, key.signing):
                await self._keyring.seen(key)
                return True
        except DnsError as error:
            self._log.info("DKIM key not looked up", name=key.signing.name, reason=str(error))
        return bool(unseen) and key.stored.created + unseen <= now
