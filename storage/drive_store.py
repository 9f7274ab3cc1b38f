"""The rows of the drive, opened once a process."""

from dataclasses import dataclass
from typing import Self

from config.clock import Clock
from storage.blobs import Blobs
from storage.config_database import ConfigDatabase
from storage.drive_items import DriveItems
from storage.drive_keys import DriveKeys
from storage.drive_links import DriveLinks
from storage.drive_parts import DriveParts
from storage.drive_reads import DriveReads


@dataclass(frozen=True, slots=True)
class DriveStore:
    """Close it before the database."""

    items: DriveItems
    links: DriveLinks
    reads: DriveReads
    parts: DriveParts
    keys: DriveKeys

    @classmethod
    def of(cls, database: ConfigDatabase, blobs: Blobs, clock: Clock) -> Self:
        """In config.db."""
        return cls(
            DriveItems(database, blobs, clock),
            DriveLinks(database, clock),
            DriveReads(database, clock),
            DriveParts(database),
            DriveKeys(database),
        )

    async def close(self) -> None:
        """Writes what waits."""
        await self.reads.close()
