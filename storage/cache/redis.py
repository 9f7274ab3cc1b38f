"""The global cache in Redis, or what speaks as it does: the one file that knows redis-py.

Invariants: a call waits SECONDS at most, and not at all while the server is away; that it went and
that it came back is logged once each; the URL, which may hold a password, is never shown.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from config.logging import Logger
from storage.cache.cache import MOST, SECONDS, Heard

PREFIX: Final = "mailserver:"
AGAIN_SECONDS: Final = 0.5
CONNECTIONS: Final = 8
WAITING: Final = 10_000
_COUNT: Final = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return count
"""
_ERRORS: Final = (RedisError, OSError, TimeoutError, UnicodeError)
T = TypeVar("T")


class RedisCache:
    """One a process."""

    shared = True

    def __init__(self, url: str, log: Logger) -> None:
        self._log = log
        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            retry=Retry(NoBackoff(), 0),
            max_connections=CONNECTIONS,
            driver_info=None,  # else the version is read from disk for each connection
        )
        self._listener: Redis = Redis.from_url(
            url, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0), driver_info=None
        )
        self._heard: dict[str, list[Heard]] = {}
        self._missed: list[Callable[[], None]] = []
        self._outgoing: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(WAITING)
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._away = self._closed = False

    @property
    def away(self) -> bool:
        """Whether the server did not answer when it was last asked."""
        return self._away

    async def start(self) -> None:
        """Looks whether the server is there; what runs beside begins."""
        await self._try(lambda: self._redis.ping())
        self._tasks = [asyncio.create_task(one) for one in (self._watch(), self._send())]
        self._listen_anew()

    async def close(self) -> None:
        self._closed = True  # redis-py may lose what cancels a call
        tasks = self._tasks if self._listening is None else [*self._tasks, self._listening]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in (self._redis, self._listener):
            with contextlib.suppress(*_ERRORS):
                await client.aclose()

    async def get(self, key: str) -> bytes | None:
        found = await self._call(lambda: self._redis.get(PREFIX + key))
        return found if isinstance(found, bytes) else None

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        if len(value) <= MOST:
            await self._call(
                lambda: self._redis.set(PREFIX + key, value, px=max(1, int(seconds * 1000)))
            )

    async def incr(self, key: str, by: int, seconds: float) -> int | None:
        milliseconds = max(1, int(seconds * 1000))

        def count() -> Awaitable[Any]:
            return self._redis.eval(_COUNT, 1, PREFIX + key, str(by), str(milliseconds))

        found = await self._call(count)
        return found if isinstance(found, int) else None

    async def delete(self, key: str) -> None:
        await self._call(lambda: self._redis.delete(PREFIX + key))

    def publish(self, channel: str, payload: bytes) -> None:
        if len(payload) > MOST:
            return
        with contextlib.suppress(asyncio.QueueFull):  # lost, as all is while the server is away
            self._outgoing.put_nowait((channel, payload))

    def subscribe(self, channel: str, heard: Heard, missed: Callable[[], None]) -> None:
        """Before `start`."""
        self._heard.setdefault(channel, []).append(heard)
        self._missed.append(missed)

    async def _call(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        return None if self._away else await self._try(ask)

    async def _try(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(SECONDS), self._turns:
                found = await ask()
        except _ERRORS as error:
            if not self._away:
                self._away = True
                self._log.warning("cache away", reason=type(error).__name__)
            return None
        if self._away:
            self._away = False
            self._log.info("cache back")
            self._listen_anew()
        return found

    async def _watch(self) -> None:
        """Looks for the server while it is away."""
        while not self._closed:
            await asyncio.sleep(AGAIN_SECONDS)
            if self._away:
                await self._try(lambda: self._redis.ping())

    async def _send(self) -> None:
        """Publishes in order. What cannot be published is lost: others read anew when the server
        is back.
        """
        while not self._closed:
            channel, payload = await self._outgoing.get()
            await self._call(lambda c=channel, p=payload: self._redis.publish(PREFIX + c, p))  # type: ignore[misc]

    def _listen_anew(self) -> None:
        """A connection that was open while the server was away may be dead and not say so."""
        if self._listening is not None:
            self._listening.cancel()
        if self._heard:
            self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        """Hears what is published, over a connection of its own."""
        while not self._closed:
            with contextlib.suppress(*_ERRORS):  # that the server is away is said by who asks it
                await self._listen_once()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _listen_once(self) -> None:
        async with self._listener.pubsub(ignore_subscribe_messages=False) as channels:
            await channels.subscribe(*(PREFIX + name for name in self._heard))
            async for message in channels.listen():
                if message["type"] == "subscribe":
                    self._missing()
                elif message["type"] == "message":
                    self._hear(message["channel"].decode(), message["data"])

    def _missing(self) -> None:
        for missed in self._missed:
            missed()

    def _hear(self, channel: str, payload: bytes) -> None:
        for heard in self._heard.get(channel.removeprefix(PREFIX), ()):
            try:
                heard(payload)
            except Exception:
                self._log.exception("what was published could not be taken")
