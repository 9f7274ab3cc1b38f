"""Services in processes of their own, as they registered: all gateways of a database see them.

Invariants: who has not said for EXPIRY seconds that it is there is not listed; its row goes when
another registers; who wakes up after that registers again.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, insert, select, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_service_tables import service_endpoint

HEARTBEAT: Final = 10.0
EXPIRY: Final = 30.0
MOST: Final = 1000
KEY: Final = "services"
"""The name of the secret (storage/server_secrets.py) by which the processes know each other."""
_c = service_endpoint.c


@dataclass(frozen=True, slots=True)
class ServiceEndpoint:
    """One process. `routes` are those that it accepts, as "METHOD /path"; times in seconds since
    1970.
    """

    id: str
    service: str
    version: str
    place: str
    routes: tuple[str, ...]
    pid: int
    started: float
    heartbeat: float = 0.0


class ServiceEndpoints:
    """Raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def register(self, endpoint: ServiceEndpoint) -> None:
        """From here on it is listed."""
        await self._database.finish(self._register(endpoint))

    async def beat(self, number: str) -> bool:
        """Says that it is there; False when it is not registered any more."""
        return await self._database.finish(self._beat(number))

    async def withdraw(self, number: str) -> None:
        """It stops."""
        await self._database.finish(self._withdraw(number))

    async def listed(self, service: str | None = None) -> list[ServiceEndpoint]:
        """Those that are there, of one service or all, the longest running first."""
        return await self._database.finish(self._listed(service))

    async def _register(self, endpoint: ServiceEndpoint) -> None:
        now = self._clock.now()
        values = {
            "id": endpoint.id,
            "service": endpoint.service,
            "version": endpoint.version,
            "place": endpoint.place,
            "routes": "\n".join(endpoint.routes),
            "pid": endpoint.pid,
            "started": endpoint.started,
            "heartbeat": now,
        }
        gone = (_c.heartbeat < now - EXPIRY) | (_c.id == endpoint.id)
        async with self._database.writing() as connection:
            await connection.execute(delete(service_endpoint).where(gone))
            await connection.execute(insert(service_endpoint).values(values))

    async def _beat(self, number: str) -> bool:
        here = update(service_endpoint).where(_c.id == number)
        async with self._database.writing() as connection:
            found = await connection.execute(here.values(heartbeat=self._clock.now()))
        return bool(found.rowcount)

    async def _withdraw(self, number: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(service_endpoint).where(_c.id == number))

    async def _listed(self, service: str | None) -> list[ServiceEndpoint]:
        query = select(service_endpoint).where(_c.heartbeat >= self._clock.now() - EXPIRY)
        if service is not None:
            query = query.where(_c.service == service)
        query = query.order_by(_c.service, _c.started, _c.id).limit(MOST)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            ServiceEndpoint(
                row.id,
                row.service,
                row.version,
                row.place,
                tuple(row.routes.split("\n")) if row.routes else (),
                row.pid,
                row.started,
                row.heartbeat,
            )
            for row in rows
        ]
