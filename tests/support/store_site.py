"""A store in a folder that tests close, break and open again, and what Python sees of it."""

import mailbox
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine

from config.clock import SystemClock
from net.threads import Offload
from storage.repair import RepairReport, repair_index
from storage.schema import metadata
from storage.store import Store
from storage.values import NO_FLAGS, AccountId, Append, Content, Flags, Mailbox, System
from tests.support.directories import own_database

USER = AccountId(7)
HOST = "mx.example.test"
Seen = dict[str, dict[int, tuple[bytes, Flags, int]]]


def message(subject: str, size: int = 0) -> bytes:
    """A small message with CRLF line ends."""
    body = f"text of {subject}\r\n".encode() + b"x" * size
    head = f"From: a@example.test\r\nSubject: {subject}\r\nMessage-ID: <{subject}@example.test>"
    return head.encode() + b"\r\n\r\n" + body + b"\r\n"


def content(data: bytes) -> Content:
    return Content(len(data), blake2b(data, digest_size=16).digest(), data=data)


def flags(*keywords: str, system: int = 0) -> Flags:
    return Flags(System(system), frozenset(keywords))


class StoreSite:
    """`store` while open. The database is a setting of store.database."""

    def __init__(self, folder: Path, database: str, offload: Offload) -> None:
        self.data_dir, self.maildir = folder / "data", folder / "data" / "mail"
        self.database, self.offload = database, offload
        self.store: Store
        self._is_open = False

    @property
    def root(self) -> Path:
        """USER's Maildir."""
        return self.store.maildir(USER)

    async def open(self, *, mirror: bool = True) -> Store:
        self.store = await Store.open(
            self.data_dir,
            self.maildir,
            self.database,
            self.offload,
            SystemClock(),
            HOST,
            mirror=mirror,
        )
        self._is_open = True
        return self.store

    async def close(self) -> None:
        """A clean stop; nothing when it is closed already."""
        if self._is_open:
            self._is_open = False
            await self.store.close()

    async def close_without_mirror(self) -> None:
        """What a kill leaves of the Maildir."""
        await self.store.mirror.abandon()
        self.store.mirror.close = self.store.mirror.abandon  # type: ignore[method-assign,assignment]
        await self.close()

    async def delete_index(self) -> None:
        """The index is gone, files and config.db stay."""
        for path in self.data_dir.glob("index.db*"):
            path.unlink()
        if self.database != "sqlite":
            url = self.database.replace("postgresql://", "postgresql+asyncpg://")
            engine = create_async_engine(url)
            async with engine.begin() as conn:
                await conn.run_sync(metadata.drop_all)
            await engine.dispose()

    async def repair(self) -> RepairReport:
        return await repair_index(
            self.data_dir,
            self.maildir,
            self.database,
            self.offload,
            SystemClock(),
            HOST,
            limits={USER: (0, 0)},
        )

    async def append(
        self, name: str, subjects: Sequence[str], marked: Flags = NO_FLAGS, date: float = 1.5e9
    ) -> Sequence[int]:
        """UIDs of new messages."""
        made = [Append(content(message(subject)), marked, date) for subject in subjects]
        return (await self.store.append(USER, name, made)).target

    async def box(self, name: str) -> Mailbox:
        return await self.store.mailbox(USER, name)

    async def seen(self) -> Seen:
        """Every message as IMAP would show it: bytes, flags, INTERNALDATE, by mailbox and UID."""
        shown: Seen = {}
        for box in await self.store.mailboxes(USER):
            if not box.selectable:
                continue
            view = await self.store.view(USER, box.id)
            rows = [row async for part in self.store.rows(USER, box.id, view.uids) for row in part]
            assert [row.uid for row in rows] == list(view.uids)
            shown[box.name] = {
                row.uid: (
                    await self.store.read_body(USER, row.blob, box.id, row.uid),
                    row.flags,
                    int(row.internaldate),
                )
                for row in rows
            }
            view.release()
        return shown

    def maildir_view(self, root: Path) -> dict[str, list[tuple[bytes, str]]]:
        """What Python's mailbox.Maildir shows by folder: bytes and Maildir flags."""
        top = mailbox.Maildir(root, create=False)
        folders = {"INBOX": top} | {name: top.get_folder(name) for name in top.list_folders()}
        return {
            name: sorted(
                (folder.get_bytes(key), folder.get_message(key).get_flags())
                for key in folder.iterkeys()
            )
            for name, folder in folders.items()
        }


@asynccontextmanager
async def opened_site(folder: Path, kind: str) -> AsyncIterator[StoreSite]:
    """An open store with USER, on `sqlite` or `postgresql`."""
    offload = Offload(processes=1)
    try:
        async with own_database(kind) as database:
            site = StoreSite(folder, database, offload)
            await site.open()
            try:
                await site.store.add_account(USER)
                yield site
            finally:
                await site.close()
    finally:
        offload.close()
