"""Directories, clocks and databases of their own for tests of accounts and logins."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from config.settings import Settings
from net.threads import Offload
from storage.directory import Directory
from tests.support.programs import unavailable

PASSWORD = "correct horse"


@dataclass(slots=True)
class MovedClock:
    """A clock that stands still until a test moves it."""

    seconds: float = 1_700_000_000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


def make_settings(folder: Path, database: str = "sqlite", **values: Any) -> Settings:
    """Settings with the quickest hash and example.test served, unless `values` say otherwise."""
    base: dict[str, Any] = {
        "hostname": "mx.example.test",
        "domains": ["example.test"],
        "data_dir": folder / "data",
        "store": {"database": database},
        "auth": {"bcrypt_rounds": 4},
    }
    return Settings.model_validate(base | values)


@asynccontextmanager
async def open_directory(
    settings: Settings, clock: MovedClock | None = None
) -> AsyncIterator[Directory]:
    """A directory on config.db of these settings; closed with its threads."""
    offload = Offload()
    directory = await Directory.open(settings, clock or MovedClock(), offload)
    try:
        yield directory
    finally:
        await directory.close()
        offload.close()


@asynccontextmanager
async def own_database(kind: str) -> AsyncIterator[str]:
    """`sqlite`, or the URL of an empty PostgreSQL database that is dropped afterwards."""
    if kind == "sqlite":
        yield "sqlite"
        return
    server = os.environ.get("MAILSERVER_TEST_POSTGRES")
    if server is None:
        unavailable("MAILSERVER_TEST_POSTGRES is not set: scripts/test starts PostgreSQL")
    name = f"directory_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@contextmanager
def database_of_module(kind: str) -> Iterator[str]:
    """As own_database, for fixtures that are not async."""
    with asyncio.Runner() as runner:
        opened = own_database(kind)
        url = runner.run(opened.__aenter__())
        try:
            yield url
        finally:
            runner.run(opened.__aexit__(None, None, None))
