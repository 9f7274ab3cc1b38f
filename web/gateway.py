"""The gateway: sends each request to the service whose route it is.

The table is made of what the registry holds and kept until that changes: fixed paths by one
look-up, paths with parameters one after the other. Errors are application/problem+json.
"""

from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.logging import get_logger
from net.link import TooLate, Unavailable
from web.form_route import FormRoute
from web.problem import ProblemResponse
from web.registry import Registry

_NO_TABLE: Final = -1
_SERVER_ERROR: Final = 1011  # RFC 6455 §7.4.1


class _Table(Router):
    """Routes of one state of the registry."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._fixed: dict[str, list[Route]] = {}
        others: list[BaseRoute] = []
        for route in routes:
            if isinstance(route, Route) and _is_fixed(route):
                self._fixed.setdefault(route.path, []).append(route)
            else:
                others.append(route)
        for beside in self._fixed.values():  # what is no form goes on to the API
            beside.sort(key=lambda route: not isinstance(route, FormRoute))
        super().__init__(others, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._fixed.get(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await super().__call__(scope, receive, send)
            return
        for route in found:
            if _is_for(route, scope):
                scope["endpoint"], scope["path_params"] = route.endpoint, {}
                await route.handle(scope, receive, send)
                return
        allowed = sorted({method for route in found for method in route.methods or ()})
        raise HTTPException(405, headers={"Allow": ", ".join(allowed)})

    async def not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await ProblemResponse(404)(scope, receive, send)
            return
        await super().not_found(scope, receive, send)


def _is_fixed(route: Route) -> bool:
    """Whether its path and methods are all that it goes by."""
    return type(route) in (Route, FormRoute) and "{" not in route.path


def _is_for(route: Route, scope: Scope) -> bool:
    if route.methods is not None and scope["method"] not in route.methods:
        return False
    return not isinstance(route, FormRoute) or route.takes(scope)


class _Dispatch(Router):
    """The table of today's registry."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry, self._generation = registry, _NO_TABLE
        self._table = _Table(())
        self._log = get_logger("http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._generation != self._registry.generation:
            self._generation = self._registry.generation
            self._table = _Table(self._registry.routes())
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._table(scope, receive, sending)
        except (HTTPException, Unavailable):
            raise
        except ClientDisconnect:
            if begun:
                raise
            await Response(status_code=400)(scope, receive, send)  # nobody reads it
        except Exception:
            # here, since the log names the request only while it is worked on
            self._log.exception("request failed", path=scope.get("path", ""))
            if begun and scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": _SERVER_ERROR})
                return
            if begun:
                raise
            await ProblemResponse(500)(scope, receive, send)


def create_gateway(registry: Registry) -> ASGIApp:
    """The application that serves what is registered."""
    app = Starlette(exception_handlers={HTTPException: _refused, Unavailable: _unavailable})
    app.router = _Dispatch(registry)
    return app


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return ProblemResponse(error.status_code, headers=error.headers)


async def _unavailable(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Unavailable)
    status = 504 if isinstance(error, TooLate) else 503
    return ProblemResponse(status, str(error), wait=error.wait)
