"""Real stores for tests, opened, closed and opened again on the same data; messages for them."""

import asyncio
import itertools
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from config.clock import Clock, SystemClock
from net.threads import Offload
from storage.store import Store
from storage.values import (
    NO_FLAGS,
    AccountId,
    Append,
    Content,
    Delivery,
    DeliveryResult,
    Flags,
    LocalRecipient,
    MailboxId,
    QueuedRecipient,
)

ACCOUNT = AccountId(1)
OTHER = AccountId(2)
_serial = itertools.count(1)


def message(text: str = "Hello", *, subject: str = "A test") -> bytes:
    """A small message with a Message-ID of its own."""
    return (
        f"From: Ada <ada@example.org>\r\nTo: user@example.test\r\nSubject: {subject}\r\n"
        f"Message-ID: <{next(_serial)}.test@example.org>\r\n"
        f"Date: Wed, 25 Nov 2026 10:00:00 +0000\r\n\r\n{text}\r\n"
    ).encode()


def content(data: bytes, prefix: bytes = b"") -> Content:
    """In memory; the digest is that of the body, as the store wants it."""
    return Content(len(prefix) + len(data), blake2b(data, digest_size=16).digest(), prefix, data)


def spooled(store: Store, data: bytes, prefix: bytes = b"") -> Content:
    """In a file of the store's spool folder."""
    path = store.spool_dir / f"spool-{next(_serial)}"
    path.write_bytes(data)
    return Content(
        len(prefix) + len(data), blake2b(data, digest_size=16).digest(), prefix, path=path
    )


def delivery(
    data: bytes | Content,
    *local: LocalRecipient | AccountId,
    queued: Sequence[str] = (),
    received_at: float = 1_790_000_000.0,
) -> Delivery:
    """To INBOX of accounts, or to recipients as given."""
    recipients = [
        entry if isinstance(entry, LocalRecipient) else LocalRecipient(entry, "user@example.test")
        for entry in local
    ]
    return Delivery(
        data if isinstance(data, Content) else content(data),
        "ada@example.org",
        received_at,
        "trace",
        recipients,
        [QueuedRecipient(address) for address in queued],
    )


async def deliver(store: Store, data: bytes, *local: AccountId) -> DeliveryResult:
    """Into INBOX of `local`, by default of ACCOUNT."""
    return await store.deliver(delivery(data, *(local or (ACCOUNT,))))


def appended(data: bytes, flags: Flags = NO_FLAGS, date: float | None = None) -> Append:
    return Append(content(data), flags, date)


async def inbox(store: Store, account: AccountId = ACCOUNT) -> MailboxId:
    return (await store.mailbox(account, "INBOX")).id


async def bodies(store: Store, name: str = "INBOX", account: AccountId = ACCOUNT) -> list[bytes]:
    """Every message of a mailbox as a client reads it, in UID order."""
    box = await store.mailbox(account, name)
    view = await store.view(account, box.id)
    try:
        found = []
        async for rows in store.rows(account, box.id, view.uids[:]):
            for row in rows:
                found.append(await store.read_body(account, row.blob, box.id, row.uid))
        return found
    finally:
        view.release()


async def flag_texts(
    store: Store, name: str = "INBOX", account: AccountId = ACCOUNT
) -> dict[int, str]:
    """UID to flags, from the shared view."""
    box = await store.mailbox(account, name)
    view = await store.view(account, box.id)
    try:
        return {
            uid: view.flags_text(field).decode()
            for uid, field in zip(view.uids, view.flags, strict=True)
        }
    finally:
        view.release()


class StoreHome:
    """A data folder and a database; opens stores on them and closes what is open."""

    def __init__(self, folder: Path, database: str) -> None:
        self.data_dir = folder / "data"
        self.mail_dir = self.data_dir / "mail"
        self.database = database
        self.offload = Offload(processes=1)
        self.clock: Clock = SystemClock()
        self.file_worker = False
        self._open: list[Store] = []

    async def open(self, *, mirror: bool = False) -> Store:
        """A store without the mirror, unless asked for: its names then stay in new/. Files are
        written in this process, where tests can make them fail, unless `file_worker` is set.
        """
        store = await Store.open(
            self.data_dir,
            self.mail_dir,
            self.database,
            self.offload,
            self.clock,
            "mx.example.test",
            mirror=mirror,
            file_worker=self.file_worker,
        )
        self._open.append(store)
        return store

    async def close(self, store: Store) -> None:
        self._open.remove(store)
        await store.close()

    async def crash(self, store: Store) -> None:
        """Ends without the clean mark and without the mirror's last round, as a kill would."""
        store._failure = "crashed by the test"
        await self.close(store)

    async def reopen(self, store: Store, *, mirror: bool = False) -> Store:
        await self.close(store)
        return await self.open(mirror=mirror)

    async def clean_up(self) -> None:
        while self._open:
            await self._open.pop().close()
        await asyncio.to_thread(self.offload.close)
