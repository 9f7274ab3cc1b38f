"""Learns the tags of accounts that want it, behind what users do: when flags have changed, at most
so often, and on demand. Models are made anew from the mail that is there; nothing is carried on.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from config.clock import Clock
from config.logging import Logger
from filters.autotags.auto_tags import AutoTags
from filters.autotags.choosing import Reader, choose
from filters.autotags.model import Example, TagModel, learn
from net.threads import Busy, Offload, Pool
from storage.directory import Directory
from storage.errors import StoreError
from storage.preferences import AUTO_TAGS
from storage.store import Store
from storage.values import AccountId, Event, MailboxChanged

APART: Final = 600.0
"""Seconds between two times that an account is learned."""
MOST_TAGS: Final = 20


class Trainer:
    """`start`, `stop`; `train` an account at once."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        auto_tags: AutoTags,
        reader: Reader,
        offload: Offload,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._directory, self._store = directory, store
        self._auto_tags, self._reader, self._offload = auto_tags, reader, offload
        self._clock, self._log = clock, log
        self._changed: dict[AccountId, float] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._unsubscribe = self._store.bus.subscribe(None, self._heard)
        self._task = asyncio.create_task(self._run(), name="auto-tags")

    async def stop(self) -> None:
        """Ends after the message under way; the next change of a tag begins anew."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def train(self, account: AccountId) -> list[TagModel]:
        """Learns the account's tags and keeps the models. Raises StoreError, OSError, Busy."""
        found = []
        messages = await self._reader.messages(account)
        for tag in (await self._directory.preferences.tags(account))[:MOST_TAGS]:
            chosen = await self._offload.run(Pool.MIME, choose, messages, tag.keyword)
            examples = await self._reader.examples(account, chosen)
            made = await self._offload.apart(_learn, (tag.keyword, examples))
            if made is not None:
                found.append(made)
        await self._auto_tags.keep(account, found, self._clock.now())
        self._log.info(
            "tags learned",
            account=int(account),
            used=[one.keyword for one in found if one.is_used],
            not_used=[one.keyword for one in found if not one.is_used],
        )
        return found

    def _heard(self, event: Event) -> None:
        """Only flags that clients change teach something."""
        if isinstance(event, MailboxChanged) and event.flagged:
            self._changed.setdefault(event.account, self._clock.monotonic() + APART)
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            now = self._clock.monotonic()
            due = [account for account, at in self._changed.items() if at <= now]
            for account in due:
                del self._changed[account]
                await self._try(account)
            if not self._changed:
                self._wake.clear()
                continue
            await asyncio.sleep(max(1.0, min(self._changed.values()) - self._clock.monotonic()))

    async def _try(self, account: AccountId) -> None:
        try:
            if await self._directory.preferences.get(account, AUTO_TAGS):
                await self.train(account)
        except (StoreError, OSError, Busy) as error:
            self._log.warning("tags not learned", account=int(account), reason=repr(error))
        except Exception:
            self._log.exception("tags not learned", account=int(account))


def _learn(job: tuple[str, Sequence[Example]]) -> TagModel | None:
    return learn(*job)
