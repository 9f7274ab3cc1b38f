"""Files that accounts keep in the drive: their octets are blobs (storage/blobs.py), here is what
they are called.

Invariants: a file's blob is referred to before the file is there, and until it is gone; a reference
without a file, which a kill may leave, is ended by `tidy`.
"""

import secrets
from collections.abc import AsyncIterable
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import delete, func, insert, or_, select, update

from config.clock import Clock
from storage.blob_values import Blob, BlobHash, Bound, Kind, Reference, Scan
from storage.blobs import Blobs
from storage.config_blob_tables import blob, blob_ref
from storage.config_database import ConfigDatabase
from storage.config_drive_tables import drive_item
from storage.drive_names import checked_folder, tidy_name
from storage.drive_values import MAX_ITEMS, DriveFull, Item, ItemId, NoSuchItem, State
from storage.finished import finished
from storage.values import AccountId

_ID_OCTETS: Final = 12
_AGE: Final = 3600.0
_i, _b, _r = drive_item.c, blob.c, blob_ref.c
_COLUMNS = (
    _i.id,
    _i.name,
    _i.folder,
    _i.content,
    _i.size,
    _i.type,
    _i.created,
    _i.changed,
    _b.scan,
)
_JOINED = drive_item.outerjoin(blob, _b.hash == _i.content)


def new_id() -> ItemId:
    """For a file that is to be made; none begins as the id of an attachment does."""
    return ItemId(f"D{secrets.token_hex(_ID_OCTETS)}")


class DriveItems:
    """Belongs to the directory's database. Every call raises StoreError."""

    def __init__(self, database: ConfigDatabase, blobs: Blobs, clock: Clock) -> None:
        self.database, self._blobs, self._clock = database, blobs, clock

    async def store(
        self,
        account: AccountId,
        number: ItemId,
        pieces: AsyncIterable[bytes],
        *,
        most: int,
        bound: Bound,
    ) -> Blob:
        """The octets of a file that `add` makes then. Raises as Blobs.put."""
        reference = Reference(Kind.DRIVE, number)
        return await self._blobs.put(account, pieces, reference, most=most, bound=bound)

    async def add(
        self, account: AccountId, number: ItemId, name: str, folder: str, stored: Blob, kind: str
    ) -> Item:
        """Raises BadDriveValue, DriveFull; the octets go then."""
        try:
            now = self._clock.now()
            made = Item(
                number,
                tidy_name(name),
                checked_folder(folder),
                stored.hash,
                stored.size,
                kind,
                now,
                now,
                State(stored.scan.value),
            )
            await self._insert(account, made)
        except BaseException:
            await self._blobs.unrefer(account, Kind.DRIVE, number)
            raise
        return made

    @finished
    async def _insert(self, account: AccountId, made: Item) -> None:
        row = {
            "name": made.name,
            "folder": made.folder,
            "content": made.content,
            "size": made.size,
            "type": made.type,
            "created": made.created,
            "changed": made.changed,
        }
        async with self.database.writing() as at:
            count = select(func.count()).where(_i.account == account)
            if (await at.execute(count)).scalar_one() >= MAX_ITEMS:
                raise DriveFull(f"An account has at most {MAX_ITEMS} files")
            await at.execute(insert(drive_item).values(id=made.id, account=account, **row))

    async def get(self, account: AccountId, number: ItemId) -> Item:
        """Raises NoSuchItem."""
        found = await self._select(_i.account == account, _i.id == number, limit=1)
        if not found:
            raise NoSuchItem("There is no such file")
        return found[0]

    async def page(
        self,
        account: AccountId,
        folder: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 100,
    ) -> list[Item]:
        """The newest first, of one folder or of all; `after` is the place of the last one that is
        known: its time and id.
        """
        where: list[Any] = [_i.account == account]
        if folder is not None:
            where.append(_i.folder == folder)
        if after is not None:
            at, number = after
            where.append(or_(_i.created < at, (_i.created == at) & (_i.id < number)))
        return await self._select(*where, limit=limit)

    @finished
    async def _select(self, *where: Any, limit: int) -> list[Item]:
        query = select(*_COLUMNS).select_from(_JOINED).where(*where)
        query = query.order_by(_i.created.desc(), _i.id.desc()).limit(limit)
        async with self.database.reading() as at:
            return [_item(tuple(row)) for row in await at.execute(query)]

    async def folders(self, account: AccountId) -> list[str]:
        """Those that have files, by name."""
        query = select(_i.folder).where(_i.account == account, _i.folder != "").distinct()
        async with self.database.reading() as at:
            return sorted(row[0] for row in await at.execute(query))

    async def change(
        self, account: AccountId, number: ItemId, name: str | None, folder: str | None
    ) -> Item:
        """Another name or folder, None for the same. Raises NoSuchItem, BadDriveValue."""
        old = await self.get(account, number)
        made = replace(
            old,
            name=old.name if name is None else tidy_name(name),
            folder=old.folder if folder is None else checked_folder(folder),
            changed=self._clock.now(),
        )
        await self._update(account, made)
        return made

    @finished
    async def _update(self, account: AccountId, made: Item) -> None:
        values = {"name": made.name, "folder": made.folder, "changed": made.changed}
        mine = update(drive_item).where(_i.account == account, _i.id == made.id)
        async with self.database.writing() as at:
            if not (await at.execute(mine.values(values))).rowcount:
                raise NoSuchItem("There is no such file")

    async def delete(self, account: AccountId, number: ItemId) -> None:
        """With its links. Raises NoSuchItem."""
        await self._delete(account, number)
        await self._blobs.unrefer(account, Kind.DRIVE, number)

    @finished
    async def _delete(self, account: AccountId, number: ItemId) -> None:
        gone = delete(drive_item).where(_i.account == account, _i.id == number)
        async with self.database.writing() as at:
            if not (await at.execute(gone)).rowcount:
                raise NoSuchItem("There is no such file")

    async def owners(self, content: str) -> list[tuple[AccountId, str]]:
        """Whose files have this content, and how they are called."""
        query = select(_i.account, _i.name).where(_i.content == content)
        async with self.database.reading() as at:
            return [(AccountId(row[0]), row[1]) for row in await at.execute(query)]

    async def used(self, account: AccountId) -> int:
        """Octets of the files, equal ones counted once."""
        return (await self._blobs.usage(account, Kind.DRIVE)).octets

    @finished
    async def tidy(self) -> int:
        """Ends references of files that an upload was cut off before; how many."""
        there = select(_i.id).where(_i.account == _r.account, _i.id == _r.ref).exists()
        old = _r.created < self._clock.now() - _AGE
        gone = delete(blob_ref).where(_r.kind == Kind.DRIVE.value, old, ~there)
        async with self.database.writing() as at:
            return (await at.execute(gone)).rowcount


def _item(row: tuple[Any, ...]) -> Item:
    number, name, folder, content, size, kind, created, changed, scan = row
    state = State(scan) if scan is not None else State(Scan.PENDING.value)
    hashed = BlobHash(content)
    return Item(ItemId(number), name, folder, hashed, size, kind, created, changed, state)
