"""`mailserver service list`: the registry.

Shown as {service, version, place, state, routes, pid, heartbeat}: `place` "local" or where another
process listens; `pid` and `heartbeat` (RFC 3339) are null for a local one. Without a server, what
the database knows of other processes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from config.clock import rfc3339
from mailserver.services import Services
from storage.service_endpoints import ServiceEndpoint, ServiceEndpoints
from web.registry import Service, accepted
from web.registry_remote import state_of

Args = Mapping[str, Any]


async def service_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All of them; one that should be elsewhere and is not has no place."""
    endpoints = ServiceEndpoints(services.directory.database, services.clock)
    rows = await endpoints.listed()
    known = [] if services.server is None else services.server.registry.services()
    states = {peer.endpoint.id: state_of(peer) for one in known for peer in _peers(one)}
    shown = [_shown_local(one) for one in known if one.remote is None]
    shown += [_elsewhere(row, states.get(row.id, "not linked")) for row in rows]
    there = {one["service"] for one in shown}
    missing = [one for one in known if one.remote is not None and one.name not in there]
    return shown + [
        _line(one.name, one.version, "", one.remote.health(), _routes(one))
        for one in missing
        if one.remote is not None
    ]


def _peers(one: Service) -> Sequence[Any]:
    return [] if one.remote is None else one.remote.peers()


def _shown_local(one: Service) -> dict[str, Any]:
    return _line(one.name, one.version, "local", one.health() or "ok", _routes(one))


def _elsewhere(row: ServiceEndpoint, state: str) -> dict[str, Any]:
    shown = _line(row.service, row.version, row.place, state, row.routes)
    return shown | {"pid": row.pid, "heartbeat": rfc3339(row.heartbeat)}


def _routes(one: Service) -> Sequence[str]:
    return accepted(one.routes)


def _line(name: str, version: str, place: str, state: str, routes: Sequence[str]) -> dict[str, Any]:
    return {
        "service": name,
        "version": version,
        "place": place,
        "state": state,
        "routes": list(routes),
        "pid": None,
        "heartbeat": None,
    }
