"""GET and POST /login and /logout by a form: a session in a cookie, with the account's password.
Where there is a second factor web/pages/second.py goes on.

`next` is the path of ours that the browser goes to afterwards; with `again`, who is logged in is
asked once more; `username` is filled in. What a form leads to in the end may be the address of a
client of OAuth, which browsers must be told of before (`form-action`, CSP 3 §6.4.1): `leads_to`
gives it for a path.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from auth.service import AuthService, Problem
from web.form_body import Form, parse_form
from web.pages.pages import Pages, Visit, own_path, redirect

if TYPE_CHECKING:
    from web.pages.second import SecondPages

HOME = "/login"
LeadsTo = Callable[[str], Awaitable[str]]


async def nowhere(_path: str) -> str:
    """Pages that send nobody elsewhere."""
    return ""


class LoginPages:
    """The routes."""

    def __init__(
        self,
        pages: Pages,
        service: AuthService,
        second: "SecondPages",
        leads_to: LeadsTo = nowhere,
        outside: Callable[[], str] = lambda: "",
    ) -> None:
        self._outside = outside
        self._pages, self._service, self._leads_to = pages, service, leads_to
        self._second = second

    def routes(self) -> list[Route]:
        return [
            self._pages.route("/login", self._show, self._take),
            self._pages.route("/logout", self._ask, self._leave),
        ]

    async def _show(self, visit: Visit) -> Response:
        query = parse_form(visit.request.url.query)
        following = own_path(query.text("next"), HOME)
        if visit.visitor is not None and not query.text("again"):
            if following != HOME:
                return redirect(following)
            return await self._pages.page(visit, "logged_in.html", title="You are logged in")
        return await self._form(visit, following, query.text("username"))

    async def _take(self, visit: Visit, form: Form) -> Response:
        following = own_path(form.text("next"), HOME)
        username = form.text("username")
        try:
            cookie = await self._service.enter(
                username, form.text("password"), form.text("code"), visit.caller
            )
        except Problem as problem:
            if problem.ticket:
                ticket, factors = problem.ticket, problem.factors
                return await self._second.show(visit, following, ticket, factors, problem)
            return await self._form(visit, following, username, problem)
        return await self._pages.logged_in(visit, cookie, following)

    async def _form(
        self, visit: Visit, following: str, username: str = "", problem: Problem | None = None
    ) -> Response:
        elsewhere = await self._leads_to(following)
        return await self._pages.form(
            visit,
            "login.html",
            problem,
            {"form-action": f"'self' {elsewhere}".strip()},
            title="Log in",
            next=following,
            username=username,
            outside=self._outside(),
        )

    async def _ask(self, visit: Visit) -> Response:
        if visit.visitor is None:
            return redirect(HOME)
        return await self._pages.page(visit, "logged_in.html", title="You are logged in")

    async def _leave(self, visit: Visit, _form: Form) -> Response:
        if visit.visitor is not None:
            await self._service.leave(visit.visitor)
        return self._pages.logged_out(visit, HOME)
