"""A submitted message in the sender's own Sent mailbox, for accounts that ask for it, and once:
clients that save what they send are noticed by the Message-ID, whoever comes first.

When the client's copy comes within WINDOW of ours, ours goes: the client's has the flags and the
UID that it knows. What was saved is remembered in memory; a restart in between leaves two copies.
"""

import os
import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TypeVar

from config.clock import Clock
from config.logging import Logger
from filters.context import Message
from message.headers import first, header_block
from net.threads import Busy, Offload
from storage.errors import StoreError
from storage.store import Store
from storage.values import AccountId, Append, Content, FlagChange, Flags, Mailbox, MailboxId, System

WINDOW = 900.0
REMEMBERED = 10_000
USE, NAME = "\\Sent", "Sent"
_HEAD = 64 * 1024
_SEEN, _DELETED = Flags(System.SEEN), Flags(System.DELETED)
Key = tuple[AccountId, bytes]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Ours:
    at: float
    mailbox: MailboxId
    uid: int


class SentCopies:
    """One for all protocols."""

    def __init__(self, store: Store, clock: Clock, offload: Offload, log: Logger) -> None:
        self._store, self._clock, self._offload, self._log = store, clock, offload, log
        self._ours: OrderedDict[Key, _Ours] = OrderedDict()
        self._theirs: OrderedDict[Key, float] = OrderedDict()

    async def keep(self, message: Message) -> Message:
        """The message under a second name, before the delivery uses the first one up. Raises
        OSError, Busy.
        """
        path = message.content.path
        if path is None:
            return message
        kept = path.with_name(f"sent-{secrets.token_hex(12)}")
        await self._offload.disk(os.link, path, kept)
        return replace(message, content=replace(message.content, path=kept))

    async def forget(self, kept: Message) -> None:
        """What was kept is not wanted."""
        path = kept.content.path
        if path is not None:
            await self._offload.disk(lambda: path.unlink(missing_ok=True))

    async def save(self, account: AccountId, kept: Message) -> None:
        """Puts it into Sent unless the client has. A failure is logged: the message is sent."""
        key = account, _message_id(kept.header)
        saved = False
        try:
            if self._recent(self._theirs.get(key)):
                return
            box = await self._mailbox(account)
            if box is None:
                return
            copy = Append(kept.content, _SEEN, self._clock.now())
            made = await self._store.append(account, box.id, [copy])
            saved = True
            ours = _Ours(self._clock.now(), box.id, made.target[0])
            if self._recent(self._theirs.get(key)):  # it came meanwhile
                await self._remove(account, ours)
            else:
                _put(self._ours, key, ours)
        except (StoreError, OSError, Busy) as error:
            self._log.warning("not saved to Sent", account=int(account), reason=str(error))
        finally:
            if not saved:
                await self.forget(kept)

    async def client_saved(self, account: AccountId, box: Mailbox, header: bytes) -> None:
        """A client has put a message into a mailbox: if that is Sent, our copy goes."""
        if not is_sent(box):
            return
        key = account, _message_id(header)
        if not key[1]:
            return
        _put(self._theirs, key, self._clock.now())
        ours = self._ours.pop(key, None)
        if ours is None or ours.mailbox != box.id or not self._recent(ours.at):
            return
        try:
            await self._remove(account, ours)
        except StoreError as error:
            self._log.warning("doubled in Sent", account=int(account), reason=str(error))

    async def header_of(self, content: Content) -> bytes:
        """The header of an APPEND before the store takes it over. Raises OSError, Busy."""
        if content.data is not None:
            return header_block(content.data[:_HEAD])
        assert content.path is not None
        path = content.path

        def read() -> bytes:
            with path.open("rb") as file:
                return file.read(_HEAD)

        return header_block(await self._offload.disk(read))

    async def _mailbox(self, account: AccountId) -> Mailbox | None:
        boxes = [box for box in await self._store.mailboxes(account) if box.selectable]
        used = next((box for box in boxes if box.special_use == USE), None)
        return used or next((box for box in boxes if is_sent(box)), None)

    async def _remove(self, account: AccountId, ours: _Ours) -> None:
        uids = [ours.uid]
        await self._store.store(account, ours.mailbox, uids, FlagChange.ADD, _DELETED)
        await self._store.expunge(account, ours.mailbox, uids)

    def _recent(self, at: float | None) -> bool:
        return at is not None and self._clock.now() - at < WINDOW


def is_sent(box: Mailbox) -> bool:
    """Whether a mailbox is where sent mail goes."""
    return box.special_use == USE or (not box.special_use and box.name == NAME)


def _message_id(header: bytes) -> bytes:
    return first(header, b"message-id") or b""


def _put(into: OrderedDict[Key, T], key: Key, value: T) -> None:
    into[key] = value
    into.move_to_end(key)
    if len(into) > REMEMBERED:
        into.popitem(last=False)
