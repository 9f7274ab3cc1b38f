"""GET and POST /login/2fa: the second step of a login, by a code or a passkey; without a first step
a login by a passkey alone.

The one page with a script, web/pages/passkey.js, which only a passkey needs. A ticket stands for
the password that was right; it is in the form, so nothing is kept here.
"""

from pathlib import Path
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auth.service import AuthService, Fault, Problem
from net.threads import Offload
from web.form_body import Form, parse_form
from web.json_body import BadBody
from web.pages.login import HOME, LeadsTo, nowhere
from web.pages.pages import Pages, Visit, own_path, redirect

PATH: Final = "/login/2fa"
SCRIPT: Final = "/pages/passkey.js"
KINDS: Final = ("totp", "sms", "passkey", "recovery_code")
_POLICY: Final = {"script-src": "'self'", "connect-src": "'self'"}
_HINTS: Final = {
    "totp": "your authenticator app shows",
    "sms": "your phone gets by SMS",
    "recovery_code": "is one of your recovery codes",
}


class SecondPages:
    """The routes; `show` is for who has just given the password."""

    def __init__(
        self, pages: Pages, service: AuthService, offload: Offload, leads_to: LeadsTo = nowhere
    ) -> None:
        self._pages, self._service, self._offload = pages, service, offload
        self._leads_to = leads_to
        self._js: bytes | None = None

    def routes(self) -> list[Route]:
        return [
            self._pages.route(PATH, self._get, self._post),
            Route(SCRIPT, self._script, methods=["GET", "HEAD"]),
        ]

    async def show(
        self,
        visit: Visit,
        following: str,
        ticket: str,
        factors: tuple[str, ...],
        problem: Problem | None = None,
        note: str = "",
    ) -> Response:
        """`factors` of KINDS."""
        hints = [_HINTS[kind] for kind in KINDS if kind in factors and kind in _HINTS]
        elsewhere = await self._leads_to(following)
        policy = {"form-action": f"'self' {elsewhere}".strip()}
        return await self._pages.form(
            visit,
            "second.html",
            problem,
            policy | (_POLICY if "passkey" in factors else {}),
            title="Log in" if ticket else "Log in with a passkey",
            next=following,
            ticket=ticket,
            factors=factors,
            hint=f"What {', or '.join(hints)}" if hints else "",
            note=note,
            script=SCRIPT,
        )

    async def _get(self, visit: Visit) -> Response:
        following = own_path(parse_form(visit.request.url.query).text("next"), HOME)
        if visit.visitor is not None:
            return redirect(following)
        return await self.show(visit, following, "", ("passkey",))

    async def _post(self, visit: Visit, form: Form) -> Response:
        following, ticket = own_path(form.text("next"), HOME), form.text("ticket")
        named = form.text("factors").split()
        factors = tuple(kind for kind in KINDS if kind in named) if ticket else ("passkey",)
        try:
            if form.text("passkey"):
                answer = _object(form.text("passkey"))
                cookie = await self._service.passkey_enter(answer, ticket, visit.caller)
            elif form.text("send") == "sms":
                await self._service.send_code(ticket, visit.caller)
                note = "A code is on its way to your phone."
                return await self.show(visit, following, ticket, factors, note=note)
            else:
                code = form.text("code")
                if not code:
                    raise Problem(Fault.SECOND_FACTOR)
                cookie = await self._service.enter_second(ticket, code, visit.caller)
        except Problem as problem:
            return await self.show(visit, following, ticket, factors, problem)
        return await self._pages.logged_in(visit, cookie, following)

    async def _script(self, _request: Request) -> Response:
        if self._js is None:
            path = Path(__file__).with_name("passkey.js")
            self._js = await self._offload.disk(path.read_bytes)
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
        return Response(self._js, media_type="text/javascript", headers=headers)


def _object(text: str) -> dict[str, object]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise BadBody(400, "passkey: an object is needed")
    return found
