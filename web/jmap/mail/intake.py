"""Messages that come in by JMAP: made of values, imported or copied. All go the way of an IMAP
APPEND: spooled, scanned for viruses, and committed by the store.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from auth.rights import Rights
from filters.virus_scanner import Unscanned, VirusScanner
from net.threads import Busy, Offload
from storage.emails import StoredEmail
from storage.errors import NoSuchMailbox, OverQuota, StoreError, TooMany
from storage.object_ids import email_number, thread_number
from storage.spool import Spool
from storage.store import Store
from storage.values import Append, Flags, MailboxId, Settable
from web.jmap.context import Account
from web.jmap.errors import SetError, invalid_properties
from web.jmap.limits import MAX_MESSAGE
from web.jmap.mail.blobs import message_blob


class Intake:
    """One for all methods."""

    def __init__(self, store: Store, scanner: VirusScanner, offload: Offload) -> None:
        self._store, self._scanner, self._offload = store, scanner, offload

    @asynccontextmanager
    async def spool(self) -> AsyncIterator[Spool]:
        """For one message; forgotten at the end unless the store took it."""
        spool = Spool(self._store.spool_dir, self._offload)
        try:
            yield spool
        finally:
            if (path := spool.discard()) is not None:
                await self._offload.disk(Path.unlink, path, True)

    async def fill(self, spool: Spool, pieces: AsyncGenerator[bytes, None]) -> None:
        """With a message as it is. Raises SetError."""
        async for piece in pieces:
            await spool.add(piece)
            if spool.size > MAX_MESSAGE:
                raise SetError("tooLarge", f"a message has at most {MAX_MESSAGE} octets")

    async def add(
        self,
        account: Account,
        spool: Spool,
        boxes: Sequence[MailboxId],
        flags: Flags,
        received: float,
    ) -> StoredEmail:
        """The Email, in all of the mailboxes or none. Raises SetError."""
        if not spool.size:
            raise SetError("invalidEmail", "there is no message")
        await self._check_room(account, spool.size)
        await self._scan(spool)
        first, *others = boxes
        message = Append(await spool.content(), flags, received)
        try:
            done = await self._store.append(account.id, first, [message])
        except (NoSuchMailbox, OverQuota) as error:
            raise refusal(error) from None
        made = {first: done.target}
        try:
            for box in others:
                copied = await self._store.copy(account.id, first, done.target, box)
                made[box] = copied.target
        except (StoreError, Busy) as error:
            for box, uids in made.items():
                with suppress(StoreError, Busy):
                    await self._store.remove(account.id, box, uids)
            if isinstance(error, NoSuchMailbox | OverQuota | TooMany):
                raise refusal(error) from None
            raise
        return await self._stored(account, first, done.target[0])

    async def _check_room(self, account: Account, size: int) -> None:
        usage = await self._store.usage(account.id)
        if usage.limit_bytes and usage.bytes + size > usage.limit_bytes:
            raise SetError("overQuota")
        if not self._store.accepting(size):
            raise SetError("rateLimit", "too much is being written, try again later")

    async def _scan(self, spool: Spool) -> None:
        if not self._scanner.on:
            return
        await asyncio.sleep(0)  # a scan is bounded in time, which needs a task
        try:
            found = await self._scanner.scan_pieces(spool.key, spool.pieces)
        except Unscanned:
            if not self._scanner.accepts_unscanned:
                text = "the virus scanner is not available, try again later"
                raise SetError("forbidden", text) from None
            return
        if found.infected:
            raise SetError("forbidden", f"the message contains a virus: {found.signature}")

    async def _stored(self, account: Account, box: MailboxId, uid: int) -> StoredEmail:
        blob = (await self._store.contents(account.id, box, [uid])).get(uid)
        found = None if blob is None else await self._store.emails(account.id, [blob])
        if blob is None or not found:
            raise SetError("notFound", "somebody removed it at once")
        return found[blob]


def created(email: StoredEmail) -> dict[str, Any]:
    """What is told of a new Email (RFC 8621 §4.6)."""
    return {
        "id": email_number(email.blob),
        "blobId": message_blob(email.blob),
        "threadId": None if email.thread is None else thread_number(email.thread),
        "size": email.size,
    }


def refusal(error: Exception) -> SetError:
    """What the store refused, in the words of a /set."""
    if isinstance(error, NoSuchMailbox):
        return invalid_properties("there is no such mailbox", "mailboxIds")
    return SetError("overQuota")


def check_marks(
    flags: Flags, boxes: Sequence[MailboxId], may: Mapping[MailboxId, Settable]
) -> None:
    """Whether all of the flags may be set in all of the mailboxes. Raises SetError."""
    if any(may[box].among(flags) != flags for box in boxes):
        raise SetError("forbidden", "this login, or the list of rights, does not allow it")


def check_targets(boxes: Sequence[MailboxId], rights: Mapping[MailboxId, Rights]) -> None:
    """Whether something may be added to them. Raises SetError."""
    if any("i" not in rights.get(box, "") for box in boxes):
        raise SetError("forbidden", "nothing may be added to this mailbox")
