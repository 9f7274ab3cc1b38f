"""GET and POST /register and /verify by a form: an account for who knows the code."""

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import Route

from auth.service import AuthService, Problem, Registration
from config.settings import Settings
from web.form_body import Form
from web.pages.pages import PageError, Pages, Visit

_SHOWN = ("username", "name", "phone", "email", "invite")


class SignUpPages:
    """The routes; `settings` gives those in force."""

    def __init__(
        self, pages: Pages, service: AuthService, settings: Callable[[], Settings]
    ) -> None:
        self._pages, self._service, self._settings = pages, service, settings

    def routes(self) -> list[Route]:
        return [
            self._pages.route("/register", self._show, self._register),
            self._pages.route("/verify", self._ask, self._verify),
        ]

    async def _show(self, visit: Visit) -> Response:
        if self._settings().auth.signup == "closed":
            raise PageError(403, "Sign-up is closed")
        return await self._form(visit, Form(()))

    async def _register(self, visit: Visit, form: Form) -> Response:
        shown = {name: form.text(name) for name in _SHOWN}
        registration = Registration(password=form.text("password"), **shown)
        try:
            await self._service.register(registration, visit.caller)
        except Problem as problem:
            return await self._form(visit, form, problem)
        note = "If the name is free, a code is on its way. It is good for ten minutes."
        return await self._code(visit, shown["username"], note=note)

    async def _ask(self, visit: Visit) -> Response:
        return await self._code(visit)

    async def _verify(self, visit: Visit, form: Form) -> Response:
        username = form.text("username")
        try:
            address = await self._service.verify(username, form.text("code"), visit.caller)
        except Problem as problem:
            return await self._code(visit, username, problem)
        return await self._pages.page(
            visit,
            "message.html",
            title="The account is made",
            text=f"Its address is {address}.",
            link="/login",
            link_text="Log in",
        )

    async def _form(self, visit: Visit, form: Form, problem: Problem | None = None) -> Response:
        settings = self._settings()
        return await self._pages.form(
            visit,
            "register.html",
            problem,
            title="Make an account",
            domain=(settings.domains or [settings.hostname])[0],
            invited=settings.auth.signup == "invite",
            shown={name: form.text(name) for name in _SHOWN},
        )

    async def _code(
        self, visit: Visit, username: str = "", problem: Problem | None = None, note: str = ""
    ) -> Response:
        return await self._pages.form(
            visit,
            "verify.html",
            problem,
            title="Enter the code",
            username=username,
            note=note,
        )
