"""`/imgproxy`: remote images by signed addresses (web/images/signed.py)."""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from config.clock import Clock
from web.images.fetching import ImageFetcher, NoImage
from web.images.signed import KEY, MAX_URL, PATH, is_signed
from web.problem import ProblemResponse

_HEADERS: Final = {
    "Cache-Control": "private, max-age=86400, immutable",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Content-Disposition": "inline",
    "X-Content-Type-Options": "nosniff",
}


class ImageProxy:
    """The route; `secret` gives a secret of the server by its name."""

    def __init__(
        self, fetcher: ImageFetcher, secret: Callable[[str], Awaitable[bytes]], clock: Clock
    ) -> None:
        self._fetcher, self._secret, self._clock = fetcher, secret, clock

    def routes(self) -> Sequence[Route]:
        """For the registry."""
        return [Route(PATH, self._get, methods=["GET"])]

    async def _get(self, request: Request) -> Response:
        url, expires, signature = (request.query_params.get(name, "") for name in ("u", "e", "s"))
        key = await self._secret(KEY)
        known = len(url) <= MAX_URL and is_signed(url, expires, signature, self._clock.now(), key)
        if not known:
            return ProblemResponse(404, "no address that this server gave, or its time is over")
        tag = f'"{sha256(url.encode()).hexdigest()[:24]}"'
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={**_HEADERS, "ETag": tag})
        try:
            image = await self._fetcher.get(url)
        except NoImage as reason:
            return ProblemResponse(502, str(reason))
        return Response(image.data, media_type=image.media_type, headers={**_HEADERS, "ETag": tag})
