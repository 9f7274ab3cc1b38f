"""Scripts that run when a client brings, copies or flags a message (IMAPSIEVE, RFC 6785).

A mailbox names its script in the annotation `/shared/imapsieve/script`, an empty one is none; that
of the server's own holds for all mailboxes without one (RFC 6785 §2.3.1). They run behind the
command, in the order of events, and what they do wakes no script. Invariants: a command never waits
for them; what happens while too much waits is not looked at, with a line in the log.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from config.logging import Logger
from filters.recipients.imap_actions import ImapActions
from net.threads import Busy
from storage.errors import StoreError
from storage.metadata import SERVER, Metadata, MetadataChanged
from storage.values import AccountId, MailboxId

ENTRY: Final = "/shared/imapsieve/script"
WAITING: Final = 10_000
"""Messages that scripts have still to look at."""


class Cause(StrEnum):
    """imap.cause of RFC 6785 §4.4; a message that was moved was copied."""

    APPEND = "APPEND"
    COPY = "COPY"
    FLAG = "FLAG"


@dataclass(frozen=True, slots=True)
class Happened:
    """What `user` did to messages of a mailbox of `account`. `flags` were changed."""

    user: AccountId
    account: AccountId
    mailbox: MailboxId
    uids: Sequence[int]
    cause: Cause
    flags: tuple[str, ...] = ()


class ImapEvents:
    """`start`, tell of events, `stop`."""

    def __init__(self, metadata: Metadata, actions: ImapActions, log: Logger) -> None:
        self._metadata, self._actions, self._log = metadata, actions, log
        self._scripts: dict[AccountId, dict[MailboxId, str]] = {}
        self._general = ""
        self._changes = 0
        self._waiting: deque[Happened] = deque()
        self._messages = 0
        self._wake, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Reads which mailboxes have scripts."""
        self._unsubscribe = self._metadata.on_change(self._changed)
        await self._read_general()
        self._task = asyncio.create_task(self._run(), name="imap scripts")

    async def stop(self) -> None:
        """What is under way and what waits is given up: a message keeps what was done to it."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def settle(self) -> None:
        """Returns when nothing waits."""
        await self._idle.wait()

    def concerned(self, account: AccountId, mailbox: MailboxId) -> bool:
        """False where it is known that no script looks at a mailbox."""
        if self._task is None:
            return False
        known = self._scripts.get(account)
        return known is None or bool(known.get(mailbox, self._general))

    def happened(self, event: Happened) -> None:
        """Takes note; costs nothing where no script is known to be concerned."""
        if not event.uids or not self.concerned(event.account, event.mailbox):
            return
        if self._messages + len(event.uids) > WAITING:
            self._log.warning(
                "scripts not run, too much waits", account=event.account, count=len(event.uids)
            )
            return
        self._waiting.append(event)
        self._messages += len(event.uids)
        self._idle.clear()
        self._wake.set()

    def _changed(self, change: MetadataChanged) -> None:
        if ENTRY not in change.entries:
            return
        self._changes += 1
        if change.holder == SERVER:
            self._scripts.clear()  # looked up with the next event, the server's too
        self._scripts.pop(change.holder.account, None)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            while self._waiting:
                event = self._waiting.popleft()
                for uid in event.uids:
                    await self._look_at(event, uid)
                self._messages -= len(event.uids)
            self._wake.clear()
            self._idle.set()

    async def _look_at(self, event: Happened, uid: int) -> None:
        """Whatever becomes of one message, the others are looked at."""
        try:
            name = await self._script_of(event.account, event.mailbox)
            if name:
                await self._actions.run(name, event, uid)
        except (StoreError, OSError, Busy) as error:
            self._log.warning("script not run", account=event.account, uid=uid, reason=repr(error))
        except Exception:
            self._log.exception("script failed", account=event.account, uid=uid)

    async def _script_of(self, account: AccountId, mailbox: MailboxId) -> str:
        known = self._scripts.get(account)
        while known is None:
            before = self._changes
            await self._read_general()
            found = await self._metadata.read_all([account], account, [ENTRY])
            known = {holder.mailbox: _name(entries[ENTRY]) for holder, entries in found.items()}
            if before == self._changes:
                self._scripts[account] = known
            else:  # it may be another by now
                known = None
        return known.get(mailbox, self._general)

    async def _read_general(self) -> None:
        found = await self._metadata.read(SERVER, SERVER.account, [ENTRY])
        self._general = _name(found[ENTRY]) if ENTRY in found else ""


def _name(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip()
