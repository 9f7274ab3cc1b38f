"""The store's one interface to the rest of the server.

Coroutines run on the server's loop and none blocks it. A change returns after its durable commit
and after views and events are up to date.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from config.clock import Clock
from net.threads import Offload
from storage.bus import Bus
from storage.values import (
    AccountId,
    Append,
    BlobId,
    Delivery,
    DeliveryResult,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    MessageRow,
    StoreOutcome,
    UidMap,
    Usage,
)
from storage.view import View

T = TypeVar("T")


class Store:
    bus: Bus

    @classmethod
    async def open(
        cls,
        data_dir: Path,
        maildir: Path,
        database: str,
        offload: Offload,
        clock: Clock,
        hostname: str,
    ) -> "Store": ...

    async def close(self) -> None: ...

    @property
    def spool_dir(self) -> Path: ...

    async def add_account(
        self, account: AccountId, *, limit_bytes: int = 0, limit_messages: int = 0
    ) -> None: ...

    async def set_limits(
        self, account: AccountId, limit_bytes: int, limit_messages: int
    ) -> None: ...

    async def remove_account(self, account: AccountId) -> None: ...

    async def usage(self, account: AccountId) -> Usage: ...

    def maildir(self, account: AccountId) -> Path: ...

    def accepting(self, size: int) -> bool: ...

    async def deliver(self, delivery: Delivery) -> DeliveryResult: ...

    async def mailboxes(self, account: AccountId) -> list[Mailbox]: ...

    async def mailbox(self, account: AccountId, name: str) -> Mailbox: ...

    async def create(self, account: AccountId, name: str, special_use: str = "") -> Mailbox: ...

    async def delete(self, account: AccountId, name: str) -> None: ...

    async def rename(self, account: AccountId, old: str, new: str) -> None: ...

    async def subscribe(self, account: AccountId, name: str, on: bool) -> None: ...

    async def subscriptions(self, account: AccountId) -> list[str]: ...

    async def view(self, account: AccountId, mailbox: MailboxId) -> View: ...

    async def append(
        self, account: AccountId, mailbox_name: str, messages: Sequence[Append]
    ) -> UidMap: ...

    async def copy(
        self, account: AccountId, source: MailboxId, uids: Sequence[int], target_name: str
    ) -> UidMap: ...

    async def move(
        self, account: AccountId, source: MailboxId, uids: Sequence[int], target_name: str
    ) -> UidMap: ...

    async def store(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Sequence[int],
        change: FlagChange,
        flags: Flags,
        *,
        unchanged_since: int | None = None,
    ) -> StoreOutcome: ...

    async def expunge(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int] | None
    ) -> Sequence[int]: ...

    def rows(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> AsyncIterator[list[MessageRow]]: ...

    async def read_body(
        self,
        account: AccountId,
        blob: BlobId,
        mailbox: MailboxId,
        uid: int,
        offset: int = 0,
        length: int | None = None,
    ) -> bytes: ...

    async def submit(
        self, job: Callable[[Connection], T], *, touches: Sequence[AccountId] = ()
    ) -> T:
        """Runs `job` in the committer's thread inside the group's transaction: the one way to write
        the index. Accounts in `touches` are read anew after it (counters, mailboxes, limits, views).
        """
        ...
