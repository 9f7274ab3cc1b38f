"""The DriveService of this process (filters/drive/service.py)."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from dataclasses import replace
from math import ceil
from typing import Final, NoReturn
from urllib.parse import quote

from auth.grant import Grant
from config.clock import Clock
from config.sections_server import Drive
from filters.drive.contents import Content, Contents
from filters.drive.following import Following
from filters.drive.listing import Listing
from filters.drive.service import (
    Asker,
    Follower,
    Infected,
    NotPermitted,
    NotYet,
    Opened,
    Page,
    Place,
    Signed,
    Used,
    Wish,
)
from filters.drive.signature import signature
from message.sniffed import media_type
from storage.blob_values import Bound
from storage.drive_items import DriveItems, new_id
from storage.drive_keys import DriveKeys
from storage.drive_links import DriveLinks
from storage.drive_names import checked_folder, part_of
from storage.drive_reads import DriveReads
from storage.drive_values import (
    Audience,
    BadDriveValue,
    Disposition,
    DriveFull,
    Item,
    ItemId,
    Link,
    LinkId,
    NoSuchItem,
    Read,
    State,
    Terms,
)
from storage.store import Store
from storage.values import AccountId, MailboxId

_HEAD: Final = 64 * 1024
HashPassword = Callable[[str], Awaitable[str]]


class LocalDrive:
    """`drive` gives the section in force; `hash_password` is the authenticator's."""

    def __init__(
        self,
        store: Store,
        items: DriveItems,
        links: DriveLinks,
        reads: DriveReads,
        keys: DriveKeys,
        contents: Contents,
        listing: Listing,
        following: Following,
        drive: Callable[[], Drive],
        hash_password: HashPassword,
        clock: Clock,
    ) -> None:
        self._store, self._items, self._links = store, items, links
        self._reads, self._keys = reads, keys
        self._contents, self._listing, self._following = contents, listing, following
        self._drive, self._hash_password, self._clock = drive, hash_password, clock

    # Files and attachments.

    async def items(
        self, asker: Asker, *, kind: str = "", folder: str | None = None, after: Place, limit: int
    ) -> Page:
        return await self._listing.page(asker, kind, folder, after, limit)

    async def item(self, asker: Asker, number: ItemId) -> Item:
        content = await self._content(asker, number)
        return replace(content.item, state=await self._contents.state(content, hold=0.0))

    async def folders(self, asker: Asker) -> list[str]:
        return await self._items.folders(asker.account) if sees_files(asker.grant) else []

    async def used(self, asker: Asker) -> Used:
        return Used(await self._items.used(asker.account), await self._room(asker.account))

    async def upload(
        self, asker: Asker, name: str, folder: str, pieces: AsyncIterable[bytes]
    ) -> Item:
        _refuse_reader(asker.grant)
        checked_folder(folder)
        number, head = new_id(), bytearray()
        most, bound = self._drive().max_size, await self._bound(asker.account)
        stored = await self._items.store(
            asker.account, number, _watched(pieces, head), most=most, bound=bound
        )
        kind = media_type(bytes(head))
        made = await self._items.add(asker.account, number, name, folder, stored, kind)
        content = await self._contents.find(asker.account, made.id)
        state = await self._contents.state(content)
        if state is State.INFECTED:
            await self._items.delete(asker.account, made.id)
            raise Infected("A virus was found in the file; it is not kept")
        return replace(made, state=state)

    async def keep(self, asker: Asker, number: ItemId, folder: str = "") -> Item:
        _refuse_reader(asker.grant)
        content = await self._content(asker, number)
        if not content.item.is_part:
            raise BadDriveValue("Only an attachment can be kept")
        await self._pass(content)
        pieces = content.octets.pieces(0, content.octets.size)
        try:
            return await self.upload(asker, content.item.name, folder, pieces)
        finally:
            await pieces.aclose()

    async def change(
        self, asker: Asker, number: ItemId, name: str | None, folder: str | None
    ) -> Item:
        _refuse_reader(asker.grant)
        _refuse_part(number)
        return await self._items.change(asker.account, number, name, folder)

    async def delete(self, asker: Asker, number: ItemId) -> None:
        _refuse_reader(asker.grant)
        _refuse_part(number)
        await self._items.delete(asker.account, number)

    async def open(self, asker: Asker, number: ItemId) -> Opened:
        content = await self._content(asker, number)
        await self._pass(content)
        return content.opened(content.item.name, Disposition.ATTACHMENT)

    # Links.

    async def link(self, asker: Asker, number: ItemId, wish: Wish, *, ahead: bool = False) -> Link:
        _refuse_reader(asker.grant)
        drive = self._drive()
        seconds = wish.seconds or drive.link_expires
        if not 1 <= seconds <= drive.link_expires_most:
            most = int(drive.link_expires_most)
            raise BadDriveValue(f"A link is good for 1 to {most} seconds")
        if wish.password and wish.audience is Audience.USERS:
            raise BadDriveValue("A link has a password, or is for users who log in, not both")
        content = await self._content(asker, number)
        if not ahead:
            await self._pass(content)
        password = await self._hash_password(wish.password) if wish.password else None
        terms = Terms(
            ceil(self._clock.now() + seconds),
            content.disposition(wish.disposition),
            wish.audience,
            password,
            wish.most,
            wish.note,
        )
        key, _ = await self._keys.current()
        return await self._links.add(asker.account, content.item, key, terms)

    async def links(
        self,
        asker: Asker,
        number: ItemId | None = None,
        *,
        after: tuple[float, str] | None = None,
        limit: int = 100,
    ) -> list[Link]:
        if not sees_files(asker.grant):
            return []
        return await self._links.of(asker.account, number, after=after, limit=limit)

    async def path(self, link: Link) -> str:
        key = await self._keys.get(link.key)
        if key is None:
            return ""
        query = f"e={link.terms.expires}&k={link.key}&s={signature(key, link)}"
        return f"/d/{link.id}/{quote(link.name, safe='')}?{query}"

    async def revoke(self, asker: Asker, number: LinkId) -> None:
        _refuse_reader(asker.grant)
        await self._links.revoke(asker.account, number)

    async def reads(self, asker: Asker, number: LinkId) -> list[Read]:
        if not sees_files(asker.grant):
            return []
        return await self._reads.of(asker.account, number)

    async def follow(self, signed: Signed, follower: Follower) -> Opened:
        return await self._following.follow(signed, follower)

    async def take(self, number: LinkId) -> None:
        await self._following.take(number)

    def note(self, number: LinkId, follower: Follower, status: int) -> None:
        self._reads.note(number, follower.peer, follower.agent, status)

    async def _content(self, asker: Asker, number: ItemId) -> Content:
        within: frozenset[MailboxId] | None = None
        if part_of(number) is None:
            if not sees_files(asker.grant):
                _refuse_absent()
        else:
            within = await self._listing.visible(asker)
        return await self._contents.find(asker.account, number, within)

    async def _pass(self, content: Content) -> None:
        match await self._contents.state(content):
            case State.INFECTED:
                raise Infected("A virus was found in it")
            case State.PENDING | State.ERROR:
                raise NotYet("The virus scanner has not looked at it yet")

    async def _bound(self, account: AccountId) -> Bound:
        room = await self._room(account)
        if room == 0:
            raise DriveFull("There is no room: the account's mail takes all of it")
        return Bound(octets=room or 0)

    async def _room(self, account: AccountId) -> int | None:
        """What the files may have: drive.quota, else what the mail leaves of the account's; None
        without bound.
        """
        if quota := self._drive().quota:
            return quota
        usage = await self._store.usage(account)
        return max(usage.limit_bytes - usage.bytes, 0) if usage.limit_bytes else None


def sees_files(grant: Grant) -> bool:
    """Files and links are in no folder of mail: who sees some of these alone has none."""
    return not grant.folders


def _refuse_reader(grant: Grant) -> None:
    if not grant.writes or not sees_files(grant):
        raise NotPermitted("This login may not change the drive")


def _refuse_part(number: ItemId) -> None:
    if part_of(number) is not None:
        raise NotPermitted("Attachments change with their mail; keep a copy first")


def _refuse_absent() -> NoReturn:
    raise NoSuchItem("There is no such file")


async def _watched(pieces: AsyncIterable[bytes], head: bytearray) -> AsyncGenerator[bytes, None]:
    """The pieces, their beginning kept beside."""
    async for piece in pieces:
        if len(head) < _HEAD:
            head += piece[: _HEAD - len(head)]
        yield piece
