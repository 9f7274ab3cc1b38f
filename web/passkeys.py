"""Passkeys and second factors over HTTP, bare and under /api/v1/: JSON in, the AuthService asked,
JSON out. The first step of a login is in web/auth.py, what all have in common in web/answering.py.

An access token in `Authorization: Bearer` says whose they are.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auth.caller import Caller
from auth.service import AuthService, Fault, NewFactor, PasskeyInfo, Problem
from config.clock import rfc3339
from storage.sign_up_values import LIFE
from web.answering import EMPTY, LIMIT, Answering, Handler, bearer, json_of, tokens_of
from web.json_body import read_fields

API: Final = "/api/v1"
_ID: Final = re.compile(r"[0-9]{1,18}")
PASSKEY_ROUTES: Final = (
    "POST /login/2fa",
    *(f"POST {API}/login/{place}" for place in ("2fa", "passkey/options", "passkey")),
    *(f"POST {API}/passkeys{place}" for place in ("/options", "")),
    f"GET {API}/passkeys",
    *(f"{method} {API}/passkeys/{{id}}" for method in ("PATCH", "DELETE")),
    f"GET {API}/second-factor",
    *(f"{method} {API}/second-factor/sms" for method in ("POST", "DELETE")),
    f"POST {API}/second-factor/sms/verify",
)
"""What a process that serves "auth" accepts of these."""


class PasskeyApi:
    """The routes; `answering` wraps each."""

    def __init__(self, service: AuthService, answering: Answering) -> None:
        self._service, self._answering = service, answering

    def routes(self) -> Sequence[Route]:
        """For web.app.create_app."""
        asked: dict[str, Handler] = {
            "POST /login/2fa": self._second,
            f"POST {API}/login/2fa": self._second,
            f"POST {API}/login/passkey/options": self._login_options,
            f"POST {API}/login/passkey": self._login,
            f"POST {API}/passkeys/options": self._begin,
            f"POST {API}/passkeys": self._register,
            f"GET {API}/passkeys": self._list,
            f"PATCH {API}/passkeys/{{id}}": self._rename,
            f"DELETE {API}/passkeys/{{id}}": self._delete,
            f"GET {API}/second-factor": self._show,
            f"POST {API}/second-factor/sms": self._sms_begin,
            f"POST {API}/second-factor/sms/verify": self._sms_confirm,
            f"DELETE {API}/second-factor/sms": self._sms_remove,
        }
        return [
            Route(path, self._answering.answering(handler), methods=[method])
            for (method, _, path), handler in (
                (place.partition(" "), handler) for place, handler in asked.items()
            )
        ]

    async def _second(self, request: Request, caller: Caller) -> Response:
        fields = await read_fields(request, LIMIT)
        ticket, send = fields.text("ticket"), fields.text("send", needed=False)
        if not send:
            code = fields.text("code")
            return tokens_of(await self._service.second_step(ticket, code, caller))
        if send != "sms":
            raise Problem(Fault.INVALID, "send: sms")
        await self._service.send_code(ticket, caller)
        return json_of({"expires_in": int(LIFE)}, 202)

    async def _login_options(self, request: Request, caller: Caller) -> Response:
        fields = await read_fields(request, LIMIT)
        ticket = fields.text("ticket", needed=False)
        return json_of({"publicKey": await self._service.passkey_options(ticket, caller)})

    async def _login(self, request: Request, caller: Caller) -> Response:
        fields = await read_fields(request, LIMIT)
        answer, ticket = fields.members("passkey"), fields.text("ticket", needed=False)
        return tokens_of(await self._service.passkey_login(answer, ticket, caller))

    async def _begin(self, request: Request, caller: Caller) -> Response:
        token = bearer(request)
        return json_of({"publicKey": await self._service.passkey_begin(token, caller)})

    async def _register(self, request: Request, caller: Caller) -> Response:
        token, fields = bearer(request), await read_fields(request, LIMIT)
        made = await self._service.passkey_register(
            token,
            fields.members("passkey"),
            fields.text("name", needed=False),
            fields.flag("second_factor", default=True),
            caller,
        )
        return _made(made, 201)

    async def _list(self, request: Request, caller: Caller) -> Response:
        found = await self._service.passkeys(bearer(request), caller)
        return json_of({"passkeys": [_passkey(one) for one in found]})

    async def _rename(self, request: Request, caller: Caller) -> Response:
        token, fields = bearer(request), await read_fields(request, LIMIT)
        number = _id(request)
        return json_of(
            _passkey(await self._service.passkey_rename(token, number, fields.text("name"), caller))
        )

    async def _delete(self, request: Request, caller: Caller) -> Response:
        await self._service.passkey_delete(bearer(request), _id(request), caller)
        return EMPTY()

    async def _show(self, request: Request, caller: Caller) -> Response:
        found = await self._service.factors(bearer(request), caller)
        return json_of(
            {
                "second_factor": list(found.kinds),
                "recovery_codes": found.recovery_codes,
                "phone": found.phone or None,
            }
        )

    async def _sms_begin(self, request: Request, caller: Caller) -> Response:
        token, fields = bearer(request), await read_fields(request, LIMIT)
        await self._service.sms_begin(token, fields.text("phone"), caller)
        return json_of({"expires_in": int(LIFE)}, 202)

    async def _sms_confirm(self, request: Request, caller: Caller) -> Response:
        token, fields = bearer(request), await read_fields(request, LIMIT)
        return _made(await self._service.sms_confirm(token, fields.text("code"), caller))

    async def _sms_remove(self, request: Request, caller: Caller) -> Response:
        await self._service.sms_remove(bearer(request), caller)
        return EMPTY()


def _id(request: Request) -> int:
    text: str = request.path_params["id"]
    if not _ID.fullmatch(text):  # of more digits than there are ids, too
        raise Problem(Fault.ABSENT)
    return int(text)


def _made(made: NewFactor, status: int = 200) -> Response:
    body: dict[str, Any] = {} if made.passkey is None else dict(_passkey(made.passkey))
    return json_of(body | {"recovery_codes": list(made.codes)}, status)


def _passkey(one: PasskeyInfo) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "created": rfc3339(one.created),
        "last_used": None if one.used is None else rfc3339(one.used),
        "last_address": one.used_from or None,
        "synced": one.synced,
        "second_factor": one.factor,
    }
