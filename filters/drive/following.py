"""What a link gives to whom: the checks, in an order in which nothing is told to who has not the
right signature.
"""

import re
from typing import Final

from auth.password import verify_password
from config.clock import Clock
from filters.drive.contents import Contents
from filters.drive.service import Follower, LinkRefused, Opened, Signed, Why
from filters.drive.signature import is_signature
from net.limits import Gcra
from net.threads import Busy, Offload
from storage.drive_keys import DriveKeys
from storage.drive_links import DriveLinks
from storage.drive_values import Audience, ItemId, Link, LinkId, NoSuchItem, State, Terms
from storage.values import AccountId

TRIES: Final = 10
"""Wrong passwords of one link that are looked at in a minute."""
_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_KEY: Final = bytes(32)
_NOBODY: Final = AccountId(0)


class Following:
    """One a process."""

    def __init__(
        self,
        links: DriveLinks,
        keys: DriveKeys,
        contents: Contents,
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._links, self._keys, self._contents = links, keys, contents
        self._offload, self._clock = offload, clock
        self._tries = Gcra(TRIES, clock)

    async def follow(self, signed: Signed, follower: Follower) -> Opened:
        """Raises LinkRefused, StoreError."""
        link = await self._signed(signed)
        terms = link.terms
        if terms.expires <= self._clock.now() or (terms.most and link.downloads >= terms.most):
            raise LinkRefused(Why.EXPIRED)
        if terms.audience is Audience.USERS and not await follower.is_user():
            raise LinkRefused(Why.LOGIN)
        if terms.password is not None:
            await self._password(link, terms.password, follower.password)
        return await self._opened(link)

    async def take(self, number: LinkId) -> None:
        """Raises LinkRefused, StoreError."""
        if not await self._links.count(number):
            raise LinkRefused(Why.EXPIRED)

    async def _signed(self, signed: Signed) -> Link:
        """The work is the same whether there is such a link or not."""
        link = await self._links.find(signed.id)
        numbers = _NUMBER.fullmatch(signed.expires), _NUMBER.fullmatch(signed.key)
        expires, number = (int(one[0]) if one else 0 for one in numbers)
        key = await self._keys.get(number)
        told = link or Link(signed.id, _NOBODY, ItemId(""), "", "", 0, Terms(0), 0.0)
        right = is_signature(key or _KEY, told, signed.signature)
        if link is None or key is None or not right or link.revoked is not None:
            raise LinkRefused(Why.ABSENT)
        if (link.terms.expires, link.key) != (expires, number):
            raise LinkRefused(Why.ABSENT)
        return link

    async def _password(self, link: Link, stored: str, given: str | None) -> None:
        if given is None:
            raise LinkRefused(Why.PASSWORD)
        if not self._tries.take(link.id):
            raise LinkRefused(Why.TOO_MANY)
        try:
            right = await self._offload.hash(_rank, verify_password, given, stored)
        except Busy:
            raise LinkRefused(Why.TOO_MANY) from None
        if not right:
            raise LinkRefused(Why.PASSWORD)
        self._tries.give_back(link.id)  # else a film in pieces is too many

    async def _opened(self, link: Link) -> Opened:
        try:
            content = await self._contents.find(link.account, link.item)
        except NoSuchItem:
            raise LinkRefused(Why.ABSENT) from None
        if content.item.content != link.content:
            raise LinkRefused(Why.ABSENT)
        match await self._contents.state(content):
            case State.INFECTED:
                raise LinkRefused(Why.INFECTED)
            case State.PENDING | State.ERROR:
                raise LinkRefused(Why.PENDING)
        disposition = content.disposition(link.terms.disposition)
        return content.opened(link.name, disposition, whole_only=bool(link.terms.most))


def _rank() -> float:
    """Behind those who log in."""
    return 1.0
