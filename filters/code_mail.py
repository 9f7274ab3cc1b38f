"""Verification codes by e-mail, to an address here or outside.

Invariants: a code leaves behind the answer to who asked for it; at most WAITING at a time.
"""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Final

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.delivery import Delivery
from filters.reporting.dmarc_builder import contact_of
from message.answer import Author, build_note
from storage.errors import StoreError

WAITING: Final = 100


class CodeMails:
    """One a process."""

    def __init__(self, settings: Settings, delivery: Delivery, clock: Clock, log: Logger) -> None:
        self._settings, self._delivery = settings, delivery
        self._clock, self._log = clock, log
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, to: str, subject: str, text: str) -> None:
        """Returns at once."""
        if len(self._tasks) >= WAITING:
            self._log.error("code not sent", reason="too many are on their way")
            return
        task = asyncio.create_task(self._deliver(to, subject, text))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Waits for what is on its way into the store."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, to: str, subject: str, text: str) -> None:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        message_id = f"{secrets.token_hex(12)}@{self._settings.hostname}"
        author = Author(contact_of(self._settings), now, message_id)
        try:
            await self._delivery.deliver_notice(to, build_note(author, to, subject, text))
        except StoreError as error:
            self._log.error("code not sent", reason=str(error))
