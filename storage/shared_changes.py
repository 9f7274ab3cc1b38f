"""What processes on one database tell each other, so that none goes by what it remembers.

An event is a few octets of JSON with an id of its own; `attach` adds a way out (a link to another
process, a channel of the cache), `heard` takes what came in by one and passes it on by the others.
Invariants: an event is told after its commit; each is taken once, whatever ways it comes; events
may be lost, so whoever was cut off calls `refresh` when it is back.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Literal

from cachetools import LRUCache
from pydantic import BaseModel, ConfigDict, ValidationError

from config.logging import get_logger
from storage.cache.cache import Cache
from storage.credential_values import CredentialId
from storage.directory import Directory
from storage.directory_values import AccountChange, ChangeKind
from storage.errors import StoreError
from storage.values import AccountId

CHANNEL: Final = "changes"
SEEN: Final = 20_000
FAILURES_SECONDS: Final = 0.5
FAILURES_MOST: Final = 1000
Outlet = Callable[[bytes], None]


class _Event(BaseModel):
    """`what`: an account changed, or names of aliases or domains, the blocklist; a login; a network
    (`address`) that an account has no login from any more; failed logins by address.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)
    id: str
    what: Literal["account", "names", "blocks", "login", "forgotten", "failures"]
    account: int = 0
    change: ChangeKind = ChangeKind.EDITED
    address: str = ""
    credential: int | None = None
    counts: dict[str, int] = {}


class SharedChanges:
    """One a process. Close it before its directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory, self._log = directory, get_logger("changes")
        self._outlets: dict[object, Outlet] = {}
        self._seen: LRUCache[str, bool] = LRUCache(SEEN)
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_refresh: Callable[[], None] = lambda: None
        self.on_failures: Callable[[Mapping[str, int]], None] = lambda counts: None
        self._failures: Counter[str] = Counter()
        self._telling: asyncio.TimerHandle | None = None
        self._unsubscribe = directory.on_change(self._changed)
        directory.on_names = lambda: self._tell(_Event(id=_drawn(), what="names"))
        directory.blocks.edited = lambda: self._tell(_Event(id=_drawn(), what="blocks"))
        directory.known_logins.noted = self._noted
        directory.known_logins.forgotten = self._forgotten

    def share(self, cache: Cache) -> None:
        """Tells and hears by a cache that is shared, before it starts."""
        if cache.shared:
            cache.subscribe(CHANNEL, self.heard, self.refresh)
            self.attach(lambda payload: cache.publish(CHANNEL, payload))

    def attach(self, outlet: Outlet) -> Callable[[], None]:
        """Gives `outlet` each event from here on; returns what ends that."""
        token = object()
        self._outlets[token] = outlet

        def detach() -> None:
            self._outlets.pop(token, None)

        return detach

    def heard(self, payload: bytes) -> None:
        """An event of another process; what is none is passed over."""
        try:
            event = _Event.model_validate_json(payload)
        except ValidationError:
            self._log.warning("an event is not understood")
            return
        if event.id in self._seen:
            return
        self._tell(event)
        if event.what == "account":
            credential = None if event.credential is None else CredentialId(event.credential)
            self._directory.heard(
                AccountChange(AccountId(event.account), event.change, event.address, credential)
            )
        elif event.what == "login":
            self._directory.known_logins.heard(AccountId(event.account), event.address)
        elif event.what == "forgotten":
            known = self._directory.known_logins
            known.heard_forgotten(AccountId(event.account), event.address)
        elif event.what == "failures":
            self.on_failures(event.counts)
        else:
            self.refresh()

    def failed(self, address: str) -> None:
        """A failed login, which others hear of within FAILURES_SECONDS."""
        if self._outlets and len(self._failures) < FAILURES_MOST:
            self._failures[address] += 1
            if self._telling is None:
                loop = asyncio.get_running_loop()
                self._telling = loop.call_later(FAILURES_SECONDS, self._tell_failures)

    def _tell_failures(self) -> None:
        self._telling, counts = None, dict(self._failures)
        self._failures.clear()
        self._tell(_Event(id=_drawn(), what="failures", counts=counts))

    def refresh(self) -> None:
        """Events may have been missed: reads again what is remembered, behind the caller."""
        self.on_refresh()
        task = asyncio.create_task(self._refresh())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Returns when what was heard is in force."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
        self._unsubscribe()
        known = self._directory.known_logins
        known.noted = known.forgotten = lambda account, address: None
        self._directory.on_names = self._directory.blocks.edited = lambda: None
        await self.settle()

    async def _refresh(self) -> None:
        try:
            await self._directory.refresh()
        except StoreError as error:
            self._log.warning("what others changed is not read", reason=str(error))

    def _noted(self, account: AccountId, address: str) -> None:
        self._tell(_Event(id=_drawn(), what="login", account=account, address=address))

    def _forgotten(self, account: AccountId, network: str) -> None:
        self._tell(_Event(id=_drawn(), what="forgotten", account=account, address=network))

    def _changed(self, change: AccountChange) -> None:
        if not change.elsewhere:
            self._tell(
                _Event(
                    id=_drawn(),
                    what="account",
                    account=change.account,
                    change=change.kind,
                    address=change.address,
                    credential=change.credential,
                )
            )

    def _tell(self, event: _Event) -> None:
        self._seen[event.id] = True
        if self._outlets:
            payload = event.model_dump_json().encode()
            for outlet in tuple(self._outlets.values()):
                outlet(payload)


def _drawn() -> str:
    return secrets.token_hex(8)
