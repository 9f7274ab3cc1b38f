"""`/d/<id>/<name>?e=&k=&s=`: what signed links lead to. No cookie is read or set.

Whatever is wrong with a link, the answer is the same 404, until its signature is right: then 410
says that its time is over, 401 that a password or a login is missing, 451 and 503 what the virus
scanner said.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from auth.caller import Caller
from auth.login_values import Login
from filters.drive.service import DriveService, Follower, LinkRefused, Signed, Why
from net.limits import MINUTE
from storage.credential_values import Protocol
from storage.drive_values import LinkId
from web.answering import Answering
from web.drive.sending import response_of
from web.drive.streams import Streams
from web.logins import CHALLENGE, Logins
from web.problem import ProblemResponse

PATH: Final = "/d/{link}/{name:path}"
_MAX: Final = 1000
_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_PASSWORD: Final = {"WWW-Authenticate": 'Basic realm="this file", charset="UTF-8"'}
_ANSWERS: Final[dict[Why, tuple[int, str, float, dict[str, str]]]] = {
    Why.ABSENT: (404, "There is no such file, or this link is not good any more.", 0, {}),
    Why.EXPIRED: (410, "The time of this link is over.", 0, {}),
    Why.LOGIN: (401, "Log in to have this file.", 0, {"WWW-Authenticate": CHALLENGE}),
    Why.PASSWORD: (401, "This file has a password.", 0, _PASSWORD),
    Why.TOO_MANY: (429, "Too many passwords were tried. Try again later.", MINUTE, {}),
    Why.PENDING: (503, "The virus scanner has not looked at this file yet.", 5, {}),
    Why.INFECTED: (451, "A virus was found in this file: it is not given out.", 0, {}),
}


class LinkRoutes:
    """The route."""

    def __init__(
        self, drive: DriveService, logins: Logins, answering: Answering, streams: Streams
    ) -> None:
        self._drive, self._logins, self._answering = drive, logins, answering
        self._streams = streams

    def routes(self) -> Sequence[Route]:
        """For the registry."""
        return [Route(PATH, self._answering.answering(self._follow, counted=False))]

    async def _follow(self, request: Request, caller: Caller) -> Response:
        signed = _signed(request)
        if signed is None:
            return _refusal(request, Why.ABSENT)
        leave = self._streams.enter(caller.peer, signed.id)
        if leave is None:
            return _page(request, 429, "Too many downloads at once.", 2, {})
        follower = await self._follower(request, caller)
        try:
            opened = await self._drive.follow(signed, follower)
            response = response_of(request, opened, leave)
            if opened.whole_only and response.status_code == 200 and request.method == "GET":
                await self._drive.take(signed.id)
        except LinkRefused as refused:
            leave()
            if refused.why is not Why.ABSENT:
                self._drive.note(signed.id, follower, _ANSWERS[refused.why][0])
            return _refusal(request, refused.why)
        except BaseException:
            leave()
            raise
        self._drive.note(signed.id, follower, response.status_code)
        return response

    async def _follower(self, request: Request, caller: Caller) -> Follower:
        """Basic is a login, and for a link with a password that: its user name says nothing."""
        given = request.headers.get("authorization", "")
        follower = Follower(caller.peer, caller.client, password=_password(given))
        if not given:
            return follower
        caller = replace(caller, protocol=Protocol.JMAP)
        return replace(follower, is_user=partial(self._is_user, given, caller))

    async def _is_user(self, authorization: str, caller: Caller) -> bool:
        return isinstance(await self._logins.login(authorization, caller), Login)


def _signed(request: Request) -> Signed | None:
    """None where it can't be one of ours."""
    query = request.query_params
    texts = [request.path_params["link"], *(query.get(name, "") for name in "eks")]
    if not _ID.fullmatch(texts[0]):
        return None
    if any(not text or len(text) > _MAX or not text.isascii() for text in texts):
        return None
    return Signed(LinkId(texts[0]), *texts[1:])


def _password(authorization: str) -> str | None:
    """That of Basic (RFC 7617); None where there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic" or len(value) > _MAX:
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return text.partition(":")[2]


def _refusal(request: Request, why: Why) -> Response:
    return _page(request, *_ANSWERS[why])


def _page(
    request: Request, status: int, text: str, wait: float, headers: dict[str, str]
) -> Response:
    """For people a page, for programs a problem."""
    problem = ProblemResponse(status, text, wait=wait, headers=headers)
    if "text/html" not in request.headers.get("accept", ""):
        return problem
    told = escape(text)
    page = HTMLResponse(f"<!doctype html><title>{told}</title><p>{told}</p>", status)
    for name in ("cache-control", "retry-after", "www-authenticate"):
        if name in problem.headers:
            page.headers[name] = problem.headers[name]
    return page
