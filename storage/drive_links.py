"""Links to files and attachments of the drive; who read by them is storage/drive_reads.py.

Invariant: a download is counted before its first octet is sent, and never beyond what is allowed.
"""

import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Row, delete, func, insert, or_, select, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_drive_tables import drive_link
from storage.drive_names import part_id, part_of
from storage.drive_values import (
    MAX_LINKS,
    MAX_NOTE,
    Audience,
    BadDriveValue,
    Disposition,
    DriveFull,
    Item,
    ItemId,
    Link,
    LinkId,
    NoSuchLink,
    Terms,
)
from storage.values import AccountId, BlobId

_ID_OCTETS: Final = 16
_l = drive_link.c


class DriveLinks:
    """Belongs to the directory's database. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def add(self, account: AccountId, item: Item, key: int, terms: Terms) -> Link:
        """Raises BadDriveValue, DriveFull."""
        if terms.expires <= self._clock.now():
            raise BadDriveValue("The time until which a link is good must lie ahead")
        if terms.most < 0 or terms.most > 1_000_000 or len(terms.note) > MAX_NOTE:
            raise BadDriveValue("A link has up to 1000000 downloads and a note of 1000 characters")
        number = LinkId(secrets.token_urlsafe(_ID_OCTETS))
        made = Link(
            number, account, item.id, item.name, item.content, key, terms, self._clock.now()
        )
        await self._database.finish(self._add(made))
        return made

    async def _add(self, made: Link) -> None:
        async with self._database.writing() as at:
            count = select(func.count()).where(_l.account == made.account)
            if (await at.execute(count)).scalar_one() >= MAX_LINKS:
                raise DriveFull(f"An account has at most {MAX_LINKS} links")
            await at.execute(insert(drive_link).values(_values(made)))

    async def find(self, number: LinkId) -> Link | None:
        """Also one that is good no more."""
        found = await self._database.finish(self._select(_l.id == number))
        return found[0] if found else None

    async def of(
        self,
        account: AccountId,
        item: ItemId | None = None,
        *,
        after: tuple[float, str] | None = None,
        limit: int = 1000,
    ) -> list[Link]:
        """Those of an account, or of one of its files, the newest first; `after` is the place of
        the last one that is known: its time and id.
        """
        where = [_l.account == account]
        if item is not None:
            message = part_of(item)
            where += (
                [_l.item == item]
                if message is None
                else [_l.message == message[0], _l.part == message[1]]
            )
        if after is not None:
            at, number = after
            where.append(or_(_l.created < at, (_l.created == at) & (_l.id < number)))
        return await self._database.finish(self._select(*where, limit=limit))

    async def _select(self, *where: object, limit: int = 1) -> list[Link]:
        query = select(drive_link).where(*where)  # type: ignore[arg-type]
        query = query.order_by(_l.created.desc(), _l.id.desc()).limit(limit)
        async with self._database.reading() as at:
            return [_link(row) for row in await at.execute(query)]

    async def revoke(self, account: AccountId, number: LinkId) -> None:
        """Good no more, at once; it stays in lists with its log. Raises NoSuchLink."""
        await self._database.finish(self._revoke(account, number))

    async def _revoke(self, account: AccountId, number: LinkId) -> None:
        mine = (_l.account == account) & (_l.id == number)
        first = func.coalesce(_l.revoked, self._clock.now())
        async with self._database.writing() as at:
            if not (
                await at.execute(update(drive_link).where(mine).values(revoked=first))
            ).rowcount:
                raise NoSuchLink("There is no such link")

    async def count(self, number: LinkId) -> bool:
        """One download more; False, and nothing counted, where the link is revoked or used up."""
        return await self._database.finish(self._count(number))

    async def _count(self, number: LinkId) -> bool:
        room = or_(_l.most == 0, _l.downloads < _l.most)
        mine = update(drive_link).where(_l.id == number, _l.revoked.is_(None), room)
        async with self._database.writing() as at:
            return bool((await at.execute(mine.values(downloads=_l.downloads + 1))).rowcount)

    async def tidy(self, before: float) -> int:
        """Links that were good until then, or were revoked before, go with their logs; how many."""
        return await self._database.finish(self._tidy(before))

    async def _tidy(self, before: float) -> int:
        over = delete(drive_link).where(or_(_l.expires < before, _l.revoked < before))
        async with self._database.writing() as at:
            return (await at.execute(over)).rowcount

    async def drop_parts(self, account: AccountId, messages: Sequence[BlobId]) -> int:
        """Links to attachments of messages that are gone; how many."""
        return await self._database.finish(self._drop_parts(account, messages))

    async def _drop_parts(self, account: AccountId, messages: Sequence[BlobId]) -> int:
        gone = delete(drive_link).where(_l.account == account, _l.message.in_(messages))
        async with self._database.writing() as at:
            return (await at.execute(gone)).rowcount


def _values(made: Link) -> dict[str, object]:
    message = part_of(made.item)
    terms = made.terms
    return {
        "id": made.id,
        "account": made.account,
        "item": made.item if message is None else None,
        "message": None if message is None else message[0],
        "part": "" if message is None else message[1],
        "name": made.name,
        "content": made.content,
        "key": made.key,
        "disposition": terms.disposition.value,
        "audience": terms.audience.value,
        "password": terms.password,
        "note": terms.note,
        "most": terms.most,
        "downloads": made.downloads,
        "created": made.created,
        "expires": terms.expires,
        "revoked": made.revoked,
    }


def _link(row: Row[tuple[object, ...]]) -> Link:
    one = row._mapping
    item = one["item"]
    terms = Terms(
        one["expires"],
        Disposition(one["disposition"]),
        Audience(one["audience"]),
        one["password"],
        one["most"],
        one["note"],
    )
    return Link(
        LinkId(one["id"]),
        AccountId(one["account"]),
        ItemId(item) if item is not None else part_id(BlobId(one["message"]), one["part"]),
        one["name"],
        one["content"],
        one["key"],
        terms,
        one["created"],
        one["downloads"],
        one["revoked"],
    )
