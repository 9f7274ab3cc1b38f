"""The ProfileService in this process."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from auth.login_values import Login
from config.clock import Clock
from filters.blob_scanning import BlobScanner
from filters.drive.service import Asker, DriveService
from filters.profiles.service import BadProfile, NoPhoto, NotPermitted, Photo, Profile
from message.image_size import image_size
from message.sniffed import media_type
from storage.blob_values import Blob, BlobTooLarge, Kind, NoSuchBlob, Reference, Scan
from storage.blobs import Blobs
from storage.directory import Directory
from storage.directory_values import Account
from storage.drive_values import ItemId
from storage.errors import NoSuchAccount, OverQuota, StoreError
from storage.profiles import MAX_NAME
from storage.values import AccountId

MAX_PHOTO: Final = 5 * 1024 * 1024
MAX_PIXELS: Final = 16_000_000
"""Whoever shows it has to hold four octets of each."""
TYPES: Final = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp"))
_HEAD: Final = 256 * 1024
_REF: Final = "photo"
_PAGE: Final = 100
_PAGES: Final = 20
_NAME: Final = re.compile(f"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{{1,{MAX_NAME}}}")
_LINK: Final = re.compile(r"/d/([A-Za-z0-9_-]{1,64})/[^/]*")


class LocalProfileService:
    """Is filters.profiles.service.ProfileService."""

    def __init__(
        self,
        directory: Directory,
        blobs: Blobs,
        scanner: BlobScanner,
        drive: DriveService,
        clock: Clock,
    ) -> None:
        self._directory, self._profiles = directory, directory.profiles
        self._blobs, self._scanner, self._drive = blobs, scanner, drive
        self._clock = clock
        self._turns: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()

    async def create(self, login: Login, display_name: str, photo_url: str) -> tuple[Profile, bool]:
        _check_writes(login)
        name = _checked(display_name)
        pieces = await self._linked(login, photo_url) if photo_url else None
        is_new = await self._profiles.create(login.account)
        if pieces is not None:
            await self.set_photo(login, pieces)
        return await self.rename(login, name), is_new

    async def get(self, login: Login) -> Profile:
        user = await self._user(login)
        return Profile(user.address, user.name, await self._photo(login))

    async def rename(self, login: Login, display_name: str) -> Profile:
        _check_writes(login)
        name = _checked(display_name)
        user = await self._user(login)
        if name != user.name:
            await self._directory.set_name(user, name)
        return await self.get(login)

    async def set_photo(self, login: Login, pieces: AsyncIterable[bytes]) -> Profile:
        _check_writes(login)
        async with self._turn(login):
            await self._set_photo(login, pieces)
        return await self.get(login)

    def _turn(self, login: Login) -> asyncio.Lock:
        """One after the other: what one takes for the photo before is not another's."""
        return self._turns.setdefault(login.account, asyncio.Lock())

    async def _set_photo(self, login: Login, pieces: AsyncIterable[bytes]) -> None:
        before = await self._profiles.get(login.account)
        reference = Reference(Kind.PROFILE, _REF)
        try:
            blob = await self._blobs.put(login.account, pieces, reference, most=MAX_PHOTO)
        except (BlobTooLarge, OverQuota):
            raise BadProfile(f"A photo has at most {MAX_PHOTO} octets") from None
        try:
            kind = await self._kind(blob)
            await self._profiles.set_photo(login.account, blob.hash, kind)
        except BaseException:
            if before is None or before.photo != blob.hash:
                await self._blobs.unrefer(login.account, Kind.PROFILE, _REF, blob.hash)
            raise
        if before is not None and before.photo not in (None, blob.hash):
            await self._blobs.unrefer(login.account, Kind.PROFILE, _REF, before.photo)

    async def remove_photo(self, login: Login) -> None:
        _check_writes(login)
        async with self._turn(login):
            await self._profiles.set_photo(login.account, None, "")
            await self._blobs.unrefer(login.account, Kind.PROFILE, _REF)

    async def photo(self, login: Login) -> tuple[Photo, AsyncGenerator[bytes, None]]:
        found = await self._photo(login)
        if found is None:
            raise NoPhoto
        blob = await self._scanner.judged(await self._blobs.get(login.account, found.blob))
        if not self._scanner.may_leave(blob):
            raise NoPhoto
        return found, self._blobs.pieces(found.blob)

    async def _photo(self, login: Login) -> Photo | None:
        kept = await self._profiles.get(login.account)
        if kept is None or kept.photo is None:
            return None
        try:
            blob = await self._blobs.get(login.account, kept.photo)
        except NoSuchBlob:
            return None
        return Photo(blob.hash, kept.type, blob.size)

    async def _kind(self, blob: Blob) -> str:
        """The type of a photo that may be shown. Raises BadProfile."""
        head = await self._blobs.read(blob.hash, 0, min(_HEAD, blob.size))
        kind, size = media_type(head), image_size(head)
        if kind not in TYPES or size is None:
            raise BadProfile("A photo is a PNG, JPEG, GIF or WebP")
        if size[0] * size[1] > MAX_PIXELS:
            raise BadProfile(f"A photo has at most {MAX_PIXELS} pixels")
        if (await self._scanner.judged(blob)).scan is Scan.INFECTED:
            raise BadProfile("The photo is infected")
        return kind

    async def _linked(self, login: Login, url: str) -> AsyncGenerator[bytes, None]:
        """What a link of the account's own leads to. Raises BadProfile."""
        match = _LINK.fullmatch(_path(url))
        item = None if match is None else await self._item(login, match[1])
        try:
            if item is None:
                raise BadProfile("photo_url is no link of your drive")
            opened = await self._drive.open(_asker(login), item)
        except StoreError as error:
            raise BadProfile(f"photo_url: {error}") from None
        if opened.octets.size > MAX_PHOTO:
            raise BadProfile(f"A photo has at most {MAX_PHOTO} octets")
        return opened.octets.pieces(0, opened.octets.size)

    async def _item(self, login: Login, link: str) -> ItemId | None:
        after = None
        for _ in range(_PAGES):
            found = await self._drive.links(_asker(login), after=after, limit=_PAGE)
            for one in found:
                if one.id == link:
                    return one.item
            if len(found) < _PAGE:
                break
            after = (found[-1].created, found[-1].id)
        return None

    async def _user(self, login: Login) -> Account:
        user = await self._directory.account_by_id(login.account)
        if user is None:
            raise NoSuchAccount("The account is gone")
        return user


def _path(url: str) -> str:
    """Of a URL, "" for none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _asker(login: Login) -> Asker:
    return Asker(login.account, login.address, login.grant)


def _checked(display_name: str) -> str:
    name = display_name.strip()
    if not _NAME.fullmatch(name):
        raise BadProfile(f"A name has 1 to {MAX_NAME} characters on one line")
    return name


def _check_writes(login: Login) -> None:
    grant = login.grant
    if not grant.writes or grant.folders or grant.senders:
        raise NotPermitted("This login is not good for that")
