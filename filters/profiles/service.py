"""The ProfileService: the name that a user is shown by, and a photo.

Signatures belong to identities (storage/identities.py), other choices to the PreferenceStore.
"""

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from typing import Protocol

from auth.login_values import Login
from storage.blob_values import BlobHash


class BadProfile(ValueError):
    """A name or a photo that cannot be taken; the text may be shown."""


class NoPhoto(Exception):
    """The account has none, or it may not be shown."""


class NotPermitted(Exception):
    """The login reads only, or is good for a part of the account."""


@dataclass(frozen=True, slots=True)
class Photo:
    """Its octets are the blob's."""

    blob: BlobHash
    type: str
    size: int


@dataclass(frozen=True, slots=True)
class Profile:
    """`address` is the account's; `photo` None for none."""

    address: str
    display_name: str
    photo: Photo | None


class ProfileService(Protocol):
    """Raises StoreError. What changes something raises NotPermitted."""

    async def create(self, login: Login, display_name: str, photo_url: str) -> tuple[Profile, bool]:
        """Whether it is new; one that there is gets these. `photo_url` is a link of the account's
        own drive, "" for no photo. Raises BadProfile.
        """

    async def get(self, login: Login) -> Profile:
        """Of an account without a profile too."""

    async def rename(self, login: Login, display_name: str) -> Profile:
        """Raises BadProfile."""

    async def set_photo(self, login: Login, pieces: AsyncIterable[bytes]) -> Profile:
        """A PNG, JPEG, GIF or WebP. Raises BadProfile, and what `pieces` raises."""

    async def remove_photo(self, login: Login) -> None:
        """Also where there is none."""

    async def photo(self, login: Login) -> tuple[Photo, AsyncGenerator[bytes, None]]:
        """Raises NoPhoto."""
