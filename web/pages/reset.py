"""GET and POST /reset by a form: a forgotten password is set anew, in two steps."""

from starlette.responses import Response
from starlette.routing import Route

from auth.service import AuthService, Fault, Problem
from web.form_body import Form
from web.pages.pages import Pages, Visit


class ResetPages:
    """The routes."""

    def __init__(self, pages: Pages, service: AuthService) -> None:
        self._pages, self._service = pages, service

    def routes(self) -> list[Route]:
        return [self._pages.route("/reset", self._show, self._take)]

    async def _show(self, visit: Visit) -> Response:
        return await self._form(visit, Form(()), 1)

    async def _take(self, visit: Visit, form: Form) -> Response:
        username = form.text("username")
        try:
            if form.text("step") != "2":
                await self._service.reset_begin(username, visit.caller)
                note = "If there is such an account, a code is on its way, good for ten minutes."
                return await self._form(visit, form, 2, note=note)
            await self._service.reset(
                username,
                form.text("code"),
                form.text("password"),
                form.text("second_factor"),
                visit.caller,
            )
        except Problem as problem:
            return await self._form(visit, form, 2 if form.text("step") == "2" else 1, problem)
        return await self._pages.page(
            visit,
            "message.html",
            title="The password is set",
            text="Log in with it. Programs that knew the old one have to be told.",
            link="/login",
            link_text="Log in",
        )

    async def _form(
        self, visit: Visit, form: Form, step: int, problem: Problem | None = None, note: str = ""
    ) -> Response:
        asks = problem is not None and problem.fault is Fault.SECOND_FACTOR
        return await self._pages.form(
            visit,
            "reset.html",
            problem,
            title="Forgotten password",
            step=step,
            username=form.text("username"),
            code=form.text("code") if asks else "",
            asks_factor=asks,
            note=note,
        )
