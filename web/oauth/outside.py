"""The way of a browser to the outside identity provider and back: /oauth/outside and
/oauth/callback.
"""

from starlette.responses import Response
from starlette.routing import Route

from auth.login import Authenticator
from auth.oidc.documents import OutsideError
from auth.oidc.outside import CALLBACK, Outside
from auth.service import Problem
from auth.sessions import Sessions
from config.logging import Logger
from web.form_body import Form, parse_form
from web.pages.login import HOME
from web.pages.pages import PageError, Pages, Visit, own_path, redirect
from web.pages.second import SecondPages

BEGIN = "/oauth/outside"


class OutsidePages:
    """The routes."""

    def __init__(
        self,
        pages: Pages,
        outside: Outside,
        auth: Authenticator,
        sessions: Sessions,
        second: SecondPages,
        log: Logger,
    ) -> None:
        self._pages, self._outside, self._auth = pages, outside, auth
        self._sessions, self._second, self._log = sessions, second, log

    def routes(self) -> list[Route]:
        """For the registry."""
        return [
            self._pages.route(BEGIN, self._offer, self._begin),
            self._pages.route(CALLBACK, self._finish),
        ]

    async def _offer(self, visit: Visit) -> Response:
        if not self._outside.name:
            raise PageError(404, "There is no such page")
        return await self._pages.page(
            visit,
            "outside.html",
            policy={"form-action": "'self' https:"},
            title="Log in",
            name=self._outside.name,
            next=own_path(parse_form(visit.request.url.query).text("next"), HOME),
        )

    async def _begin(self, visit: Visit, form: Form) -> Response:
        try:
            following = own_path(form.text("next"), HOME)
            return redirect(await self._outside.begin(visit.browser, following))
        except OutsideError as error:
            raise self._failed(visit, error) from None

    async def _finish(self, visit: Visit) -> Response:
        query = parse_form(visit.request.url.query)
        names = ("state", "code", "iss", "error")
        answer = {name: query.text(name) for name in names if query.text(name)}
        try:
            account, following = await self._outside.finish(visit.browser, answer)
        except OutsideError as error:
            raise self._failed(visit, error) from None
        login = await self._auth.login_outside(account, visit.caller)
        try:
            cookie = await self._sessions.entered(login, visit.caller)
        except Problem as problem:
            if problem.ticket:
                ticket, factors = problem.ticket, problem.factors
                return await self._second.show(visit, following, ticket, factors, problem)
            raise
        return await self._pages.logged_in(visit, cookie, following)

    def _failed(self, visit: Visit, error: OutsideError) -> PageError:
        self._log.info("login outside failed", reason=str(error), peer=visit.caller.peer)
        return PageError(502, "The login did not work. Please try again.")
