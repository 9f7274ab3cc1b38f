"""Addresses of the image proxy for the images of a message that is shown."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from config.clock import Clock
from web.images.signed import KEY, MAX_URL, signed_path
from web.rest.endpoint import Access, Call, Endpoint
from web.rest.models import Give, Take

IMAGES: Final = "images"
Secret = Callable[[str], Awaitable[bytes]]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=MAX_URL)]


class UrlsBody(Take):
    """Where images are, as the message says."""

    urls: Annotated[list[Url], Field(max_length=500)]


class PathsShape(Give):
    """In the order of the URLs: where this server gives them out, for a day."""

    paths: list[str]


class ImageResource:
    """`secret` gives a secret of the server by its name."""

    def __init__(self, secret: Secret, clock: Clock) -> None:
        self._secret, self._clock = secret, clock

    def endpoints(self) -> Sequence[Endpoint]:
        return [
            Endpoint(
                *("POST", "/images", IMAGES, "signImages", "Have remote images fetched"),
                *(self._sign, Access.MAIL, UrlsBody),
                gives=PathsShape,
            )
        ]

    async def _sign(self, call: Call) -> dict[str, list[str]]:
        key, now = await self._secret(KEY), self._clock.now()
        return {"paths": [signed_path(url, now, key) for url in call.taken(UrlsBody).urls]}
