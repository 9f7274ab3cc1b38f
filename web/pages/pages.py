"""What every page has in common: who asks, whether it may, the form behind it, and what goes wrong.

    pages.route("/login", get=self._show, post=self._take)

`get` is given a Visit, `post` a Visit and the Form, whose CSRF token was good. Both return
`await pages.page(visit, "login.html", title=..., ...)`, or another response; they raise PageError,
Problem, BadBody or StoreError, which become a page. A form holds `csrf` as a hidden field.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from auth.admission import Admission
from auth.caller import Caller, client_name
from auth.service import AuthService, Problem, Visitor
from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from net.limits import MINUTE
from net.link import Unavailable
from net.threads import Offload
from storage.credential_values import Protocol
from storage.errors import StoreError
from web.answering import LIMIT, STATUS
from web.form_body import Form, read_form
from web.form_route import FormRoute
from web.json_body import BadBody
from web.pages.cookies import FORM, SESSION, end_cookie, read_cookie, set_cookie
from web.pages.csrf import Csrf
from web.pages.layout import Layout
from web.peer import address_of, is_secure, may_have_secrets

STALE: Final = "This form is too old, or another site sent it. Please try again."


class PageError(Exception):
    """A page that says why; the text may be shown. `wait` in seconds is Retry-After."""

    def __init__(self, status: int, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.status, self.wait = status, wait


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page. `browser` is the value of its form cookie, `visitor` who is logged in
    there, `secure` whether it came over TLS.
    """

    request: Request
    caller: Caller
    secure: bool
    browser: str
    visitor: Visitor | None


Get = Callable[[Visit], Awaitable[Response]]
Post = Callable[[Visit, Form], Awaitable[Response]]


class Pages:
    """One for all pages; `settings` gives those in force, `secret` a secret of the server."""

    def __init__(
        self,
        service: AuthService,
        admission: Admission,
        settings: Callable[[], Settings],
        secret: Callable[[str], Awaitable[bytes]],
        offload: Offload,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._service, self._admission = service, admission
        self._settings, self._log = settings, log
        self._csrf = Csrf(secret, clock)
        self._layout = Layout(offload)

    def routes(self) -> list[Route]:
        """Of the style sheet."""
        return self._layout.routes()

    def route(self, path: str, get: Get | None = None, post: Post | None = None) -> Route:
        """Stands before a route of the API at the same path, which has the requests with JSON."""
        methods = [*(["GET"] if get else ()), *(["POST"] if post else ())]
        return FormRoute(path, self._answering(get, post), methods=methods)

    async def page(
        self,
        visit: Visit,
        template: str,
        status: int = 200,
        policy: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """Renders a template with `values`, among them `title`; `csrf`, `host`, `signup` (whether
        it is open to some), `visitor` and `wrong` (what was wrong with the form before) are there
        without.
        """
        browser = visit.browser or self._csrf.browser()
        known = {
            "csrf": await self._csrf.token(browser),
            "host": self._settings().hostname,
            "signup": self._settings().auth.signup != "closed",
            "visitor": visit.visitor,
        }
        answer = await self._layout.render(template, {**known, **values}, status, policy)
        if not visit.browser:
            set_cookie(answer, FORM, browser, visit.secure)
        return answer

    async def form(
        self,
        visit: Visit,
        template: str,
        problem: Problem | None,
        policy: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """As `page`; `problem` is what is wrong with what the form on it brought, if anything."""
        if problem is None:
            return await self.page(visit, template, policy=policy, **values)
        values["wrong"] = str(problem)
        answer = await self.page(visit, template, STATUS[problem.fault], policy, **values)
        return _waiting(answer, problem.wait)

    async def logged_in(self, visit: Visit, cookie: str, to: str) -> Response:
        """Sends the browser to a path of ours, with the cookie of a session that begins. The one of
        before ends, and its form cookie: forms that somebody else may have prepared are good no
        more.
        """
        if visit.visitor is not None:
            await self._service.leave(visit.visitor)
        answer = redirect(to)
        set_cookie(answer, SESSION, cookie, visit.secure)
        end_cookie(answer, FORM, visit.secure)
        return answer

    def logged_out(self, visit: Visit, to: str) -> Response:
        """Sends the browser to a path of ours, without its session."""
        answer = redirect(to)
        end_cookie(answer, SESSION, visit.secure)
        end_cookie(answer, FORM, visit.secure)
        return answer

    def _answering(
        self, get: Get | None, post: Post | None
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            settings = self._settings()
            secure = is_secure(request, settings.http.trusted_proxies)
            address = address_of(request, settings.http.trusted_proxies)
            caller = Caller(
                address, Protocol.WEB, client=client_name(request.headers.get("user-agent"))
            )
            visit = Visit(request, caller, secure, read_cookie(request, FORM, secure), None)
            try:
                if not may_have_secrets(request, settings):
                    raise PageError(403, "TLS is needed")
                if not await self._admission.ask_everywhere(address):
                    raise PageError(429, "Too many requests from your address", MINUTE)
                return await self._handled(visit, get, post)
            except PageError as error:
                return await self._error(visit, error.status, str(error), error.wait)
            except Problem as problem:
                status = STATUS[problem.fault]
                return await self._error(visit, status, str(problem), problem.wait)
            except BadBody as bad:
                answer = await self._error(visit, bad.status, str(bad))
                answer.headers["Connection"] = "close"  # what is left of the body is not read
                return answer
            except StoreError as error:
                self._log.error("request failed", path=request.url.path, reason=str(error))
                return await self._error(
                    visit, 503, "The server cannot do this for the moment", 10.0
                )
            except Unavailable as away:
                return await self._error(visit, 503, str(away), away.wait)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it

        return answer

    async def _handled(self, visit: Visit, get: Get | None, post: Post | None) -> Response:
        request = visit.request
        form = None
        if request.method == "POST":
            form = await read_form(request, LIMIT)
            elsewhere = request.headers.get("sec-fetch-site", "") in ("cross-site", "same-site")
            good = await self._csrf.is_good(visit.browser, form.text("csrf"))
            if elsewhere or not good:
                raise PageError(403, STALE)
        cookie = read_cookie(request, SESSION, visit.secure)
        visitor = await self._service.visitor(cookie) if cookie else None
        visit = Visit(request, visit.caller, visit.secure, visit.browser, visitor)
        if form is not None:
            assert post is not None
            return await post(visit, form)
        assert get is not None
        return await get(visit)

    async def _error(self, visit: Visit, status: int, text: str, wait: float = 0.0) -> Response:
        answer = await self.page(
            visit, "message.html", status, title="That did not work", text=text, link=""
        )
        return _waiting(answer, wait)


def redirect(to: str, status: int = 303) -> Response:
    """To a path of ours, or elsewhere where the caller has made sure of it."""
    return RedirectResponse(to, status, {"Cache-Control": "no-store"})


def _waiting(answer: Response, seconds: float) -> Response:
    if seconds > 0:
        answer.headers["Retry-After"] = str(math.ceil(seconds))
    return answer


def own_path(path: str, default: str = "/") -> str:
    """A path of this server, with its query, as a form or a query named it; `default` for anything
    that a browser may take for another place (`//host`, `/\\host`, `https:...`).
    """
    fine = path.startswith("/") and path.isascii() and path.isprintable() and len(path) <= 8192
    if not fine or path[1:2] in ("/", "\\") or "\\" in path:
        return default
    return path
