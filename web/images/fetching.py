"""Fetches images of strangers' servers: bounded, by our own resolver, and nothing but images.

Invariants: no private address is asked, after redirects neither (net/guarded.py); no cookie, no
address of the reader and no name of ours goes along; what is given on is a raster image by its
octets, of a size that a browser can draw. SVG is none: it holds programs.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from cachetools import LRUCache, TTLCache

from message.image_head import image_head
from net.https import HttpsClient, HttpsError, HttpsResponse

MOST: Final = 5 * 1024 * 1024
SECONDS: Final = 5.0
REDIRECTS: Final = 3
PIXELS: Final = 50_000_000
AT_ONCE: Final = 32
KEPT: Final = 32 * 1024 * 1024
KEPT_SECONDS: Final = 3_600
FAILED_SECONDS: Final = 60
_HEADERS: Final = {
    "Accept": "image/png,image/jpeg,image/gif,image/webp",
    "User-Agent": "Mozilla/5.0",  # some refuse all that is no browser
}
_MOVED: Final = frozenset((301, 302, 303, 307, 308))


class NoImage(Exception):
    """There is none that may be shown; the text says why, without what the other side wrote."""


@dataclass(frozen=True, slots=True)
class Image:
    """Its octets, and what they are."""

    data: bytes
    media_type: str


class ImageFetcher:
    """One a process; `client` asks public addresses alone, `wanted` says whether any."""

    def __init__(self, client: HttpsClient, wanted: Callable[[], bool]) -> None:
        self._client, self._wanted = client, wanted
        self._kept: TTLCache[str, Image] = TTLCache(
            KEPT, KEPT_SECONDS, getsizeof=lambda image: len(image.data) + 512
        )
        self._failed: TTLCache[str, str] = TTLCache(10_000, FAILED_SECONDS)
        self._under_way: LRUCache[str, asyncio.Task[Image]] = LRUCache(10_000)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def get(self, url: str) -> Image:
        """Equal questions at once are asked once. Raises NoImage."""
        if not self._wanted():
            raise NoImage("no images are fetched here")
        if (image := self._kept.get(url)) is not None:
            return image
        if (reason := self._failed.get(url)) is not None:
            raise NoImage(reason)
        task = self._under_way.get(url)
        if task is None:
            task = asyncio.create_task(self._fetch(url))
            self._under_way[url] = task
            task.add_done_callback(partial(self._done, url))
        return await asyncio.shield(task)

    def _done(self, url: str, task: asyncio.Task[Image]) -> None:
        self._under_way.pop(url, None)
        if not task.cancelled():
            task.exception()  # who asked may have gone away

    async def _fetch(self, url: str) -> Image:
        try:
            async with asyncio.timeout(SECONDS), self._turns:
                image = await self._follow(url)
        except TimeoutError:
            reason = f"no answer within {SECONDS:g} s"
        except (HttpsError, NoImage) as error:
            reason = str(error)
        else:
            self._keep(url, image)
            return image
        self._failed[url] = reason
        raise NoImage(reason)

    def _keep(self, url: str, image: Image) -> None:
        if len(image.data) <= KEPT // 4:
            self._kept[url] = image

    async def _follow(self, url: str) -> Image:
        for _ in range(REDIRECTS + 1):
            parts = _parsed(url)
            found = await self._ask(parts)
            if found.status not in _MOVED:
                return _checked(found)
            url = _joined(url, found.location)
        raise NoImage("too many redirects")

    async def _ask(self, parts: SplitResult) -> HttpsResponse:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return await self._client.get(
            parts.hostname or "",
            path,
            limit=MOST,
            seconds=SECONDS,
            port=parts.port,
            headers=_HEADERS,
            plain=parts.scheme == "http",
        )


def _joined(url: str, location: str) -> str:
    """Raises NoImage."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise NoImage("it leads to no address") from None


def _parsed(url: str) -> SplitResult:
    """Raises NoImage."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NoImage("no address of an image") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise NoImage("no address of an image")
    if parts.username is not None or not all("!" <= sign <= "~" for sign in url):
        raise NoImage("no address of an image")
    return parts


def _checked(found: HttpsResponse) -> Image:
    """Raises NoImage."""
    if found.status != 200:
        raise NoImage(f"the other server says {found.status}")
    head = image_head(found.body)
    if head is None:
        raise NoImage("no image that is shown here")
    if head.pixels > PIXELS:
        raise NoImage("an image that is too large")
    return Image(found.body, head.media_type)
