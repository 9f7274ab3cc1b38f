"""Idempotency-Key: a request that comes again is answered as before and does nothing twice.

The key counts for the account; beside it stands what was asked, so that a key for something else is
refused. What was refused did nothing, and is not kept; what broke off may have done it.
"""

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from auth.service import Problem
from storage.answers import MAX_BODY, Answers, Claim, Stored
from storage.errors import StoreError
from storage.values import AccountId
from web.json_body import BadBody
from web.rest.errors import RestError

FIELD: Final = "idempotency-key"
MAX_KEY: Final = 255
KEY: Final = r"[!-~]([ -~]*[!-~])?"
_KEPT: Final = ("content-type", "location", "etag", "cache-control")
_ABOUT: Final = ("content-type", "content-length", "content-digest")
_UNTOLD: Final = "untold"
_REFUSALS: Final = (RestError, Problem, BadBody, ClientDisconnect, StoreError)
"""What says that nothing was done; a ClientDisconnect comes of a body that is not whole."""


class Repeats:
    """`answers` are those of all processes."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def once(
        self,
        request: Request,
        account: AccountId,
        data: bytes,
        work: Callable[[], Awaitable[Response]],
        *,
        secret: bool,
    ) -> Response:
        """The answer of `work`, or the one that it gave before. With `secret` that is not kept,
        only that it was given. Raises RestError, StoreError, and what `work` raises.
        """
        key = _key(request)
        found = await self._answers.claim(account, key, _asked(request, data))
        if isinstance(found, Stored):
            return _again(found)
        if found is Claim.OTHER:
            raise RestError(422, "this Idempotency-Key was for another request")
        if found is Claim.RUNNING:
            raise RestError(409, "the request with this Idempotency-Key is under way", wait=1)
        if found is Claim.BROKEN:
            raise RestError(409, "this broke off and may be done: look, then ask with another key")
        try:
            response = await work()
        except _REFUSALS:
            await self._answers.release(account, key)
            raise
        except BaseException:
            await self._answers.give_up(account, key)
            raise
        if response.status_code >= 300:
            await self._answers.release(account, key)
        else:
            await self._answers.store(account, key, _stored(response, secret=secret))
        return response


def _key(request: Request) -> bytes:
    given = request.headers.getlist(FIELD)
    text = given[0]
    if len(given) > 1 or len(text) > MAX_KEY or not re.fullmatch(KEY, text):
        raise RestError(400, f"Idempotency-Key has 1 to {MAX_KEY} printable characters")
    return sha256(text.encode()).digest()


def _asked(request: Request, data: bytes) -> bytes:
    target = request.scope["raw_path"] + b"?" + request.scope["query_string"]
    # of what is read as a stream: how long it is, and its digest where the client gives one
    # (RFC 9530)
    about = "\0".join(request.headers.get(name, "") for name in _ABOUT).encode()
    return sha256(b"\0".join((request.method.encode(), target, about, data))).digest()


def _stored(response: Response, *, secret: bool) -> Stored:
    fields = {name: response.headers[name] for name in _KEPT if name in response.headers}
    if secret or len(response.body) > MAX_BODY:
        return Stored(response.status_code, {_UNTOLD: "1"}, b"")
    return Stored(response.status_code, fields, bytes(response.body))


def _again(found: Stored) -> Response:
    if _UNTOLD in found.fields:
        raise RestError(409, "this was done already; its answer is not to be had again")
    headers = {**found.fields, "idempotency-replayed": "true"}
    return Response(found.body, found.status, headers)
