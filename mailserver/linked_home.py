"""auth/home.py for a process without the store: asked of a gateway over its link."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from auth.arrivals import Arrival
from auth.home import HOME
from config.logging import get_logger
from net.link import Link, LinkLost, Unavailable
from storage.errors import StoreError, StoreUnavailable
from storage.values import AccountId


class LinkedHome:
    """What has the store, asked over a link to a gateway."""

    def __init__(self) -> None:
        self._links: list[Link] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, link: Link) -> None:
        self._links.append(link)

    def discard(self, link: Link) -> None:
        self._links.remove(link)

    async def add_account(self, account: AccountId, *, limit_bytes: int = 0) -> None:
        """Raises StoreUnavailable."""
        await self._ask("add_account", account, limit_bytes=limit_bytes)

    async def set_limits(self, account: AccountId, limit_bytes: int, limit_messages: int) -> None:
        """Raises StoreUnavailable."""
        await self._ask("set_limits", account, limit_bytes, limit_messages)

    async def send(self, to: str, subject: str, text: str) -> None:
        """Returns at once, as all code takes that sends a code: failures are logged."""
        self._behind(self._ask("send", to, subject, text))

    def arrived(self, arrival: Arrival) -> None:
        """The same of a login from a new device."""
        self._behind(self._ask("arrived", arrival))

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _behind(self, work: Awaitable[None]) -> None:
        async def do() -> None:
            try:
                await work
            except StoreError as error:
                get_logger("service").error("not sent", reason=str(error))

        task = asyncio.create_task(do())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, name: str, *args: Any, **named: Any) -> None:
        for link in reversed(self._links):
            try:
                await link.call(HOME, name, args, named)
                return
            except (Unavailable, LinkLost) as error:
                raise StoreUnavailable("The store is not available") from error
        raise StoreUnavailable("The store is not available: no gateway is linked")
