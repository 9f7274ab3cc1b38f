"""CardDAV over HTTP (RFC 6352): the routes, and which method does what.

A request is answered for the account of its login; those of one account that run at once are
bounded, and those beyond wait for a moment before they are refused.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from auth.caller import Caller
from auth.login_values import Login
from net.limits import MINUTE
from net.threads import Busy, Offload
from storage.contacts import Contacts
from storage.credential_values import Protocol
from storage.directory_values import Account
from storage.object_ids import account_number
from storage.values import AccountId
from web.answering import Answering
from web.dav.answers import NO_STORE, refusal
from web.dav.asking import MAX_REPORT, Asking
from web.dav.cards import CardMethods
from web.dav.conditions import Conditions
from web.dav.errors import DavError
from web.dav.granted import Granted
from web.dav.moving import Moving
from web.dav.names import D
from web.dav.paths import PREFIX, ROOT, WELL_KNOWN, Kind, parse_path
from web.dav.principal_reports import PrincipalReports
from web.dav.propfind import Collections
from web.dav.report_request import (
    AclPrincipals,
    Expand,
    Multiget,
    PrincipalMatch,
    PrincipalSearch,
    PrincipalSearchSet,
    Query,
    Sync,
    parse_report,
)
from web.dav.reports import BookReports
from web.dav.resources import User
from web.dav.tree import Tree
from web.logins import WAIT, Logins
from web.problem import ProblemResponse
from web.turns import Crowded, Held, Turns

CLASSES: Final = "1, 3, access-control, addressbook, extended-mkcol"
"""What DAV tells: no locks (2)."""
AT_ONCE: Final = 8
"""Requests of one account."""
_ANYWHERE: Final = ("OPTIONS", "PROPFIND", "PROPPATCH", "REPORT", "ACL")
_OF_KIND: Final = {
    Kind.BOOK: ("DELETE",),
    Kind.CARD: ("GET", "HEAD", "PUT", "DELETE", "COPY", "MOVE"),
}
"""Methods that are not refused with 405 where there is something."""
_MAX_DETAIL: Final = 100
_QUICK: Final = 64 * 1024
_DISCOVERY: Final = ("GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT")
Method = Callable[[Asking], Awaitable[Response]]


class DavApi:
    """The routes. `named` gives an account by its id."""

    def __init__(
        self,
        logins: Logins,
        contacts: Contacts,
        named: Callable[[AccountId], Awaitable[Account | None]],
        granted: Granted,
        answering: Answering,
        offload: Offload,
    ) -> None:
        self._logins, self._granted, self._answering = logins, granted, answering
        self._named, self._offload = named, offload
        self._turns = Turns(AT_ONCE)
        self._tree = tree = Tree(contacts)
        collections = Collections(contacts, tree)
        cards = CardMethods(contacts, tree, offload)
        moving = Moving(contacts, tree, cards)
        self._methods: Mapping[str, Method] = {
            "OPTIONS": self._options,
            "PROPFIND": collections.propfind,
            "PROPPATCH": collections.proppatch,
            "MKCOL": collections.mkcol,
            "GET": cards.get,
            "HEAD": cards.get,
            "PUT": cards.put,
            "DELETE": cards.delete,
            "COPY": moving.copy,
            "MOVE": moving.move,
            "REPORT": self._report,
            "ACL": self._acl,
        }
        books, principals = BookReports(contacts, tree, offload), PrincipalReports(tree)
        self._reports: Mapping[type, Callable[..., Awaitable[Response]]] = {
            Multiget: books.multiget,
            Query: books.query,
            Sync: books.sync,
            Expand: principals.expand,
            PrincipalMatch: principals.match,
            PrincipalSearch: principals.search,
            PrincipalSearchSet: principals.search_set,
            AclPrincipals: principals.of_acl,
        }

    def routes(self) -> Sequence[Route]:
        """For the registry. Clients that were given a bare host look at "/" too."""
        return [
            Route(WELL_KNOWN, _redirect, methods=[*_DISCOVERY]),
            self._route("/", ("OPTIONS", "PROPFIND")),
            self._route(PREFIX, tuple(self._methods)),
            self._route(PREFIX + "/{rest:path}", tuple(self._methods)),
        ]

    def _route(self, path: str, methods: Sequence[str]) -> Route:
        answer = self._answering.answering(self._answer, counted=False)
        return Route(path, answer, methods=list(methods))

    async def _answer(self, request: Request, caller: Caller) -> Response:
        caller = replace(caller, protocol=Protocol.CARDDAV)
        found = await self._logins.admit(request, caller)
        if not isinstance(found, Login):
            return found
        what = f"{request.method} {request.url.path}"[:_MAX_DETAIL]
        if not self._granted.take(found, caller.peer, what):
            return ProblemResponse(429, "Too many requests of this login", wait=MINUTE)
        try:
            taken = await self._turns.take(found.account)
        except Crowded as error:
            return ProblemResponse(503, str(error), wait=WAIT)
        try:
            answer = await self._run(request, await self._user(found))
        except BaseException:
            taken.release()
            raise
        return Held(answer, taken)

    async def _run(self, request: Request, user: User) -> Response:
        try:
            path = parse_path(_raw_path(request))
        except DavError as error:
            return refusal(error)
        try:
            asking = Asking(request, user, path, Conditions.of(request))
            await asking.conditions.check_lists(self._tree, user, _raw_path(request))
            return await self._methods[request.method](asking)
        except DavError as error:
            answer = refusal(error)
            if error.status == 405:  # RFC 9110 §15.5.6
                answer.headers["Allow"] = ", ".join((*_ANYWHERE, *_OF_KIND.get(path.kind, ())))
            return answer
        except Busy:
            return ProblemResponse(503, "The server is busy", wait=WAIT)

    async def _user(self, login: Login) -> User:
        account = await self._named(login.account)
        name = account.name if account is not None and account.name else login.address
        number = account_number(login.account)
        return User(login.account, number, login.address, name, login.grant.writes)

    async def _options(self, _asking: Asking) -> Response:
        allow = ", ".join(self._methods)
        return Response(status_code=200, headers={"DAV": CLASSES, "Allow": allow, **NO_STORE})

    async def _report(self, asking: Asking) -> Response:
        data = await asking.body(MAX_REPORT)
        if len(data) > _QUICK:
            report: Any = await self._offload.process(parse_report, data)
        else:
            report = parse_report(data)
        resource = await self._tree.find(asking.path, asking.user)
        return await self._reports[type(report)](asking, resource, report)

    async def _acl(self, asking: Asking) -> Response:
        """Every entry is the server's own (RFC 3744 §8.1.1)."""
        await self._tree.find(asking.path, asking.user)
        raise DavError(403, D + "no-protected-ace-conflict")


async def _redirect(_request: Request) -> Response:
    """RFC 6764 §5; 307 keeps method and body."""
    return RedirectResponse(ROOT, 307, {"Cache-Control": "no-cache"})


def _raw_path(request: Request) -> str:
    """As the client encoded it."""
    raw = request.scope.get("raw_path")
    return raw.decode("latin-1") if isinstance(raw, bytes) else request.url.path
