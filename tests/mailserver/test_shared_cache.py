"""Two processes with one Redis: what one changes the other hears; Redis emptied, gone, back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from auth.admission import Admission
from config.logging import silent_logger
from storage.cache.redis import RedisCache
from storage.directory import Directory
from storage.shared_changes import SharedChanges
from tests.support.directories import MovedClock, make_settings, open_directory, own_database
from tests.support.http_api import post
from tests.support.redis_server import PASSWORD as REDIS_PASSWORD
from tests.support.redis_server import RedisServer
from tests.support.server import PASSWORD, ServerProcess, configuration, until

ADA = "ada@example.test"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


def settled(server: ServerProcess) -> bool:
    """Whether the whole way of a session works, which touches all that the cache is asked for."""
    opened = post(server, "/login", {"username": ADA, "password": PASSWORD})
    if opened.status != 200:
        return False
    token = opened.body["access_token"]
    return post(server, "/logout", None, {"Authorization": f"Bearer {token}"}).status == 204


def test_a_server_goes_on_whatever_redis_does(tmp_path: Path) -> None:
    with RedisServer() as own:
        config = configuration(database='sqlite"\ncache = "' + own.url)
        config += "\n[filters]\nlocal_networks = []\n"
        with ServerProcess(tmp_path, config) as server:
            server.perform("account.add", address=ADA, password=PASSWORD)
            assert settled(server)
            assert own.ask("--scan", "--pattern", "mailserver:asked:*")
            own.ask("FLUSHALL")
            assert settled(server)
            own.freeze()
            assert settled(server)
            until(lambda: server.events("cache away"))
            assert settled(server)
            own.thaw()
            until(lambda: server.events("cache back"))
            own.kill()
            assert all(settled(server) for _ in range(3))
            own.start()
            until(lambda: len(server.events("cache back")) == 2)
            assert settled(server)
            assert len(server.events("cache away")) == 2
        assert REDIS_PASSWORD not in "\n".join(server.log)


@asynccontextmanager
async def process(
    database: str, folder: Path, redis: RedisServer, clock: MovedClock
) -> AsyncIterator[tuple[Directory, SharedChanges, RedisCache]]:
    """What a process on a shared database has of it."""
    async with open_directory(make_settings(folder, database), clock) as directory:
        cache = RedisCache(redis.url, silent_logger())
        changes = SharedChanges(directory)
        changes.share(cache)
        await cache.start()
        try:
            yield directory, changes, cache
        finally:
            await changes.close()
            await cache.close()


@pytest.mark.postgres
async def test_a_change_is_heard_by_the_other_gateway(tmp_path: Path, redis: RedisServer) -> None:
    clock = MovedClock()
    async with (
        own_database("postgresql") as database,
        process(database, tmp_path / "a", redis, clock) as (here, telling, _),
        process(database, tmp_path / "b", redis, clock) as (there, hearing, cache),
    ):
        while not await cache.incr("ready", 1, 60):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await here.add_account(ADA, "hash")
        heard = asyncio.Event()
        there.on_change(lambda _change: heard.set())
        while not heard.is_set():  # its subscription may be younger than the first change
            await here.set_password(ADA, "other")
            await asyncio.sleep(0.05)
        found = await there.account(ADA)
        assert found is not None
        assert found.password_hash == "other"

        counted: list[dict[str, int]] = []
        hearing.on_failures = lambda counts: counted.append(dict(counts))
        for _ in range(3):
            telling.failed("192.0.2.7")
        while not counted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert counted == [{"192.0.2.7": 3}]


async def test_requests_of_an_address_are_counted_together(
    tmp_path: Path, redis: RedisServer
) -> None:
    clock = MovedClock()
    limits = {"connections_per_minute_per_address": 5}
    settings = make_settings(tmp_path, limits=limits, filters={"local_networks": []})
    caches = [RedisCache(redis.url, silent_logger()) for _ in range(2)]
    async with open_directory(settings, clock) as directory:
        for cache in caches:
            await cache.start()
        one, two = (Admission(settings, clock, directory.blocks, cache) for cache in caches)
        try:
            asked = [await each.ask_everywhere("192.0.2.9") for each in (one, two) * 3]
            assert asked == [True] * 5 + [False]
            assert await two.ask_everywhere("192.0.2.10")
            await asyncio.to_thread(redis.ask, "FLUSHALL")
            assert await two.ask_everywhere("192.0.2.9")
        finally:
            for cache in caches:
                await cache.close()
