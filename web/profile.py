"""/createProfile, bare and under /api/v1/, and /api/v1/profile with its photo."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from auth.caller import Caller
from auth.login_values import Login
from filters.profiles.service import BadProfile, NoPhoto, NotPermitted, Profile, ProfileService
from storage.credential_values import Protocol
from web.answering import EMPTY, LIMIT, Answering, json_of
from web.auth import PREFIXES
from web.bearers import Bearers
from web.json_body import read_fields
from web.paced_body import paced
from web.problem import ProblemResponse

PROFILE: Final = "/api/v1/profile"
PHOTO: Final = f"{PROFILE}/photo"
_SHOWN: Final = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
Handler = Callable[[Request, Login], Awaitable[Response]]


class ProfileApi:
    """The routes; `answering` wraps each."""

    def __init__(self, service: ProfileService, bearers: Bearers, answering: Answering) -> None:
        self._service, self._bearers, self._answering = service, bearers, answering

    def routes(self) -> Sequence[Route]:
        """For the registry."""
        made = [self._route(f"{prefix}/createProfile", "POST", self._create) for prefix in PREFIXES]
        return [
            *made,
            self._route(PROFILE, "GET", self._get),
            self._route(PROFILE, "PATCH", self._change),
            self._route(PHOTO, "GET", self._photo),
            self._route(PHOTO, "PUT", self._put_photo),
            self._route(PHOTO, "DELETE", self._remove_photo),
        ]

    def _route(self, path: str, method: str, handler: Handler) -> Route:
        async def answer(request: Request, caller: Caller) -> Response:
            login = await self._bearers.login(request, caller, Protocol.WEB)
            try:
                return await handler(request, login)
            except BadProfile as error:
                return ProblemResponse(422, str(error))
            except NotPermitted as error:
                return ProblemResponse(403, str(error))
            except NoPhoto:
                return ProblemResponse(404, "There is no photo")

        return Route(path, self._answering.answering(answer), methods=[method])

    async def _create(self, request: Request, login: Login) -> Response:
        fields = await read_fields(request, LIMIT)
        name = fields.text("display_name")
        profile, is_new = await self._service.create(
            login, name, fields.text("photo_url", needed=False)
        )
        return json_of(shown(profile), 201 if is_new else 200)

    async def _get(self, _request: Request, login: Login) -> Response:
        return json_of(shown(await self._service.get(login)))

    async def _change(self, request: Request, login: Login) -> Response:
        fields = await read_fields(request, LIMIT)
        return json_of(shown(await self._service.rename(login, fields.text("display_name"))))

    async def _put_photo(self, request: Request, login: Login) -> Response:
        return json_of(shown(await self._service.set_photo(login, paced(request.stream()))))

    async def _remove_photo(self, _request: Request, login: Login) -> Response:
        await self._service.remove_photo(login)
        return EMPTY()

    async def _photo(self, request: Request, login: Login) -> Response:
        photo, pieces = await self._service.photo(login)
        tag = f'"{photo.blob}"'
        headers = {**_SHOWN, "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            await pieces.aclose()
            return Response(status_code=304, headers=headers)
        headers["Content-Length"] = str(photo.size)
        return StreamingResponse(pieces, media_type=photo.type, headers=headers)


def shown(profile: Profile) -> dict[str, object]:
    """`photo_url` is null for no photo; it changes with the photo."""
    photo = profile.photo
    url = None if photo is None else f"{PHOTO}?{photo.blob[1:13]}"
    return {"address": profile.address, "display_name": profile.display_name, "photo_url": url}
