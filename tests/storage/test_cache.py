"""The global cache in memory and in a real Redis, which goes, hangs, is emptied and comes back."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import structlog
from pydantic import SecretStr

from config.clock import SystemClock
from storage.cache.cache import MOST, SECONDS, Cache
from storage.cache.memory import MemoryCache
from storage.cache.opening import CacheUnusable, make_cache
from storage.cache.redis import RedisCache
from tests.support.directories import MovedClock
from tests.support.redis_server import PASSWORD, RedisServer


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@asynccontextmanager
async def opened(url: str, out: io.StringIO | None = None) -> AsyncIterator[RedisCache]:
    """A started cache that logs into `out`."""
    log = structlog.wrap_logger(
        structlog.PrintLogger(io.StringIO() if out is None else out),
        processors=[structlog.processors.JSONRenderer()],
    )
    cache = RedisCache(url, log)
    await cache.start()
    try:
        yield cache
    finally:
        await cache.close()


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, redis: RedisServer) -> AsyncIterator[Cache]:
    await asyncio.to_thread(redis.ask, "FLUSHALL")
    if request.param == "memory":
        yield MemoryCache(SystemClock())
        return
    async with opened(redis.url) as one:
        yield one


async def eventually(check: Callable[[], object]) -> None:
    """Returns when it is true; the test's own time bounds it."""
    while not check():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)


async def test_values_and_counts(cache: Cache) -> None:
    assert await cache.get("a:1") is None
    await cache.set("a:1", b"\0\xff", 60)
    assert await cache.get("a:1") == b"\0\xff"
    await cache.set("a:1", b"other", 60)
    assert await cache.get("a:1") == b"other"
    await cache.delete("a:1")
    await cache.delete("a:1")
    assert await cache.get("a:1") is None
    assert [await cache.incr("n", by, 60) for by in (1, 1, 5)] == [1, 2, 7]
    await cache.set("big", b"x" * (MOST + 1), 60)
    assert await cache.get("big") is None


async def test_what_has_its_time_goes(cache: Cache) -> None:
    await cache.set("a", b"x", 0.05)
    assert await cache.incr("n", 1, 0.05) == 1
    await cache.incr("n", 1, 60)
    while await cache.get("a") is not None:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    while await cache.incr("n", 0, 0.05) != 0:  # noqa: ASYNC110
        await asyncio.sleep(0.06)


def test_memory_is_bounded() -> None:
    async def fill() -> list[bytes | None]:
        cache = MemoryCache(MovedClock(), 3)
        for number in range(5):
            await cache.set(str(number), b"x", 60)
        return [await cache.get(str(number)) for number in range(5)]

    assert asyncio.run(fill()) == [None, None, b"x", b"x", b"x"]


async def test_two_processes_count_together_and_hear_each_other(redis: RedisServer) -> None:
    heard: list[bytes] = []
    missed: list[int] = []
    async with opened(redis.url) as one:
        two = RedisCache(redis.url, structlog.get_logger())
        two.subscribe("news", heard.append, lambda: missed.append(1))
        await two.start()
        try:
            assert [await one.incr("k", 1, 60), await two.incr("k", 1, 60)] == [1, 2]
            await eventually(lambda: missed)
            sent = [b"%d" % number for number in range(200)]
            for payload in sent:
                one.publish("news", payload)
                one.publish("other", payload)
            await eventually(lambda: len(heard) == len(sent))
            assert heard == sent
            await asyncio.to_thread(redis.ask, "FLUSHALL")
            assert await two.incr("k", 1, 60) == 1
            one.publish("news", b"after")
            await eventually(lambda: heard[-1] == b"after")
        finally:
            await two.close()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_server_that_goes_is_said_once_and_waited_for_by_nobody(how: str) -> None:
    out, heard, missed = io.StringIO(), list[bytes](), list[int]()
    with RedisServer() as own:
        async with opened(own.url, out) as cache:
            await cache.set("a", b"x", 60)
        cache = RedisCache(own.url, cache._log)
        cache.subscribe("news", heard.append, lambda: missed.append(1))
        await cache.start()
        try:
            await eventually(lambda: missed)
            own.kill() if how == "killed" else own.freeze()
            async with asyncio.timeout(SECONDS * 2 * 10):
                assert await cache.get("a") is None
                for _ in range(1000):
                    assert await cache.get("a") is None
                    assert await cache.incr("n", 1, 60) is None
                    cache.publish("news", b"lost")
            assert cache.away
            await asyncio.to_thread(own.start if how == "killed" else own.thaw)
            await eventually(lambda: not cache.away)
            await eventually(lambda: len(missed) > 1)
            assert await cache.incr("n", 1, 60) == 1
            while b"found" not in heard:
                cache.publish("news", b"found")
                await asyncio.sleep(0.05)
        finally:
            await cache.close()
    said = [json.loads(line)["event"] for line in out.getvalue().splitlines()]
    assert said == ["cache away", "cache back"]
    assert PASSWORD not in out.getvalue()


async def test_a_server_that_was_never_there_is_no_error(redis: RedisServer) -> None:
    async with opened("redis://127.0.0.1:9/0") as cache:
        assert cache.away
        assert await cache.get("a") is None


async def test_a_wrong_password_is_a_cache_that_is_away(redis: RedisServer) -> None:
    out = io.StringIO()
    async with opened(f"redis://:guess@127.0.0.1:{redis.port}/0", out) as cache:
        assert await cache.incr("n", 1, 60) is None
    assert "guess" not in out.getvalue()


def test_a_url_that_is_none_is_not_shown() -> None:
    with pytest.raises(CacheUnusable) as error:
        make_cache(SecretStr("redis://:hunter2@host:port/x"), MovedClock())
    assert "hunter2" not in str(error.value)
