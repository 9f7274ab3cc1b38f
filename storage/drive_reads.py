"""Who read by links of the drive. A download in many ranges is many requests: what they were waits
in memory for a second and is written together.

Invariant: a link has MAX_READS rows at most, the newest.
"""

from itertools import count
from typing import ClassVar, Final

from sqlalchemy import delete, func, insert, select

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_drive_tables import drive_link, drive_read
from storage.drive_values import MAX_READS, LinkId, NoSuchLink, Read
from storage.values import AccountId
from storage.write_behind import WriteBehind

_MAX_AGENT: Final = 200
_MAX_ADDRESS: Final = 64
_l, _r = drive_link.c, drive_read.c
_Row = tuple[LinkId, Read]


class DriveReads(WriteBehind[int, _Row]):
    """Belongs to the directory's database. Raises StoreError."""

    log_of: ClassVar[str] = "drive"
    not_written: ClassVar[str] = "who read by links is not written"
    flush_seconds: ClassVar[float] = 1.0
    piece: ClassVar[int] = 1000

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        super().__init__(database, clock)
        self._numbers = count()

    def note(self, link: LinkId, address: str, agent: str, status: int) -> None:
        """In SQL a second later."""
        made = Read(self._clock.now(), address[:_MAX_ADDRESS], agent[:_MAX_AGENT], status)
        self._put(next(self._numbers), (link, made))

    async def of(self, account: AccountId, link: LinkId) -> list[Read]:
        """The newest first, with what waits. Raises NoSuchLink."""
        await self._flush()
        return await self._database.finish(self._reads(account, link))

    async def _reads(self, account: AccountId, link: LinkId) -> list[Read]:
        there = select(_l.id).where(_l.id == link, _l.account == account)
        query = select(_r.at, _r.address, _r.agent, _r.status).where(_r.link == link)
        async with self._database.reading() as at:
            if (await at.execute(there)).scalar() is None:
                raise NoSuchLink("There is no such link")
            rows = await at.execute(query.order_by(_r.id.desc()).limit(MAX_READS))
            return [Read(*row) for row in rows]

    async def prune(self) -> None:
        """Each write sees to its links."""

    async def _write(self, waiting: dict[int, _Row]) -> None:
        names = list(dict.fromkeys(link for link, _ in waiting.values()))
        async with self._database.writing() as at:
            known = await at.execute(select(_l.id).where(_l.id.in_(names)))
            there = {row[0] for row in known}
            rows = [
                {
                    "link": link,
                    "at": one.at,
                    "address": one.address,
                    "agent": one.agent,
                    "status": one.status,
                }
                for link, one in waiting.values()
                if link in there
            ]
            if rows:
                await at.execute(insert(drive_read), rows)
            for name in there:
                counted = select(func.count()).where(_r.link == name)
                if (await at.execute(counted)).scalar_one() <= MAX_READS:
                    continue
                kept = select(_r.id).where(_r.link == name).order_by(_r.id.desc())
                border = (await at.execute(kept.offset(MAX_READS).limit(1))).scalar_one()
                await at.execute(delete(drive_read).where(_r.link == name, _r.id <= border))
