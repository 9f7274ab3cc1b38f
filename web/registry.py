"""The service registry: which service serves which routes, in this process or in another.

Services register before the listeners accept, and any time later; what the gateway routes by is
what stands here (web/gateway.py). Invariants: a path and method belong to one service; every
change raises `generation`, by which the gateway knows that its table is old.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.routing import BaseRoute, Route, WebSocketRoute

from web.form_route import FormRoute
from web.registry_remote import RemoteService

VERSION: Final = "1"


def _well() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Service:
    """`routes` are what the gateway serves for it; `health` says what is wrong, "" when nothing is;
    `remote` leads to the processes of one that is not served in this one.
    """

    name: str
    routes: Sequence[BaseRoute] = ()
    version: str = VERSION
    health: Callable[[], str] = _well
    remote: RemoteService | None = None


class Taken(ValueError):
    """A name or a route has another service already."""


class Registry:
    """One a process."""

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}
        self.generation = 0

    def register(self, service: Service) -> None:
        """Raises Taken."""
        if service.name in self._services:
            raise Taken(f"there is a service {service.name} already")
        taken = {each: one.name for one in self.services() for each in accepted(one.routes)}
        for each in accepted(service.routes):
            if each in taken:
                raise Taken(f"{each} is served by {taken[each]} already")
        self._services[service.name] = service
        if service.remote is not None:
            service.remote.on_accepted = self._changed
        self._changed()

    def withdraw(self, name: str) -> None:
        """Nothing is routed to the service any more."""
        if self._services.pop(name, None) is not None:
            self._changed()

    def routes(self) -> list[BaseRoute]:
        """What is accepted, by services in this process and elsewhere."""
        return [
            route
            for one in self.services()
            for route in one.routes
            if one.remote is None
            or not one.remote.accepted
            or one.remote.accepted.issuperset(accepted([route]))
        ]

    def services(self) -> list[Service]:
        """All, in the order in which they registered."""
        return list(self._services.values())

    def _changed(self) -> None:
        self.generation += 1


def accepted(routes: Sequence[BaseRoute]) -> list[str]:
    """Each route as "METHOD /path", HEAD left out where there is GET; "POST /path form" has what
    brings a form and leaves the rest to another; "WEBSOCKET /path" is one of those.
    """
    found: list[str] = []
    for route in routes:
        path = getattr(route, "path", "")
        methods = (route.methods if isinstance(route, Route) else None) or {"*"}
        if isinstance(route, WebSocketRoute):
            methods = {"WEBSOCKET"}
        forms = " form" if isinstance(route, FormRoute) else ""
        for one in sorted(methods - {"HEAD"}):
            found.append(f"{one} {path}{forms if one == 'POST' else ''}")
    return found
