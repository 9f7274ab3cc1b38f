"""Files and attachments of an account in one list, the newest first, page by page.

Each page is bounded in what it looks at: it may have fewer items than were asked for and still not
be the last.
"""

from collections.abc import Callable
from dataclasses import replace

from filters.drive.parts import FoundPart, Parts
from filters.drive.service import Asker, Page, Place
from storage.drive_items import DriveItems
from storage.drive_values import Item, State
from storage.values import BlobId, MailboxId

MAX_PAGE = 200


class Listing:
    """Of all accounts."""

    def __init__(self, items: DriveItems, parts: Parts, scans: Callable[[], bool]) -> None:
        """`scans`: whether there is a scanner to say anything."""
        self._items, self._parts, self._scans = items, parts, scans

    async def visible(self, asker: Asker) -> frozenset[MailboxId]:
        """Mailboxes whose messages the login may read."""
        return await self._parts.visible(asker)

    async def page(
        self, asker: Asker, kind: str, folder: str | None, after: Place, limit: int
    ) -> Page:
        """As DriveService.items."""
        limit = max(1, min(limit, MAX_PAGE))
        files = kind != "attachment" and not asker.grant.folders
        parts = kind != "file" and folder is None
        place = replace(
            after,
            files_over=after.files_over or not files,
            parts_over=after.parts_over or not parts,
        )
        kept: list[Item] = []
        if not place.files_over:
            kept = await self._items.page(asker.account, folder, place.file, limit)
        mail: list[list[FoundPart]] = []
        rest: BlobId | None = None
        if not place.parts_over:
            mail, rest = await self._mail(asker, place, limit)
        page = _merged(kept, mail, rest, place, limit)
        if self._scans():
            return page
        return replace(page, items=tuple(map(_unscanned, page.items)))

    async def _mail(
        self, asker: Asker, place: Place, limit: int
    ) -> tuple[list[list[FoundPart]], BlobId | None]:
        """Beginning with the message of which some attachments were told already."""
        within = await self._parts.visible(asker)
        before = None if place.message is None else BlobId(place.message)
        if before is not None and place.told:
            before = BlobId(before + 1)
        return await self._parts.page(asker.account, within, before, limit + place.told)


def _unscanned(item: Item) -> Item:
    pending = item.state in (State.PENDING, State.ERROR)
    return replace(item, state=State.UNSCANNED) if pending else item


def _merged(
    files: list[Item],
    mail: list[list[FoundPart]],
    rest: BlobId | None,
    place: Place,
    limit: int,
) -> Page:
    """Both in their own order, the newer of the two heads first."""
    parts = [(one.item, number) for message in mail for number, one in enumerate(message, 1)]
    if place.told and parts and parts[0][0].message == place.message:
        parts = parts[place.told :]
    items: list[Item] = []
    kept, told = list(files), list(parts)
    while len(items) < limit and (kept or told):
        if kept and (not told or kept[0].created >= told[0][0].created):
            item = kept.pop(0)
            place = replace(place, file=(item.created, item.id))
        else:
            item, number = told.pop(0)
            place = replace(place, message=item.message, told=number)
        items.append(item)
    if not told and rest is not None:
        place = replace(place, message=rest, told=0)
    place = replace(
        place,
        files_over=place.files_over or (not kept and len(files) < limit),
        parts_over=place.parts_over or (not told and rest is None),
    )
    over = place.files_over and place.parts_over
    return Page(tuple(items), None if over else place)
